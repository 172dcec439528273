/** Threat 35: filling the server's books, its memory or its time for nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coinOf } from '../../src/ark/client/account.ts';
import { post } from '../../src/ark/client/client.ts';
import { buildPayment, send } from '../../src/ark/client/offchain.ts';
import { ARK_ROUTES } from '../../src/ark/wire/routes.ts';
import { psbtBase64 } from '../../src/bitcoin/psbt.ts';
import { paid, type User, type World, world } from '../support/world.ts';

/** Submits a payment and leaves it there. */
function submitOnly({ client, account }: User, coin: Parameters<typeof buildPayment>[2][number]): Promise<unknown> {
  const payment = buildPayment(client, account, [coin], [paid(account, [coin])]);
  const body = { signedArkTx: psbtBase64(payment.arkTx), checkpointTxs: payment.checkpoints.map(psbtBase64) };
  return post(client, { route: ARK_ROUTES.submitTx, body });
}

/** One VTXO split into `count`. */
async function split(ark: World, user: User, count: number) {
  await ark.note(user, 1_000 * count);
  await ark.settle(user);
  const { coins } = await ark.everything(user);
  const outputs = Array.from({ length: count }, () => paid(user.account, [], 1_000n));
  const { arkTxid } = await ark.run(send(user.client, user.account, coins, outputs));
  return outputs.map((_, vout) => coinOf(user.account, 'vtxo', { txid: arkTxid, vout }, 1_000n));
}

test('payments that nobody finalizes are stored up to a number for each payer, and others are not concerned', async () => {
  const ark = await world({ seed: 'pending', settings: { maxTxWeight: 400_000 } });
  const [mallory, bob] = [await ark.user('mallory'), await ark.user('bob')];
  const coins = await split(ark, mallory, 202);
  for (const coin of coins.slice(0, 200)) await submitOnly(mallory, coin);
  await assert.rejects(submitOnly(mallory, coins[200]!), { code: 'HTTP_429' });
  const [row] = await ark.db.read('select count(*) as n from ark_offchain_tx where finalized_at is null');
  assert.equal(row!.n, 200n);
  const [coin] = await split(ark, bob, 2);
  await submitOnly(bob, coin!);
});

test('a request for more than a page can hold gets one page, and absurd pages are refused', async () => {
  const ark = await world({ seed: 'page-caps' });
  const alice = await ark.user('alice');
  await split(ark, alice, 5);
  const { script } = alice.account.vtxo;
  const ask = async (query: string): Promise<[number, number]> => {
    const url = `/v1/indexer/vtxos?scripts=${Buffer.from(script).toString('hex')}&${query}`;
    const response = await ark.server.publicApp.request(url);
    const { vtxos = [] } = (await response.json()) as { vtxos?: unknown[] };
    return [response.status, vtxos.length];
  };
  assert.deepEqual(await ask('page.size=2147483647'), [200, 6]);
  assert.deepEqual(await ask('page.index=2147483647&page.size=2147483647'), [200, 0]);
  assert.deepEqual(await ask('page.size=-1'), [200, 6]);
  for (const query of ['page.index=2147483648', 'page.size=9007199254740991', 'page.index=-1', 'page.size=1e3']) {
    assert.deepEqual(await ask(query), [400, 0], query);
  }
});

test('subscriptions have a bounded number of scripts, counted once each', async () => {
  const ark = await world({ seed: 'script-caps' });
  const subscribe = async (scripts: readonly string[], subscriptionId?: string) => {
    const body = JSON.stringify({ scripts, subscriptionId });
    const response = await ark.server.publicApp.request('/v1/indexer/script/subscribe', { method: 'POST', body });
    return { status: response.status, ...((await response.json()) as { subscriptionId: string }) };
  };
  const scripts = Array.from({ length: 10_000 }, (_, i) => `5120${i.toString(16).padStart(64, '0')}`);
  const { status, subscriptionId } = await subscribe(scripts);
  assert.equal(status, 200);
  // Clients name all their scripts again whenever they connect.
  assert.equal((await subscribe(scripts, subscriptionId)).status, 200);
  assert.equal((await subscribe([`5120${'ff'.repeat(32)}`], subscriptionId)).status, 429);
  assert.equal((await subscribe(['ab'.repeat(521)])).status, 400);
});

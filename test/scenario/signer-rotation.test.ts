/** The server goes over to another signer key: what stands under the old one moves in time, is enforced for ever, and is never lost. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Account, Coin } from '../../src/ark/client/account.ts';
import { settle } from '../../src/ark/client/batch.ts';
import { send } from '../../src/ark/client/offchain.ts';
import { spendableCoins, vtxosOf } from '../../src/ark/client/vtxos.ts';
import { leafOfVtxo } from '../../src/ark/protocol/leaf-spend.ts';
import { vtxoScript } from '../../src/ark/protocol/vtxo.ts';
import { fromHex, toHex } from '../../src/base/bytes.ts';
import { sats } from '../../src/base/units.ts';
import { csvMultisig, encodeClosure, multisig } from '../../src/bitcoin/closure.ts';
import { relativeTimelock } from '../../src/bitcoin/timelock.ts';
import { txidOf } from '../../src/bitcoin/tx.ts';
import { crimes, memory, refusal } from '../support/adversary.ts';
import { unroll } from '../support/unroll.ts';
import { ADMIN_TOKEN, paid, secp, type User, type World, world } from '../support/world.ts';

const HOUR = 3_600;
const now = ({ clock }: World): number => Math.floor(clock.now() / 1000);

async function operator<T>(w: World, path: string, body?: object): Promise<T> {
  const response = await w.server.adminApp.request(`/v1/admin/${path}`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as T & { message?: string };
  assert.equal(response.status, 200, answer.message);
  return answer;
}

const rotate = async (w: World, cutoffDate = 0): Promise<string> =>
  (await operator<{ pubkey: string }>(w, 'signer/rotate', { cutoffDate })).pubkey;

interface Terms {
  readonly signerPubkey: string;
  readonly digest: string;
  readonly deprecatedSigners: readonly { readonly pubkey: string; readonly cutoffDate: string }[];
}
const terms = async (w: World): Promise<Terms> =>
  (await w.server.publicApp.request('/v1/info')).json() as Promise<Terms>;

/** Alice with a VTXO under the first key. */
async function scene(seed: string, file?: string): Promise<[World, User]> {
  const w = await world({ seed, ...(file && { file }) });
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  await w.settle(alice);
  await w.mine(1);
  return [w, alice];
}

/** All of `coins` to where the user is at home now. */
const intoHome = (home: User, coins: readonly Coin[]) => ({
  coins,
  receivers: [paid(home.account, coins)],
  onchain: [],
});

const spentBy = async ({ chain }: World, outpoint: string) => {
  const [txid, vout] = outpoint.split(':');
  return (await chain.output({ txid: txid as never, vout: Number(vout) }))?.spentBy;
};

test('clients are told of the new key, and what the old one guards moves to it off-chain and in a batch', async () => {
  const [w, alice] = await scene('rotation/move');
  const boarded = await w.board(alice, 20_000);
  const before = await terms(w);
  const cutoff = now(w) + HOUR;
  const fresh = await rotate(w, cutoff);
  const after = await terms(w);
  assert.notEqual(fresh, before.signerPubkey);
  assert.equal(after.signerPubkey, fresh);
  assert.deepEqual(after.deprecatedSigners, [{ pubkey: before.signerPubkey, cutoffDate: `${cutoff}` }]);
  assert.notEqual(after.digest, before.digest);

  const coins = await spendableCoins(alice.client, alice.account);
  const outdated = send(alice.client, alice.account, coins, [paid(alice.account, coins)]);
  assert.equal(await refusal(w.run(outdated)), 'DIGEST_MISMATCH');

  const home = await w.user('alice');
  assert.notEqual(toHex(home.account.vtxo.script), toHex(alice.account.vtxo.script));
  await w.run(send(home.client, alice.account, coins, [paid(home.account, coins)]));
  await w.run(settle(home.client, alice.account, intoHome(home, [boarded])));
  const moved = await spendableCoins(home.client, home.account);
  assert.deepEqual(moved.map(({ amount }) => amount).sort(), [20_000n, 50_000n]);
  await w.run(settle(home.client, home.account, intoHome(home, moved)));
});

test('a VTXO of the old key is settled with a forfeit that the old key completes, even after the cutoff', async () => {
  const w = await world({ seed: 'rotation/forfeit' });
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  const [old] = await w.settle(alice);
  await w.mine(1);
  await rotate(w, now(w) + HOUR);
  const home = await w.user('alice');
  await w.run(settle(home.client, alice.account, intoHome(home, await spendableCoins(alice.client, alice.account))));
  await w.mine(1);
  await w.advance(2 * HOUR * 1_000);
  await operator(w, 'signer/retire', { pubkey: (await terms(w)).deprecatedSigners[0]!.pubkey });
  assert.deepEqual((await terms(w)).deprecatedSigners, []);
  await w.restart();

  await unroll(w, old!.branch);
  const [vtxo] = old!.vtxos;
  const key = `${vtxo!.outpoint.txid}:${vtxo!.outpoint.vout}`;
  for (let block = 0; block < 10 && !(await spentBy(w, key))?.confirmation; block++) await w.mine(1);
  const [row] = await w.db.read('select spent_by from ark_vtxo where outpoint = $1', [key]);
  assert.equal((await spentBy(w, key))?.txid, row!.spent_by);
  assert.ok((await spentBy(w, key))?.confirmation, 'the forfeit is in a block');
});

test('a payment from a VTXO of the old key is finished and enforced after the cutoff', async () => {
  const w = await world({ seed: 'rotation/checkpoint' });
  const [alice, bob] = [await w.user('alice'), await w.user('bob')];
  await w.note(alice, 50_000);
  const [old] = await w.settle(alice);
  await w.mine(1);
  const coins = await spendableCoins(alice.client, alice.account);
  const payment = await w.run(send(alice.client, alice.account, coins, [paid(bob.account, coins)]));
  await rotate(w, now(w));
  await w.advance(60_000);
  await unroll(w, old!.branch);
  await w.mine(1);
  await w.mine(1);
  assert.ok((await w.chain.transaction(txidOf(payment.checkpoints[0]!.tx)))?.confirmation, 'the checkpoint follows');
});

test('after the cutoff the old key is lent no more; once swept, what it guarded is settled all the same', async () => {
  const [w, alice] = await scene('rotation/cutoff');
  const boarded = await w.board(alice, 20_000);
  const cutoff = now(w) + HOUR;
  await rotate(w, cutoff);
  const home = await w.user('alice');
  const coins = await spendableCoins(home.client, alice.account);
  await w.advance((HOUR + 1) * 1_000);
  assert.equal((await terms(w)).deprecatedSigners[0]!.cutoffDate, `${cutoff}`);
  const books = await memory(w);
  const attempt = (work: Promise<unknown>) => refusal(w.run(work));
  const pay = (account: Account) => send(home.client, account, coins, [paid(home.account, coins)]);
  assert.equal(await attempt(pay(alice.account)), 'INVALID_VTXO_SCRIPT');
  for (const coin of [coins[0]!, boarded]) {
    const code = await attempt(settle(home.client, alice.account, intoHome(home, [coin])));
    assert.equal(code, 'INVALID_VTXO_SCRIPT');
  }
  assert.deepEqual(await memory(w), books, 'refusals leave no trace');

  await w.mine(150);
  // The audit knows nothing of batches that were swept.
  w.audit = { ...w.audit, check: async () => {} };
  const recoverable = coins.map((coin) => ({ ...coin, kind: 'recoverable' as const }));
  await w.run(settle(home.client, alice.account, intoHome(home, recoverable)));
  assert.deepEqual(
    (await spendableCoins(home.client, home.account)).map(({ amount }) => amount),
    [50_000n],
  );
});

test('a cutoff between registration and batch drops the intent and blames nobody', async () => {
  const [w, alice] = await scene('rotation/between');
  await rotate(w, now(w));
  const home = await w.user('alice');
  const coins = await spendableCoins(home.client, alice.account);
  const abort = new AbortController();
  const ended = refusal(settle(home.client, alice.account, intoHome(home, coins), abort.signal));
  await w.rest();
  assert.equal((await w.db.read('select id from ark_intent')).length, 1, 'it is in time for the queue');
  await w.advance(20_000);
  abort.abort();
  assert.equal(await ended, 'STREAM_ENDED');
  assert.deepEqual(await crimes(w), {});
  assert.deepEqual(await w.db.read('select id from ark_intent'), []);
});

test('keys survive restarts, a crash leaves the old key or the new one, and the operator may go back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'canalworks-rotation-'));
  try {
    const [w, alice] = await scene('rotation/durable', join(folder, 'ark.sqlite'));
    const first = (await terms(w)).signerPubkey;
    for (const when of ['before', 'after'] as const) {
      const known = (await terms(w)).signerPubkey;
      w.crashAt({ write: 1, when });
      void rotate(w).catch(() => {});
      await w.rest();
      assert.ok(w.isDead);
      await w.restart();
      const { signerPubkey } = await terms(w);
      assert.equal(signerPubkey === known, when === 'before');
    }
    const second = (await terms(w)).signerPubkey;
    const brought = '11'.repeat(32);
    await operator(w, 'signer', { signerPrivateKey: brought });
    const third = toHex(secp.publicKey(fromHex(brought)));
    await w.restart();
    assert.equal((await terms(w)).signerPubkey, third);
    assert.deepEqual(
      (await terms(w)).deprecatedSigners.map(({ pubkey }) => pubkey),
      [first, second].sort(),
    );
    const [row] = await w.db.read('select sealed_secret from ark_signer where public_key = $1', [third]);
    assert.ok(!toHex(row!.sealed_secret as Uint8Array).includes(brought), 'the secret is not there in the clear');

    const home = await w.user('alice');
    const coins = await spendableCoins(home.client, alice.account);
    await w.run(send(home.client, alice.account, coins, [paid(home.account, coins)]));
    const again = await rotate(w);
    assert.ok(![first, second, third].includes(again), 'no key comes twice by itself');
    await operator(w, 'signer', { signerPrivateKey: brought });
    assert.equal((await terms(w)).signerPubkey, third);
    assert.equal((await vtxosOf(home.client, home.account)).length, 1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('an operator who errs changes nothing', async () => {
  const [w] = await scene('rotation/errors');
  const before = await terms(w);
  const refused = async (path: string, body: object): Promise<void> => {
    const response = await w.server.adminApp.request(`/v1/admin/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      body: JSON.stringify(body),
    });
    assert.equal(response.status, 400, path);
  };
  await refused('signer', {});
  await refused('signer', { signerPrivateKey: '00'.repeat(32) });
  await refused('signer', { signerPrivateKey: 'xyz' });
  await refused('signer', { signerUrl: 'http://elsewhere' });
  await refused('signer/rotate', { cutoffDate: -1 });
  await refused('signer/retire', { pubkey: before.signerPubkey });
  await refused('signer/deprecate', { pubkey: before.signerPubkey, cutoffDate: 1 });
  await refused('signer/retire', { pubkey: `02${'11'.repeat(32)}` });
  assert.deepEqual(await terms(w), before);
});

test('a leaf with two of the server keys is refused before it can spoil a batch', async () => {
  const w = await world({ seed: 'rotation/two-keys' });
  const first = fromHex((await terms(w)).signerPubkey).slice(1);
  await rotate(w);
  const mallory = await w.user('mallory');
  const { publicKey } = mallory.account;
  const script = vtxoScript(secp, [
    encodeClosure(multisig(publicKey, first, mallory.client.terms.signer)),
    encodeClosure(csvMultisig(relativeTimelock(40), publicKey)),
  ]);
  const txid = await w.chain.faucet(script.script, sats(30_000));
  await w.mine(1);
  const leaf = leafOfVtxo(script, script.scripts[0]!)!;
  const coin: Coin = {
    kind: 'boarding',
    outpoint: { txid, vout: 0 },
    amount: 30_000n,
    script: script.script,
    leaf,
    tapTree: script.scripts,
  };
  const order = intoHome(mallory, [coin]);
  assert.equal(await refusal(w.run(settle(mallory.client, mallory.account, order))), 'INVALID_INTENT_PROOF');
});

/** Threat 16 and nonces: chains that turn back under a batch, and what may never be used twice across failures. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coinOf as arkCoin } from '../../src/ark/client/account.ts';
import { settle } from '../../src/ark/client/batch.ts';
import type { Transport } from '../../src/ark/client/transport.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import { sats } from '../../src/base/units.ts';
import { lying, refusal, silent } from '../support/adversary.ts';
import { locksOf } from '../support/locks.ts';
import { coinOf, spend } from '../support/regtest.ts';
import { rivalOf, takeOver } from '../support/rival.ts';
import { secp, world } from '../support/world.ts';

test('a commitment that a reorganization takes out of its block is confirmed again', async () => {
  const w = await world({ seed: 'reorg/commitment' });
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  const commitmentTxid = (await w.settle(alice))[0]!.commitmentTxid;
  await w.mine(2);
  const confirmedAt = async () =>
    (await w.db.read('select confirmed_height from ark_batch where commitment_txid = $1', [commitmentTxid]))[0]!
      .confirmed_height;
  const first = await confirmedAt();
  await w.reorg(2);
  assert.equal(await confirmedAt(), null);
  await w.audit.check();
  await w.settle(alice);
  await w.mine(1);
  assert.equal(await confirmedAt(), first);
  await w.audit.check();
});

/**
 * Alice renews in one batch with Mallory, who boards a coin; then a longer chain comes in which Mallory spent that coin
 * otherwise. `original` is the chain as it was before.
 */
async function doubleSpent(seed: string) {
  const w = await world({ seed });
  const [alice, mallory] = [await w.user('alice'), await w.user('mallory')];
  await w.note(alice, 50_000);
  await w.settle(alice);
  await w.mine(1);
  const lock = locksOf(secp, 'mallory').p2tr;
  const funding = await w.chain.faucet(lock.script, sats(100_000));
  await w.mine(1);
  const coin = coinOf((await w.chain.transaction(funding))!.tx, 0, lock);
  const { height: fork } = await w.chain.tip();
  const toBoarding = spend([coin], [{ value: 99_000n, script: mallory.account.boarding.script }]);
  const outpoint = { txid: await w.chain.broadcast(toBoarding), vout: 0 };
  await w.mine(1);
  mallory.pocket.push(arkCoin(mallory.account, 'boarding', outpoint, 99_000n));
  await w.settle(mallory, alice);
  await w.mine(1);
  const original = await rivalOf(w, fork + 2);
  const rival = await rivalOf(w, fork);
  await rival.broadcast(spend([coin], [{ value: 99_500n, script: lock.script }]));
  await rival.mine(3);
  await takeOver(w, rival, fork);
  const amounts = async () => {
    const coins = await Promise.all([alice, mallory].map(({ client, account }) => spendableCoins(client, account)));
    return coins.map((list) => list.map(({ amount }) => amount));
  };
  return { w, alice, mallory, original, fork, amounts };
}

test('a boarding coin double-spent by a longer chain: its batch stops circulating, and is undone once it is buried', async () => {
  const { w, alice, amounts } = await doubleSpent('reorg/double-spend');
  assert.deepEqual(await amounts(), [[], []]);
  await w.mine(6);
  assert.deepEqual(await amounts(), [[50_000n], []]);
  await w.audit.check();
  await w.settle(alice);
  assert.deepEqual(await amounts(), [[50_000n], []]);
});

test('when the first chain turns out longer after all, the batch circulates again', async () => {
  const { w, alice, mallory, original, fork, amounts } = await doubleSpent('reorg/twice');
  assert.deepEqual(await amounts(), [[], []]);
  await original.mine(3);
  await takeOver(w, original, fork + 2);
  assert.deepEqual(await amounts(), [[50_000n], [99_000n]]);
  await w.audit.check();
  await w.settle(alice, mallory);
});

test('no nonce of the operator is ever seen twice: not after a failed batch, not after a crash, not on a retry', async () => {
  const w = await world({ seed: 'reorg/nonces' });
  const seen: string[] = [];
  const listening = (transport: Transport): Transport => ({
    ...transport,
    async open(call) {
      const stream = await transport.open(call);
      return {
        close: stream.close,
        async *[Symbol.asyncIterator]() {
          for await (const message of stream) {
            const { treeNonces } = message as { treeNonces?: { nonces: Record<string, string> } };
            seen.push(...Object.values(treeNonces?.nonces ?? {}));
            yield message;
          }
        },
      };
    },
  });
  const alice = await w.user('alice', listening);
  const mallory = await w.user('mallory', lying({ submitTreeSignatures: silent }));
  await w.note(alice, 50_000);
  await w.note(mallory, 50_000);
  const leave = new AbortController();
  const order = await w.everything(mallory);
  const lost = refusal(settle(mallory.client, mallory.account, order, leave.signal));
  await w.settle(alice);
  leave.abort();
  await lost;
  w.onBroadcast(async () => {
    w.kill();
    return new Promise(() => {});
  });
  await assert.rejects(w.settle(alice));
  w.onBroadcast(undefined);
  await w.restart();
  await w.settle(alice);
  assert.ok(seen.length >= 8);
  assert.equal(new Set(seen).size, seen.length);
});

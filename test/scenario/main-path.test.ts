/** The main path with honest clients: board, settle, pay, renew, leave; each holds what it needs to go alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../src/ark/client/batch.ts';
import type { BatchOutcome } from '../../src/ark/client/batch-session.ts';
import { resumePayments, send } from '../../src/ark/client/offchain.ts';
import { spendableCoins, vtxosOf } from '../../src/ark/client/vtxos.ts';
import { finalize } from '../../src/ark/protocol/leaf-spend.ts';
import { STANDARD_FLAGS, verifyTx } from '../../src/bitcoin/interpreter/verify.ts';
import { p2tr } from '../../src/bitcoin/script.ts';
import { type Tx, txidOf } from '../../src/bitcoin/tx.ts';
import { paid, secp, type User, type World, world } from '../support/world.ts';

const amountsOf = async ({ client, account }: User): Promise<bigint[]> =>
  (await spendableCoins(client, account)).map(({ amount }) => amount).sort((a, b) => Number(a - b));

/** Every transaction of `txs` may spend what it spends, which stands on chain or among those before it. */
async function assertBroadcastable({ chain }: World, txs: readonly Tx[]): Promise<void> {
  const before = new Map<string, Tx>();
  for (const tx of txs) {
    const prevouts = await Promise.all(
      tx.inputs.map(async ({ prevout }) => {
        const parent = before.get(prevout.txid) ?? (await chain.transaction(prevout.txid))?.tx;
        assert.ok(parent?.outputs[prevout.vout], 'what it spends exists');
        return parent.outputs[prevout.vout]!;
      }),
    );
    assert.equal(verifyTx(secp, tx, prevouts, STANDARD_FLAGS), undefined);
    before.set(txidOf(tx), tx);
  }
}

const assertHeld = async (w: World, outcome: BatchOutcome, depth: number): Promise<void> => {
  assert.equal(outcome.branch.length, depth);
  await assertBroadcastable(w, outcome.branch);
};

test('notes and boarding coins become VTXOs whose owners could leave alone', async () => {
  const w = await world({ seed: 'main/settle' });
  const users = await Promise.all(['alice', 'bob', 'carol'].map((name) => w.user(name)));
  const [alice, bob, carol] = users as [User, User, User];
  await w.note(alice, 50_000);
  await w.board(bob, 70_000);
  await w.board(carol, 20_000);
  await w.note(carol, 1_000);
  const outcomes = await w.settle(alice, bob, carol);
  assert.equal(new Set(outcomes.map((outcome) => outcome.commitmentTxid)).size, 1);
  for (const outcome of outcomes) assert.equal(outcome.vtxos.length, 1);
  await Promise.all(outcomes.map((outcome) => assertBroadcastable(w, outcome.branch)));
  assert.deepEqual(await Promise.all(users.map(amountsOf)), [[50_000n], [70_000n], [21_000n]]);
  await w.mine(1);
  await assertHeld(w, (await w.settle(alice))[0]!, 1);
});

test('a payment splits a coin, its receiver pays on at once, and both can leave with what they hold', async () => {
  const w = await world({ seed: 'main/pay' });
  const [alice, bob] = [await w.user('alice'), await w.user('bob')];
  await w.note(alice, 50_000);
  const [settled] = await w.settle(alice);
  const coins = await spendableCoins(alice.client, alice.account);
  const outputs = [paid(bob.account, [], 20_000n), paid(alice.account, [], 30_000n)];
  const first = await w.run(send(alice.client, alice.account, coins, outputs));
  const received = await spendableCoins(bob.client, bob.account);
  const second = await w.run(send(bob.client, bob.account, received, [paid(alice.account, received)]));
  assert.deepEqual(await amountsOf(alice), [20_000n, 30_000n]);
  assert.deepEqual(await amountsOf(bob), []);
  const hops = [first, second].flatMap(({ checkpoints, arkTx }) => [...checkpoints, arkTx].map(finalize));
  await assertBroadcastable(w, [...settled!.branch, ...hops]);
  assert.deepEqual(
    (await vtxosOf(bob.client, bob.account)).map(({ isSpent, isPreconfirmed }) => [isSpent, isPreconfirmed]),
    [[true, true]],
  );
});

test('renewal gives up the old coins for new ones, and a collaborative exit pays on chain', async () => {
  const w = await world({ seed: 'main/exit' });
  const [alice, bob] = [await w.user('alice'), await w.user('bob')];
  await w.note(alice, 50_000);
  await w.note(bob, 40_000);
  await w.settle(alice, bob);
  const [coin] = await spendableCoins(alice.client, alice.account);
  const exit = { value: 15_000n, script: p2tr(alice.account.publicKey) };
  const order = { coins: [coin!], receivers: [paid(alice.account, [], 35_000n)], onchain: [exit] };
  const { commitmentTxid } = await w.run(settle(alice.client, alice.account, order));
  assert.deepEqual(await amountsOf(alice), [35_000n]);
  assert.deepEqual(
    (await w.chain.unspent(exit.script)).map(({ outpoint, value }) => [outpoint.txid, value]),
    [[commitmentTxid, 15_000n]],
  );
  const all = await spendableCoins(bob.client, bob.account);
  const leave = { coins: all, receivers: [], onchain: [{ ...exit, value: 40_000n }] };
  const left = await w.run(settle(bob.client, bob.account, leave));
  assert.deepEqual([left.vtxos, left.branch], [[], []]);
  assert.deepEqual(await amountsOf(bob), []);
});

test('a payment that a crash of its sender interrupted is found and finished', async () => {
  const w = await world({ seed: 'main/pending' });
  const lost = await w.user('alice', (transport) => ({
    ...transport,
    call: (call) => (call.route.path === '/v1/tx/finalize' ? Promise.reject(new Error('crash')) : transport.call(call)),
  }));
  const bob = await w.user('bob');
  await w.note(lost, 50_000);
  await w.settle(lost);
  const coins = await spendableCoins(lost.client, lost.account);
  await assert.rejects(w.run(send(lost.client, lost.account, coins, [paid(bob.account, coins)])), /crash/);
  assert.deepEqual(await amountsOf(bob), []);
  const alice = await w.user('alice');
  const pending = await vtxosOf(alice.client, alice.account, 'pendingOnly');
  assert.equal(pending.length, 1);
  assert.equal((await w.run(resumePayments(alice.client, alice.account, coins))).length, 1);
  assert.deepEqual(await amountsOf(bob), [50_000n]);
  assert.deepEqual(await w.run(resumePayments(alice.client, alice.account, coins)), []);
});

test('a restart changes nothing of what was settled', async () => {
  const w = await world({ seed: 'main/restart' });
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  await w.settle(alice);
  await w.restart();
  assert.deepEqual(await amountsOf(alice), [50_000n]);
  await w.mine(1);
  await w.settle(alice);
  assert.deepEqual(await amountsOf(alice), [50_000n]);
});

/** Threats 2, 3 and 4: VTXOs that were spent are put on chain all the same, and the server answers in time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { send } from '../../src/ark/client/offchain.ts';
import { spendableCoins, vtxosOf } from '../../src/ark/client/vtxos.ts';
import { finalize } from '../../src/ark/protocol/leaf-spend.ts';
import { txidOf } from '../../src/bitcoin/tx.ts';
import { broadcastWithChild, unroll } from '../support/unroll.ts';
import { paid, type User, type World, world } from '../support/world.ts';

const EXIT_DELAY = 20;

const alone = async (seed: string): Promise<[World, User]> => {
  const w = await world({ seed });
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  return [w, alice];
};

const spenderOf = async ({ chain }: World, outpoint: string) => {
  const [txid, vout] = outpoint.split(':');
  return (await chain.output({ txid: txid as never, vout: Number(vout) }))?.spentBy;
};

/** Alice pays Bob all she has off-chain, and the VTXO she paid with is put on chain all the same. */
async function paidThenUnrolled(seed: string) {
  const [w, alice] = await alone(seed);
  const bob = await w.user('bob');
  const [settled] = await w.settle(alice);
  await w.mine(1);
  const coins = await spendableCoins(alice.client, alice.account);
  const payment = await w.run(send(alice.client, alice.account, coins, [paid(bob.account, coins)]));
  await unroll(w, settled!.branch);
  return { w, bob, payment, checkpoint: txidOf(payment.checkpoints[0]!.tx) };
}

test('a forfeited VTXO put on chain is taken by its forfeit before its owner may claim it', async () => {
  const [w, alice] = await alone('justice/forfeit');
  const users = [alice, ...(await Promise.all(['bob', 'carol', 'dave', 'erin'].map((name) => w.user(name))))];
  for (const user of users.slice(1)) await w.note(user, 10_000);
  const [old] = await w.settle(...users);
  await w.mine(1);
  await w.settle(...users);
  await w.mine(1);
  const [vtxo] = old!.vtxos;
  const key = `${vtxo!.outpoint.txid}:${vtxo!.outpoint.vout}`;
  await unroll(w, old!.branch);
  for (let block = 0; block < EXIT_DELAY - 1 && !(await spenderOf(w, key))?.confirmation; block++) await w.mine(1);
  const [row] = await w.db.read('select spent_by, unrolled from ark_vtxo where outpoint = $1', [key]);
  assert.equal(row!.unrolled, 1n);
  assert.equal((await spenderOf(w, key))?.txid, row!.spent_by);
  assert.ok((await spenderOf(w, key))?.confirmation, 'the forfeit is in a block before the exit delay is over');
});

test('the answer sets out when the VTXO is seen, and is there one block later', async () => {
  const [w, alice] = await alone('justice/at-once');
  const [old] = await w.settle(alice);
  await w.mine(1);
  await w.settle(alice);
  await w.mine(1);
  assert.equal(old!.branch.length, 1);
  await broadcastWithChild(w, old!.branch[0]!);
  await w.rest();
  await w.mine(1);
  const spender = await spenderOf(w, `${old!.vtxos[0]!.outpoint.txid}:${old!.vtxos[0]!.outpoint.vout}`);
  assert.ok(spender && !spender.confirmation, 'the forfeit is in the mempool');
});

test('a VTXO spent off-chain and put on chain is answered by one checkpoint; the receiver can still leave', async () => {
  const { w, bob, payment, checkpoint } = await paidThenUnrolled('justice/checkpoint');
  assert.equal(await w.chain.transaction(checkpoint), undefined, 'the block belongs to the receiver');
  await w.mine(1);
  await w.mine(1);
  assert.ok((await w.chain.transaction(checkpoint))?.confirmation, 'the checkpoint is in a block');
  await unroll(w, [finalize(payment.arkTx)]);
  const [received] = await vtxosOf(bob.client, bob.account);
  assert.equal(received!.isUnrolled, true);
  assert.ok((await w.chain.output({ txid: txidOf(payment.arkTx.tx), vout: 0 }))?.confirmation);
});

test('a checkpoint that nobody continues from is taken back after its delay', async () => {
  const { w, checkpoint: txid } = await paidThenUnrolled('justice/reclaim');
  await w.mine(1);
  await w.mine(1);
  const checkpoint = `${txid}:0`;
  assert.equal(await spenderOf(w, checkpoint), undefined);
  await w.mine(10);
  await w.mine(1);
  assert.ok((await spenderOf(w, checkpoint))?.confirmation, 'the server spent it through its exit leaf');
});

test('answers survive a restart and a reorg', async () => {
  const [w, alice] = await alone('justice/restart');
  const [old] = await w.settle(alice);
  await w.mine(1);
  await w.settle(alice);
  await w.mine(1);
  await unroll(w, old!.branch);
  await w.restart();
  await w.mine(1);
  await w.reorg(1);
  for (let block = 0; block < 6; block++) await w.mine(1);
  const key = `${old!.vtxos[0]!.outpoint.txid}:${old!.vtxos[0]!.outpoint.vout}`;
  assert.ok((await spenderOf(w, key))?.confirmation);
});

test('an honest exit is left alone', async () => {
  const [w, alice] = await alone('justice/honest');
  const [settled] = await w.settle(alice);
  await w.mine(1);
  await unroll(w, settled!.branch);
  await w.mine(30);
  const key = `${settled!.vtxos[0]!.outpoint.txid}:${settled!.vtxos[0]!.outpoint.vout}`;
  assert.equal(await spenderOf(w, key), undefined);
});

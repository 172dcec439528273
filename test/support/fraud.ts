/** Cheats: VTXOs that were spent are put on chain all the same, and what the server does about it is looked at. */
import assert from 'node:assert/strict';
import type { BatchOutcome } from '../../src/ark/client/batch-session.ts';
import { send } from '../../src/ark/client/offchain.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import { type OutpointKey, outpointKey, parseOutpoint, type Txid } from '../../src/base/bytes.ts';
import { sumSats } from '../../src/base/units.ts';
import { anchorOf } from '../../src/bitcoin/package.ts';
import { type Tx, txidOf, vsizeOf } from '../../src/bitcoin/tx.ts';
import { paid, type User, type World } from './world.ts';

export const EXIT_DELAY = 20;

export const spenderOf = async ({ chain }: World, outpoint: OutpointKey) =>
  (await chain.output(parseOutpoint(outpoint)))?.spentBy;

/** Satoshi that a transaction pays for its place. */
export async function feeOf({ chain }: World, tx: Tx): Promise<bigint> {
  const spent = await Promise.all(tx.inputs.map(({ prevout }) => chain.output(prevout)));
  return sumSats(spent.map((output) => output!.value)) - sumSats(tx.outputs.map(({ value }) => value));
}

/** The child that pays for a transaction in the mempool through its anchor. */
export async function payerOf(
  w: World,
  txid: Txid,
): Promise<{ tx: Tx; txid: Txid; fee: bigint; vsize: number } | undefined> {
  const parent = (await w.chain.transaction(txid))?.tx;
  const by = parent && (await w.chain.output({ txid, vout: anchorOf(parent)! }))?.spentBy;
  const found = by && (await w.chain.transaction(by.txid));
  return found && { tx: found.tx, txid: found.txid, fee: await feeOf(w, found.tx), vsize: vsizeOf(found.tx) };
}

/** All that the users have is settled, and then settled once more: the first VTXOs are forfeited. */
export async function renewed(w: World, users: readonly User[], amount = 50_000): Promise<readonly BatchOutcome[]> {
  for (const user of users) await w.note(user, amount);
  const old = await w.settle(...users);
  await w.mine(1);
  await w.settle(...users);
  // A block for the batch, another one for the coins that are set apart because of it.
  await pass(w, 2);
  return old;
}

/** Blocks one by one, each dealt with before the next. */
export async function pass(w: World, blocks: number): Promise<void> {
  for (let i = 0; i < blocks; i++) await w.mine(1);
}

export const vtxoKey = ({ vtxos }: BatchOutcome): OutpointKey => outpointKey(vtxos[0]!.outpoint);

/** What the books say that a VTXO was spent by. */
export async function answerTo({ db }: World, outpoint: OutpointKey): Promise<Txid> {
  const [row] = await db.read('select spent_by from ark_vtxo where outpoint = $1', [outpoint]);
  return row!.spent_by as Txid;
}

/** The VTXO's output was taken by the server's answer, in a block, and before its owner could. */
export async function assertAnswered(w: World, outpoint: OutpointKey): Promise<void> {
  const output = await w.chain.output(parseOutpoint(outpoint));
  assert.equal(output?.spentBy?.txid, await answerTo(w, outpoint), `${outpoint} is answered`);
  const at = output?.spentBy?.confirmation;
  assert.ok(at, `the answer to ${outpoint} is in a block`);
  assert.ok(at.height < output!.confirmation!.height + EXIT_DELAY, 'before the exit delay is over');
}

/** Alice pays Bob all she has off-chain. */
export async function payAll(w: World, alice: User, bob: User) {
  const coins = await spendableCoins(alice.client, alice.account);
  return w.run(send(alice.client, alice.account, coins, [paid(bob.account, coins)]));
}

/** Transactions that the server has broadcast and the chain knows, without the children that pay for others. */
export async function answersOf(w: World, since: ReadonlySet<Txid>): Promise<Tx[]> {
  const answers: Tx[] = [];
  for (const [txid, tx] of w.broadcasts) {
    const isChild = tx.inputs.some(({ prevout }) => {
      const parent = w.broadcasts.get(prevout.txid);
      return parent && anchorOf(parent) === prevout.vout;
    });
    if (!since.has(txid) && !isChild && (await w.chain.transaction(txid))) answers.push(tx);
  }
  return answers;
}

export const txidsOf = (txs: readonly Tx[]): Txid[] => txs.map(txidOf);

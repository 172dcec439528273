/**
 * What the server has against what it owes, counted on the chain and to the satoshi, whatever was unrolled, swept,
 * claimed or answered: outputs of batches are followed through every transaction that the server knows of.
 */
import assert from 'node:assert/strict';
import { equal, type Outpoint, type Txid } from '../../src/base/bytes.ts';
import { sumSats } from '../../src/base/units.ts';
import { parseAddress } from '../../src/bitcoin/address.ts';
import { txidOf } from '../../src/bitcoin/tx.ts';
import { scriptHashOf } from '../../src/chain/script-hash.ts';
import { SERVER_FUNDS, type World } from './world.ts';

const OWN_TXS = `select txid from ark_tree_tx union select txid from ark_checkpoint_tx
  union select txid from ark_offchain_tx union select txid from ark_forfeit union select txid from ark_sweep`;
const MOST = 100_000;

/** Fails unless wallet and what is still in batches cover all claims, no satoshi more and no satoshi less. */
export async function checkSolvency({ db, chain, server }: World): Promise<void> {
  const walletScript = parseAddress('regtest', server.walletAddress);
  const column = async (sql: string): Promise<unknown[]> => (await db.read(sql)).map((row) => Object.values(row)[0]);
  const sumOf = async (sql: string): Promise<bigint> => sumSats((await column(sql)) as bigint[]);
  const own = new Set((await column(OWN_TXS)) as Txid[]);
  const commitments = (await column(
    "select commitment_txid from ark_batch where state <> 'failed' and commitment_txid is not null",
  )) as Txid[];
  const passed = new Set<Txid>();

  async function held(outpoint: Outpoint): Promise<bigint> {
    const output = await chain.output(outpoint);
    if (!output || equal(output.script, walletScript)) return 0n;
    if (!output.spentBy) return output.value;
    const { txid } = output.spentBy;
    if (!own.has(txid) || passed.has(txid)) return 0n;
    passed.add(txid);
    const { tx } = (await chain.transaction(txid))!;
    let sum = 0n;
    for (const vout of tx.outputs.keys()) sum += await held({ txid, vout });
    return sum;
  }

  /** Outputs 0 and 1 of a commitment that are neither change nor a collaborative exit. */
  async function heldIn(commitment: Txid): Promise<bigint> {
    const trees = (await db.read('select distinct tree from ark_tree_tx where commitment_txid = $1', [commitment])).map(
      ({ tree }) => tree,
    );
    let sum = 0n;
    if (trees.includes('vtxo')) sum += await held({ txid: commitment, vout: 0 });
    if (trees.includes('connector')) sum += await held({ txid: commitment, vout: 1 });
    return sum;
  }

  /** What the server's own transactions left to miners: those that it planned, and those that spend its wallet. */
  async function fees(): Promise<bigint> {
    const hash = scriptHashOf(walletScript);
    const planned = await Promise.all([...commitments, ...own].map((txid) => chain.transaction(txid)));
    const touching = [...(await chain.explorer.history(hash, MOST)), ...(await chain.explorer.unconfirmed(hash))];
    const spends = new Map<Txid, bigint>();
    for (const { tx } of [...planned, ...touching].flatMap((found) => found ?? [])) {
      const txid = txidOf(tx);
      if (spends.has(txid)) continue;
      const prevouts = await chain.explorer.prevouts(tx);
      const isOurs = own.has(txid) || commitments.includes(txid);
      if (!isOurs && !prevouts.some((output) => output && equal(output.script, walletScript))) continue;
      const paid = sumSats(prevouts.map((output) => output?.value ?? 0n));
      spends.set(txid, paid - sumSats(tx.outputs.map(({ value }) => value)));
    }
    return sumSats([...spends.values()]);
  }

  const wallet = sumSats((await chain.unspent(walletScript)).map(({ value }) => value));
  let inBatches = 0n;
  for (const commitment of commitments) inBatches += await heldIn(commitment);
  const owed =
    (await sumOf('select amount from ark_vtxo where spent_by is null and claimed_by is null')) +
    (await sumOf(
      'select v.amount from ark_vtxo v join ark_offchain_tx t on t.txid = v.ark_txid where t.finalized_at is null',
    ));
  const notes = await sumOf("select amount from ark_vtxo where origin = 'note'");
  assert.equal(wallet + inBatches - owed, SERVER_FUNDS - (await fees()) - notes, 'assets cover claims to the satoshi');
}

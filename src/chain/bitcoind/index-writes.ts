/** How the index grows by a block and shrinks by one: a disconnected block leaves no trace. */
import { type Block, blockHash, blockWeight, serializeBlock, serializeHeader } from '../../bitcoin/block.ts';
import { isCoinbase, serializeTx, type Tx, txidOf } from '../../bitcoin/tx.ts';
import type { DbTx } from '../../store/db.ts';
import { isUnspendable } from '../regtest/coin.ts';
import { scriptHashOf } from '../script-hash.ts';

/** Where a transaction is in the chain, as one number that orders them: its block's height, then its index in there. */
export const placeOf = (height: number, index: number): number => height * BLOCK_SPAN + index;
export const heightOf = (place: bigint | number): number => Math.floor(Number(place) / BLOCK_SPAN);
export const indexOf = (place: bigint | number): number => Number(place) % BLOCK_SPAN;

/** More than the transactions that fit into a block. */
export const BLOCK_SPAN = 2 ** 20;

export interface IndexedBlock {
  readonly height: number;
  readonly block: Block;
  /** BIP113, this block included. */
  readonly medianTime: number;
}

export async function connectBlock(db: DbTx, { height, block, medianTime }: IndexedBlock): Promise<void> {
  await db.run(
    'insert into chain_block (height, hash, header, median_time, size, weight) values ($1, $2, $3, $4, $5, $6)',
    [
      height,
      blockHash(block.header),
      serializeHeader(block.header),
      medianTime,
      serializeBlock(block).length,
      blockWeight(block),
    ],
  );
  for (const [index, tx] of block.txs.entries()) await connectTx(db, tx, placeOf(height, index));
}

/** Twice in its early days the chain repeated a coinbase (BIP30); the index keeps the first. */
async function connectTx(db: DbTx, tx: Tx, place: number): Promise<void> {
  const txid = txidOf(tx);
  await db.run('insert into chain_tx (place, txid, raw) values ($1, $2, $3) on conflict (txid) do nothing', [
    place,
    txid,
    serializeTx(tx),
  ]);
  for (const [vin, { prevout }] of isCoinbase(tx) ? [] : tx.inputs.entries()) {
    await db.run('update chain_output set spent_place = $1, spent_vin = $2 where txid = $3 and vout = $4', [
      place,
      vin,
      prevout.txid,
      prevout.vout,
    ]);
  }
  // Consensus: the coins of the first block cannot be spent.
  if (place === 0) return;
  for (const [vout, output] of tx.outputs.entries()) {
    if (isUnspendable(output)) continue;
    await db.run(
      'insert into chain_output (txid, vout, script, value, place) values ($1, $2, $3, $4, $5) on conflict (txid, vout) do nothing',
      [txid, vout, scriptHashOf(output.script), output.value, place],
    );
  }
}

/** Takes off all blocks above `height`. */
export async function disconnectAbove(db: DbTx, height: number): Promise<void> {
  const first = placeOf(height + 1, 0);
  await db.run('delete from chain_output where place >= $1', [first]);
  await db.run('update chain_output set spent_place = null, spent_vin = null where spent_place >= $1', [first]);
  await db.run('delete from chain_tx where place >= $1', [first]);
  await db.run('delete from chain_block where height > $1', [height]);
}

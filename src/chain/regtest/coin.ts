/** A coin: an output with what consensus needs to know of its origin. */
import type { Outpoint } from '../../base/bytes.ts';
import { isOpReturn } from '../../bitcoin/script.ts';
import type { TxOut } from '../../bitcoin/tx.ts';

export interface Coin extends TxOut {
  /** Of the block that has it; for an output in the mempool the height of the next block. */
  readonly height: number;
  readonly isCoinbase: boolean;
}

/** Looks up an unspent output; `undefined` when it is unknown or spent. */
export type CoinView = (outpoint: Outpoint) => Coin | undefined;

/** Consensus: no script above this runs, so an output with a longer one can never be spent. */
const MAX_SCRIPT_SIZE = 10_000;

/** Such outputs never become coins. */
export const isUnspendable = (output: TxOut): boolean =>
  isOpReturn(output.script) || output.script.length > MAX_SCRIPT_SIZE;

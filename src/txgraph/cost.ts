/** What it costs to put pre-signed transactions on chain: virtual bytes, fees, blocks, and the coins that pay. */
import type { Txid } from '../base/bytes.ts';
import { type FeeRate, sumSats } from '../base/units.ts';
import { ANCHOR_CHILD_VSIZE } from '../bitcoin/package.ts';
import { type Tx, txidOf, vsizeOf } from '../bitcoin/tx.ts';

/** Virtual bytes of a transaction and of the child that pays for it. */
export const packageVsize = (tx: Tx): number => vsizeOf(tx) + ANCHOR_CHILD_VSIZE;

/** Satoshi, rounded up. */
export const feeOf = (vbytes: number, rate: FeeRate): bigint => BigInt(Math.ceil(vbytes * rate));

export interface UnrollCost {
  readonly transactions: number;
  /** Children included. */
  readonly vbytes: number;
  /** Satoshi, all of it paid by coins that are on chain already. */
  readonly fee: bigint;
  /** Until the last transaction is in a block, when each block takes whatever is ready and paid for. */
  readonly blocks: number;
  /** Most packages that are ready at once: with as many coins nothing waits for another's change. */
  readonly coins: number;
  /** Satoshi that one more coin would have to hold for the rest to go through; 0 when the coins suffice. */
  readonly shortfall: bigint;
}

/** Lets one transaction after another become ready as what it spends is done. */
function createQueue(txs: readonly Tx[]) {
  const missing = new Map<Txid, number>(txs.map((tx) => [txidOf(tx), 0]));
  const children = new Map<Txid, Tx[]>();
  for (const tx of txs) {
    const parents = new Set(tx.inputs.map(({ prevout }) => prevout.txid).filter((txid) => missing.has(txid)));
    missing.set(txidOf(tx), parents.size);
    for (const parent of parents) children.set(parent, [...(children.get(parent) ?? []), tx]);
  }
  const freed = (tx: Tx): boolean => {
    const left = missing.get(txidOf(tx))! - 1;
    missing.set(txidOf(tx), left);
    return left === 0;
  };
  return {
    first: txs.filter((tx) => missing.get(txidOf(tx)) === 0),
    /** What becomes ready once `tx` is in a block. */
    after: (tx: Tx): Tx[] => (children.get(txidOf(tx)) ?? []).filter(freed),
  };
}

/**
 * Plays the unrolling of `txs` (parents before children, signed) block by block: each package takes the smallest coin
 * that pays for it, its change is a coin again in the next block. `coins` are the values of confirmed coins in satoshi.
 */
export function unrollCost(txs: readonly Tx[], rate: FeeRate, coins: readonly bigint[], dust: bigint): UnrollCost {
  const sizes = new Map(txs.map((tx) => [tx, packageVsize(tx)]));
  const fees = new Map(txs.map((tx) => [tx, feeOf(sizes.get(tx)!, rate)]));
  const unpaid = new Set(txs);
  const queue = createQueue(txs);
  const purse = [...coins];
  let ready = queue.first;
  let [blocks, width] = [0, 0];
  while (ready.length > 0) {
    width = Math.max(width, ready.length);
    const change: bigint[] = [];
    const paid = ready.filter((tx) => {
      const coin = smallestOf(purse, fees.get(tx)! + dust);
      if (coin === undefined) return false;
      purse.splice(purse.indexOf(coin), 1);
      change.push(coin - fees.get(tx)!);
      return true;
    });
    if (paid.length === 0) break;
    for (const tx of paid) unpaid.delete(tx);
    purse.push(...change);
    ready = [...ready.filter((tx) => unpaid.has(tx)), ...paid.flatMap(queue.after)];
    blocks++;
  }
  const owed = sumSats([...unpaid].map((tx) => fees.get(tx)!));
  return {
    transactions: txs.length,
    vbytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
    fee: sumSats(fees.values()),
    // One coin pays for what nobody paid for, one transaction after the other.
    blocks: blocks + unpaid.size,
    coins: width,
    shortfall: unpaid.size > 0 ? owed + dust : 0n,
  };
}

/** The smallest of `coins` with at least `due`; `undefined` when none has as much. */
const smallestOf = (coins: readonly bigint[], due: bigint): bigint | undefined =>
  coins.reduce<bigint | undefined>(
    (best, coin) => (coin >= due && (best === undefined || coin < best) ? coin : best),
    undefined,
  );

/**
 * Putting a lineage on chain. Its transactions pay no fee: each goes out with a child that pays through its anchor
 * (BIP431: a TRUC transaction has one unconfirmed parent at most), so a transaction waits until all it spends is in
 * blocks. Whoever drives this looks at the chain anew each time and carries out what {@link planUnroll} says.
 */
import type { Txid } from '../base/bytes.ts';
import { type Tx, txidOf } from '../bitcoin/tx.ts';

/** Where the chain has a transaction. */
export type Place = 'nowhere' | 'mempool' | 'block';

export interface UnrollPlan {
  /** Nowhere yet, and all they spend is in blocks: to be broadcast now, each with a child that pays. */
  readonly ready: readonly Tx[];
  /** In the mempool: to be waited for, or bumped. */
  readonly waiting: readonly Tx[];
  /** Transactions that are not in a block yet. */
  readonly left: number;
}

/** What to do next about `txs`, parents before children. What they spend besides each other counts as in a block. */
export function planUnroll(txs: readonly Tx[], placeOf: (txid: Txid) => Place): UnrollPlan {
  const left = new Set<Txid>();
  const ready: Tx[] = [];
  const waiting: Tx[] = [];
  for (const tx of txs) {
    const txid = txidOf(tx);
    const place = placeOf(txid);
    if (place === 'block') continue;
    left.add(txid);
    if (place === 'mempool') waiting.push(tx);
    else if (!tx.inputs.some(({ prevout }) => left.has(prevout.txid))) ready.push(tx);
  }
  return { ready, waiting, left: left.size };
}

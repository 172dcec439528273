/**
 * Where an output comes from: the pre-signed transactions between the chain and the one that makes it. Unlike a tree,
 * a lineage may join: one transaction may spend what several others made.
 */
import { type Outpoint, outpointKey, type Txid } from '../base/bytes.ts';
import { invariant } from '../base/errors.ts';
import { type Tx, txidOf } from '../bitcoin/tx.ts';

export interface Lineage {
  /** Parents before children, the transaction asked for last: an order in which they can be broadcast. */
  readonly txs: readonly Tx[];
  /** Outputs that are spent and made by none of them, each once. */
  readonly roots: readonly Outpoint[];
  /** Txid → transactions on the longest way from a root to it, itself included. */
  readonly depths: ReadonlyMap<Txid, number>;
}

/**
 * The lineage of transaction `target`, as far as `txOf` knows its ancestors; empty when it does not know `target`.
 * Walks without recursion, so that the longest chain does not exhaust the stack.
 */
export function lineageOf(target: Txid, txOf: (txid: Txid) => Tx | undefined): Lineage {
  const txs: Tx[] = [];
  const depths = new Map<Txid, number>();
  const roots = new Map<string, Outpoint>();
  const opened = new Set<Txid>();
  const stack = [target];
  for (let txid = stack.at(-1); txid !== undefined; txid = stack.at(-1)) {
    const tx = depths.has(txid) ? undefined : txOf(txid);
    if (!tx) {
      stack.pop();
      continue;
    }
    const known = tx.inputs.filter(({ prevout }) => txOf(prevout.txid) !== undefined);
    const missing = known.filter(({ prevout }) => !depths.has(prevout.txid));
    if (missing.length === 0) {
      stack.pop();
      for (const { prevout } of tx.inputs) if (!known.some((input) => input.prevout === prevout)) add(roots, prevout);
      depths.set(txid, 1 + Math.max(0, ...known.map(({ prevout }) => depths.get(prevout.txid)!)));
      txs.push(tx);
      continue;
    }
    invariant(!opened.has(txid), 'an id is a hash of its ancestors: no transaction descends from itself');
    opened.add(txid);
    stack.push(...missing.map(({ prevout }) => prevout.txid));
  }
  return { txs, roots: [...roots.values()], depths };
}

const add = (roots: Map<string, Outpoint>, outpoint: Outpoint): void => void roots.set(outpointKey(outpoint), outpoint);

/** The transactions by their ids, as {@link lineageOf} looks them up. */
export const byTxid = (txs: Iterable<Tx>): ReadonlyMap<Txid, Tx> => new Map([...txs].map((tx) => [txidOf(tx), tx]));

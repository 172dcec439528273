/** What a list of transactions must be to count as a package, whatever the mempool holds. */
import { outpointKey } from '../../../base/bytes.ts';
import { type Tx, txidOf, weightOf } from '../../../bitcoin/tx.ts';

const MAX_PACKAGE_WEIGHT = 404_000;

const parentIds = (tx: Tx): Set<string> => new Set(tx.inputs.map(({ prevout }) => prevout.txid));

/** bitcoind's reason why no package is made of these, if it is none. */
export function packageFault(txs: readonly Tx[]): string | undefined {
  const ids = txs.map(txidOf);
  if (txs.reduce((sum, tx) => sum + weightOf(tx), 0) > MAX_PACKAGE_WEIGHT) return 'package-too-large';
  if (new Set(ids).size < ids.length) return 'package-contains-duplicates';
  const isSorted = txs.every((tx, i) => ids.slice(i).every((later) => !parentIds(tx).has(later)));
  if (!isSorted) return 'package-not-sorted';
  const spent = txs.flatMap((tx) => tx.inputs.map(({ prevout }) => outpointKey(prevout)));
  return new Set(spent).size < spent.length ? 'conflict-in-package' : undefined;
}

/** The last one spends from all others, and they not from each other. */
export function isChildWithParents(txs: readonly Tx[]): boolean {
  const parents = txs.slice(0, -1);
  const isTree = parents.every((tx) => parents.every((other) => !parentIds(tx).has(txidOf(other))));
  return isTree && parents.every((tx) => parentIds(txs.at(-1)!).has(txidOf(tx)));
}

/** BIP431: version 3 transactions stay in families of one unconfirmed parent and one small child. */
import type { Txid } from '../../base/bytes.ts';
import type { Tx } from '../../bitcoin/tx.ts';
import type { Mempool, MempoolEntry } from './mempool.ts';
import { check, reject } from './rejection.ts';

export const TRUC_VERSION = 3;
const MAX_VSIZE = 10_000;
const MAX_CHILD_VSIZE = 1_000;

export const isTruc = (tx: Tx): boolean => tx.version === TRUC_VERSION;

const demand = (condition: boolean, detail: string): void => check(condition, 'TRUC-violation', detail);

/** What holds wherever the parents are, in the mempool or in the same package. */
export function checkTrucFamily(tx: Tx, vsize: number, parents: readonly Tx[]): void {
  for (const parent of parents) {
    demand(isTruc(parent) === isTruc(tx), `a version=${tx.version} tx cannot spend from version=${parent.version}`);
  }
  if (!isTruc(tx)) return;
  demand(vsize <= MAX_VSIZE, `version=3 tx is too big: ${vsize} > ${MAX_VSIZE} virtual bytes`);
  demand(parents.length <= 1, 'would have too many ancestors');
  demand(
    parents.length === 0 || vsize <= MAX_CHILD_VSIZE,
    `version=3 child tx is too big: ${vsize} > ${MAX_CHILD_VSIZE} virtual bytes`,
  );
}

/**
 * The only child that a version 3 parent may have, when `tx` would be a second one and may take its place by
 * paying for it. `undefined` when there is none in the way. `conflicts` are what `tx` replaces anyway.
 */
export function siblingToEvict(
  pool: Mempool,
  tx: Tx,
  conflicts: ReadonlySet<Txid>,
  mayEvict: boolean,
): MempoolEntry | undefined {
  const parent = isTruc(tx) ? pool.parentsOf(tx)[0] : undefined;
  if (!parent) return undefined;
  demand(pool.parentsOf(parent.tx).length === 0, 'would have too many ancestors');
  const relatives = [...pool.withDescendants([parent.txid])].filter((entry) => entry !== parent);
  if (relatives.length === 0 || relatives.some((entry) => conflicts.has(entry.txid))) return undefined;
  // After a reorganization a family may be larger than the rule allows; then it is not clear whom to evict.
  const [sibling] = relatives;
  const isAlone = relatives.length === 1 && pool.ancestorsOf(sibling!.tx).size === 1;
  if (!mayEvict || !isAlone) reject('TRUC-violation', `tx ${parent.txid} would exceed descendant count limit`);
  return sibling;
}

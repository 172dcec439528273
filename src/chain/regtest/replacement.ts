/** Replacement by fee: BIP125's rules 2 to 5 without its opt-in, and bitcoind's for a package of two. */
import type { Txid } from '../../base/bytes.ts';
import { compareRates, feeAt, rateOf, type SatsPerKvb, type Sized, sumOf } from './fee-rate.ts';
import type { Mempool, MempoolEntry } from './mempool.ts';
import { check, reject, rejectFee } from './rejection.ts';

const MAX_REPLACED = 100;

export interface Replacement {
  readonly pool: Mempool;
  /** Each replacement pays for its own relay at this rate on top of what it replaces. */
  readonly incrementalRate: SatsPerKvb;
}

/** What goes when `conflicts` go. */
function replacedBy(pool: Mempool, conflicts: ReadonlySet<Txid>): Set<MempoolEntry> {
  // Rule 5. One that hangs on several conflicts counts for each, as bitcoind has it.
  let count = 0;
  for (const txid of conflicts) count += pool.withDescendants([txid]).size;
  check(count <= MAX_REPLACED, 'too many potential replacements', `${count} > ${MAX_REPLACED}`);
  return pool.withDescendants(conflicts);
}

/** What rules 3 and 4 find wrong with `paid`, if anything. */
function shortfall(paid: Sized, replaced: Iterable<Sized>, rate: SatsPerKvb): string | undefined {
  const { fee: lost } = sumOf(replaced);
  if (paid.fee < lost) return `less fees than conflicting txs: ${paid.fee} < ${lost}`;
  const own = feeAt(rate, paid.vsize);
  return paid.fee - lost < own ? `not enough additional fees to relay: ${paid.fee - lost} < ${own}` : undefined;
}

/** The entries that `entry` replaces, itself conflicting with `conflicts`. Refuses when it may not. */
export function checkReplacement(
  { pool, incrementalRate }: Replacement,
  entry: MempoolEntry,
  conflicts: ReadonlySet<Txid>,
): Set<MempoolEntry> {
  if (conflicts.size === 0) return new Set();
  const direct = [...conflicts].map((txid) => pool.get(txid)!);
  for (const old of direct) {
    if (rateOf(entry) <= rateOf(old)) rejectFee('insufficient fee', `fee rate ${rateOf(entry)} <= ${rateOf(old)}`);
  }
  const replaced = replacedBy(pool, conflicts);
  // Rule 2: an unconfirmed parent could be what keeps the replacement from being mined.
  const known = new Set(direct.flatMap((old) => old.tx.inputs.map((input) => input.prevout.txid)));
  for (const parent of pool.parentsOf(entry.tx)) {
    check(known.has(parent.txid), 'replacement-adds-unconfirmed', `replacement spends new unconfirmed ${parent.txid}`);
  }
  const missing = shortfall(entry, replaced, incrementalRate);
  if (missing) rejectFee('insufficient fee', missing);
  return replaced;
}

/** Chunks of a parent and child, best first: a child that pays more pulls its parent along. */
const chunksOf = (parent: Sized, child: Sized): Sized[] =>
  compareRates(child, parent) > 0n ? [sumOf([parent, child])] : [parent, child];

/** Fees that fit into `vsize`, drawing the chunks best first as a line; scaled by `scale` to stay whole. */
function feeWithin(chunks: readonly Sized[], vsize: number): { readonly fee: bigint; readonly over: bigint } {
  let left = vsize;
  let fee = 0n;
  for (const chunk of chunks) {
    if (chunk.vsize > left)
      return { fee: fee * BigInt(chunk.vsize) + chunk.fee * BigInt(left), over: BigInt(chunk.vsize) };
    left -= chunk.vsize;
    fee += chunk.fee;
  }
  return { fee, over: 1n };
}

/** True when at every size `after` earns at least what `before` does, and somewhere more. */
function improves(before: readonly Sized[], after: readonly Sized[]): boolean {
  const sorted = (chunks: readonly Sized[]): Sized[] => [...chunks].sort((a, b) => (compareRates(b, a) > 0n ? 1 : -1));
  const [old, fresh] = [sorted(before), sorted(after)];
  const ends = [old, fresh].flatMap((chunks) => {
    let end = 0;
    return chunks.map((chunk) => (end += chunk.vsize));
  });
  let isBetter = false;
  for (const end of ends) {
    const a = feeWithin(old, end);
    const b = feeWithin(fresh, end);
    const difference = b.fee * a.over - a.fee * b.over;
    if (difference < 0n) return false;
    if (difference > 0n) isBetter = true;
  }
  return isBetter;
}

/** Everything around `txid` in the mempool, which must be it alone or a parent and its child, in that order. */
function pairOf(pool: Mempool, txid: Txid): readonly MempoolEntry[] {
  const entry = pool.get(txid)!;
  const cluster = new Set([...pool.ancestorsOf(entry.tx), ...pool.withDescendants([txid])]);
  for (const member of cluster) {
    for (const other of [...pool.parentsOf(member.tx), ...pool.childrenOf(member.txid)]) cluster.add(other);
  }
  check(cluster.size <= 2, 'package RBF failed: replaced transactions have more than one relative', txid);
  return [...cluster];
}

/** The entries that a new parent and child together replace. Refuses when they may not. */
export function checkPackageReplacement(
  { pool, incrementalRate }: Replacement,
  parent: MempoolEntry,
  child: MempoolEntry,
  conflicts: ReadonlySet<Txid>,
): Set<MempoolEntry> {
  if (conflicts.size === 0) return new Set();
  const isNew = pool.parentsOf(parent.tx).length === 0 && pool.parentsOf(child.tx).length === 0;
  check(isNew, 'package RBF failed: new transaction cannot have mempool ancestors');
  const replaced = replacedBy(pool, conflicts);
  const both = sumOf([parent, child]);
  const missing = shortfall(both, replaced, incrementalRate);
  if (missing) reject('package RBF failed: insufficient anti-DoS fees', missing);
  check(compareRates(both, parent) > 0n, 'package RBF failed: package feerate is less than or equal to parent feerate');
  const pairs = new Map([...conflicts].map((txid) => pairOf(pool, txid)).map((pair) => [pair[0]!.txid, pair]));
  const before: Sized[] = [];
  const after: Sized[] = chunksOf(parent, child);
  for (const pair of pairs.values()) {
    const [first, second] = pair;
    before.push(...(second ? chunksOf(first!, second) : [first!]));
    after.push(...pair.filter((entry) => !replaced.has(entry)));
  }
  check(improves(before, after), 'package RBF failed: insufficient feerate: does not improve feerate diagram');
  return replaced;
}

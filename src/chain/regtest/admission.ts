/** The mempool's door: single transactions, and a parent with the child that pays for it. */
import { outpointKey, type Txid } from '../../base/bytes.ts';
import { type Tx, txidOf, weightOf } from '../../bitcoin/tx.ts';
import {
  type Acceptance,
  checkChainLimits,
  checkFeeRate,
  checkNotReplacingAncestor,
  checkScripts,
  conflictsOf,
  examine,
  type Terms,
} from './acceptance.ts';
import { checkDustSpent } from './dust.ts';
import { sumOf } from './fee-rate.ts';
import type { MempoolEntry } from './mempool.ts';
import { type Room, roomFor } from './mempool-limit.ts';
import { check } from './rejection.ts';
import { checkPackageReplacement, checkReplacement } from './replacement.ts';
import { checkTrucFamily, isTruc, siblingToEvict } from './truc.ts';

/** What entering means for the mempool: `entries` come, parents first; `replaced` go, and others to make room. */
export interface Admission {
  readonly entries: readonly MempoolEntry[];
  readonly replaced: ReadonlySet<MempoolEntry>;
  readonly room: Room;
}

const MAX_PACKAGE_WEIGHT = 404_000;

const replacementTerms = ({ pool, minRelayRate }: Acceptance) => ({ pool, incrementalRate: minRelayRate });

const NO_ROOM_NEEDED: Room = { gone: new Set() };

const makeRoom = (
  { pool, maxMempoolVsize, now }: Acceptance,
  entries: readonly MempoolEntry[],
  replaced: ReadonlySet<MempoolEntry>,
): Room => roomFor(pool, entries, replaced, { maxVsize: maxMempoolVsize, now: now() });

/** Decides on one transaction. Refuses by throwing {@link TxRejection}; changes nothing. */
export function admitOne(context: Acceptance, tx: Tx, terms: Terms = {}): Admission {
  const { pool } = context;
  const entry = examine(context, tx, terms);
  const conflicts = conflictsOf(pool, tx);
  if (terms.returning) check(conflicts.size === 0, 'txn-mempool-conflict');
  else {
    checkTrucFamily(
      tx,
      entry.vsize,
      pool.parentsOf(tx).map((parent) => parent.tx),
    );
    const sibling = siblingToEvict(pool, tx, conflicts, true);
    if (sibling) conflicts.add(sibling.txid);
    checkNotReplacingAncestor(pool, tx, conflicts);
  }
  const replaced = checkReplacement(replacementTerms(context), entry, conflicts);
  if (!terms.returning) {
    checkChainLimits(pool, [entry], conflicts, terms.inPackage === true);
    checkDustSpent(tx, (txid) => pool.get(txid)?.tx);
  }
  const room = terms.returning ? NO_ROOM_NEEDED : makeRoom(context, [entry], replaced);
  checkScripts(context, entry);
  return { entries: [entry], replaced, room };
}

/** Refuses two transactions that are not a parent and its child, with no other unconfirmed parent. */
export function checkPair({ pool }: Acceptance, parent: Tx, child: Tx): void {
  check(txidOf(parent) !== txidOf(child), 'package-contains-duplicates');
  check(weightOf(parent) + weightOf(child) <= MAX_PACKAGE_WEIGHT, 'package-too-large');
  const spends = (tx: Tx, txid: Txid): boolean => tx.inputs.some((input) => input.prevout.txid === txid);
  check(!spends(parent, txidOf(child)), 'package-not-sorted');
  const spent = new Set(parent.inputs.map((input) => outpointKey(input.prevout)));
  check(!child.inputs.some((input) => spent.has(outpointKey(input.prevout))), 'conflict-in-package');
  check(spends(child, txidOf(parent)), 'package-not-child-with-parents');
  check(
    pool.parentsOf(child).every((other) => other.txid === txidOf(parent)),
    'package-not-child-with-unconfirmed-parents',
  );
}

/** Decides on a parent that does not pay enough by itself, and the child that pays for both. */
export function admitPair(context: Acceptance, parent: Tx, child: Tx): Admission {
  const { pool } = context;
  const first = examine(context, parent, { packageFee: true });
  const conflicts = conflictsOf(pool, parent);
  const grandparents = pool.parentsOf(parent).map((entry) => entry.tx);
  checkTrucFamily(parent, first.vsize, grandparents);
  siblingToEvict(pool, parent, conflicts, false);
  const second = examine(context, child, { packageFee: true, parent: first });
  for (const txid of conflictsOf(pool, child)) conflicts.add(txid);
  checkTrucFamily(child, second.vsize, [parent]);
  check(!isTruc(child) || grandparents.length === 0, 'TRUC-violation', 'would have too many ancestors');
  const entries = [first, second];
  checkFeeRate(context, sumOf(entries));
  checkChainLimits(pool, entries, conflicts, true);
  for (const { tx } of entries) checkNotReplacingAncestor(pool, tx, conflicts);
  const replaced = checkPackageReplacement(replacementTerms(context), first, second, conflicts);
  const unconfirmed = (txid: Txid): Tx | undefined => (txid === first.txid ? parent : pool.get(txid)?.tx);
  for (const { tx } of entries) checkDustSpent(tx, unconfirmed);
  const room = makeRoom(context, entries, replaced);
  for (const entry of entries) checkScripts(context, entry);
  return { entries, replaced, room };
}

/** Whether one transaction may enter the mempool: bitcoind's checks in bitcoind's order, so that its reasons match. */
import type { Txid } from '../../base/bytes.ts';

import { checkTx } from '../../bitcoin/check-tx.ts';
import { CONSENSUS_FLAGS } from '../../bitcoin/interpreter/verify.ts';
import { sigopCostOf } from '../../bitcoin/sigops.ts';
import { isCoinbase, type Tx, txidOf, weightOf, wtxidOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { Coin, CoinView } from './coin.ts';
import { checkDustFee } from './dust.ts';
import { feeAt, type SatsPerKvb, type Sized, sumOf } from './fee-rate.ts';
import type { Ledger } from './ledger.ts';
import { areSequenceLocksMet, isFinal } from './locks.ts';
import type { Mempool, MempoolEntry } from './mempool.ts';
import { check, reject, rejectFault, rejectFee } from './rejection.ts';
import { coinsOf, feeOf, type ScriptRules, scriptFailure } from './spending.ts';
import { checkStandardInputs, checkStandardTx, checkStandardWitnesses } from './standard.ts';
import { isTruc } from './truc.ts';

/** What acceptance looks at. */
export interface Acceptance {
  readonly secp: Secp;
  readonly rules: ScriptRules;
  readonly ledger: Ledger;
  readonly pool: Mempool;
  /** Below this nothing is relayed, and replacements pay it for themselves again. */
  readonly minRelayRate: SatsPerKvb;
  /** What newcomers pay at least while the mempool is or was full; 0 when it has room. */
  readonly floorRate: () => SatsPerKvb;
  /** Bytes of an OP_RETURN output that are relayed at most. */
  readonly maxDataScript: number;
  /** Virtual bytes that may wait at most. */
  readonly maxMempoolVsize: number;
  readonly now: () => number;
  /** Transactions whose scripts have passed the rules for relay, and thereby every weaker one. */
  readonly verified: WeakSet<Tx>;
}

export interface Terms {
  /** An unconfirmed parent that is not in the mempool yet but would enter together with this one. */
  readonly parent?: MempoolEntry;
  /** The minimum fee is asked of the package and not of each part. */
  readonly packageFee?: boolean;
  /** It came in a package, where bitcoind grants no exceptions from the limits on chains. */
  readonly inPackage?: boolean;
  /** It was in a block: fees, families and chain lengths are no reason to forget it. */
  readonly returning?: boolean;
}

const MAX_SIGOP_COST = 16_000;
const VBYTES_PER_SIGOP = 20;
const MAX_RELATIVES = 25;
const MAX_RELATIVES_VSIZE = 101_000;
/** A second child that is no larger than this may exceed the limits by itself. */
const CARVE_OUT_VSIZE = 10_000;

function checkNew({ ledger, pool }: Acceptance, tx: Tx): void {
  const txid = txidOf(tx);
  const known = pool.get(txid);
  if (known) {
    reject(wtxidOf(known.tx) === wtxidOf(tx) ? 'txn-already-in-mempool' : 'txn-same-nonwitness-data-in-mempool');
  }
  const isKnown = tx.outputs.some((_, vout) => ledger.coin({ txid, vout }));
  check(!isKnown && !ledger.location(txid), 'txn-already-known');
}

function entryOf(tx: Tx, coins: readonly Coin[], fee: bigint, time: number, height: number): MempoolEntry {
  const weight = weightOf(tx);
  const sigopCost = sigopCostOf(tx, coins, CONSENSUS_FLAGS);
  const vsize = Math.ceil(Math.max(weight, sigopCost * VBYTES_PER_SIGOP) / 4);
  return { txid: txidOf(tx), tx, coins, fee, vsize, weight, sigopCost, time, height };
}

/** The entry of a transaction that was accepted before, at `time`. Throws when what it spends is not there. */
export function restoredEntry(context: Acceptance, tx: Tx, time: number): MempoolEntry {
  const coins = coinsOf(tx, coinFor(context));
  context.verified.add(tx);
  return entryOf(tx, coins, feeOf(tx, coins, context.ledger.height + 1), time, context.ledger.height);
}

/** The coin as the next block would find it, unconfirmed parents included. */
function coinFor({ ledger, pool }: Acceptance, parent?: MempoolEntry): CoinView {
  return (outpoint) => {
    const unconfirmed = parent?.txid === outpoint.txid ? parent : pool.get(outpoint.txid);
    const output = unconfirmed?.tx.outputs[outpoint.vout];
    return output ? { ...output, height: ledger.height + 1, isCoinbase: false } : ledger.coin(outpoint);
  };
}

/** Mempool transactions that spend what `tx` spends. */
export const conflictsOf = (pool: Mempool, tx: Tx): Set<Txid> =>
  new Set(tx.inputs.map((input) => pool.spender(input.prevout)?.txid).filter((txid) => txid !== undefined));

/** What enters together pays together, so that it stays in a full mempool and is relayed. */
export function checkFeeRate({ floorRate, minRelayRate }: Acceptance, { fee, vsize }: Sized): void {
  const floor = feeAt(floorRate(), vsize);
  if (fee < floor) rejectFee('mempool min fee not met', `${fee} < ${floor}`);
  const minimum = feeAt(minRelayRate, vsize);
  if (fee < minimum) rejectFee('min relay fee not met', `${fee} < ${minimum}`);
}

/**
 * Everything but family, replacement and scripts. Refuses by throwing {@link TxRejection}; returns what would enter.
 */
export function examine(context: Acceptance, tx: Tx, terms: Terms = {}): MempoolEntry {
  const { ledger, minRelayRate, maxDataScript } = context;
  rejectFault(checkTx(tx));
  check(!isCoinbase(tx), 'coinbase');
  checkStandardTx(tx, maxDataScript);
  check(isFinal(tx, ledger), 'non-final');
  checkNew(context, tx);
  const coins = coinsOf(tx, coinFor(context, terms.parent));
  check(areSequenceLocksMet(tx, coins, ledger), 'non-BIP68-final');
  const fee = feeOf(tx, coins, ledger.height + 1);
  checkStandardInputs(tx, coins);
  checkStandardWitnesses(tx, coins);
  const entry = entryOf(tx, coins, fee, context.now(), ledger.height);
  const { sigopCost, vsize } = entry;
  check(sigopCost <= MAX_SIGOP_COST, 'bad-txns-too-many-sigops', String(sigopCost));
  if (!terms.returning) {
    checkDustFee(tx, fee);
    const minimum = feeAt(minRelayRate, vsize);
    // Only a version 3 parent can count on the child that pays for it to stay, so only it may pay less.
    if (fee < minimum && !isTruc(tx)) reject('min relay fee not met', `${fee} < ${minimum}`);
    if (!terms.packageFee) checkFeeRate(context, entry);
  }
  return entry;
}

interface ChainLimits {
  readonly ancestors: number;
  readonly descendants: number;
  readonly descendantsVsize: number;
}

/** What is wrong with the chains that `added` would be part of, if anything. */
function chainFault(pool: Mempool, added: readonly MempoolEntry[], limits: ChainLimits): string | undefined {
  const ancestors = new Set(added.flatMap((part) => [...pool.ancestorsOf(part.tx)]));
  const fault = (relatives: Iterable<MempoolEntry>, whose: string, most: number, mostVsize: number) => {
    const all = new Set([...relatives, ...added]);
    const { vsize } = sumOf(all);
    return all.size > most || vsize > mostVsize ? `${all.size} ${whose} of ${vsize} virtual bytes` : undefined;
  };
  const above = fault(ancestors, 'ancestors', limits.ancestors, MAX_RELATIVES_VSIZE);
  if (above) return above;
  for (const { txid } of ancestors) {
    const family = pool.withDescendants([txid]);
    const below = fault(family, `descendants of ${txid}`, limits.descendants, limits.descendantsVsize);
    if (below) return below;
  }
  return undefined;
}

/**
 * No long or heavy chains of unconfirmed transactions. `added` enter together, parents first. What they replace still
 * counts, but as in bitcoind a single transaction replaced makes room for its like, and a small child of a parent with
 * no other ancestors may be one more than the limit, so that each of two parties can pay for a transaction of both.
 * Neither holds where `isStrict`.
 */
export function checkChainLimits(
  pool: Mempool,
  added: readonly MempoolEntry[],
  conflicts: ReadonlySet<Txid>,
  isStrict: boolean,
): void {
  const room = !isStrict && conflicts.size === 1 ? [...pool.withDescendants(conflicts)] : [];
  const limits: ChainLimits = {
    ancestors: MAX_RELATIVES,
    descendants: MAX_RELATIVES + Math.min(room.length, 1),
    descendantsVsize: MAX_RELATIVES_VSIZE + sumOf(room).vsize,
  };
  const fault = chainFault(pool, added, limits);
  if (!fault) return;
  const [{ tx, vsize }] = added as [MempoolEntry];
  const carveOut = {
    ancestors: 2,
    descendants: limits.descendants + 1,
    descendantsVsize: limits.descendantsVsize + CARVE_OUT_VSIZE,
  };
  const isCarvedOut = !isStrict && !isTruc(tx) && vsize <= CARVE_OUT_VSIZE && !chainFault(pool, added, carveOut);
  check(isCarvedOut, 'too-long-mempool-chain', fault);
}

/** A transaction cannot depend on what it replaces. */
export function checkNotReplacingAncestor(pool: Mempool, tx: Tx, conflicts: ReadonlySet<Txid>): void {
  for (const ancestor of pool.ancestorsOf(tx)) {
    check(!conflicts.has(ancestor.txid), 'bad-txns-spends-conflicting-tx', ancestor.txid);
  }
}

/** The scripts of every input, under bitcoind's stricter rules for what it relays. */
export function checkScripts({ secp, rules, verified }: Acceptance, { tx, coins }: MempoolEntry): void {
  if (verified.has(tx)) return;
  const failure = scriptFailure(secp, tx, coins, rules.standard);
  if (failure) reject('mempool-script-verify-flag-failed', failure);
  verified.add(tx);
}

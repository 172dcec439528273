/** Calls that bring transactions to the mempool, or ask whether it would take them. */
import type { Txid } from '../../../base/bytes.ts';
import { parseTx, type Tx, type TxOut, txidOf, vsizeOf, wtxidOf } from '../../../bitcoin/tx.ts';
import { isUnspendable } from '../coin.ts';
import { feeAt, rateOf, type SatsPerKvb, type Sized, sumOf } from '../fee-rate.ts';
import type { MempoolEntry } from '../mempool.ts';
import { check, TxRejection } from '../rejection.ts';
import type { Arguments } from './arguments.ts';
import { demand, RpcError } from './error.ts';
import { btcJson, type Json } from './json.ts';
import { type Method, method, type RpcContext } from './method.ts';

const MAX_PACKAGE_COUNT = 25;
/** 0.10 BTC per 1,000 virtual bytes. */
const DEFAULT_MAX_RATE = 10_000_000n;
const MAX_RATE = 100_000_000n;

/** A transaction in hex. Throws `RpcError`. */
export function decodeTx(hex: Json, complaint = 'TX decode failed. Make sure the tx has at least one input.'): Tx {
  try {
    if (typeof hex === 'string') return parseTx(hex);
  } catch {
    // Told below, as what is no text at all.
  }
  throw new RpcError('decode', complaint);
}

/** 0 for no limit. */
function maxRateOf(args: Arguments): SatsPerKvb {
  const rate = args.amount('maxfeerate', DEFAULT_MAX_RATE);
  demand(rate < MAX_RATE, 'invalidParameter', 'Fee rates larger than or equal to 1BTC/kvB are not accepted');
  return rate as SatsPerKvb;
}

const isTooDear = (rate: SatsPerKvb, tx: Tx, fee: bigint): boolean => rate > 0n && fee > feeAt(rate, vsizeOf(tx));

function checkBurns(args: Arguments, txs: readonly Tx[]): void {
  const most = args.amount('maxburnamount', 0n);
  const isBurnt = (output: TxOut): boolean => isUnspendable(output) && output.value > most;
  demand(
    !txs.some((tx) => tx.outputs.some(isBurnt)),
    'verify',
    `Unspendable output exceeds maximum configured by user (maxburnamount)`,
  );
}

function packageOf(args: Arguments, name: string): readonly Tx[] {
  const hexes = args.array(name);
  demand(
    hexes.length >= 1 && hexes.length <= MAX_PACKAGE_COUNT,
    'invalidParameter',
    `Array must contain between 1 and ${MAX_PACKAGE_COUNT} transactions.`,
  );
  return hexes.map((hex) =>
    decodeTx(hex, `TX decode failed: ${String(hex).slice(0, 100)} Make sure the tx has at least one input.`),
  );
}

const feesJson = (entry: MempoolEntry, together: Sized, members: readonly Tx[]) => ({
  base: btcJson(entry.fee),
  'effective-feerate': btcJson(rateOf(together)),
  'effective-includes': members.map(wtxidOf),
});

export function packageCalls({ chain, node }: RpcContext): readonly Method[] {
  const { pool } = node;
  const idsOf = (tx: Tx) => ({ txid: txidOf(tx), wtxid: wtxidOf(tx) });

  const refusedJson = (tx: Tx, { reason, detail }: { readonly reason: string; readonly detail: string }) => ({
    ...idsOf(tx),
    allowed: false,
    // The one reason that has a word of its own here.
    'reject-reason': reason === 'bad-txns-inputs-missingorspent' ? 'missing-inputs' : reason,
    'reject-details': detail,
  });

  const allowedJson = (entry: MempoolEntry) => ({
    ...idsOf(entry.tx),
    allowed: true,
    vsize: entry.vsize,
    fees: feesJson(entry, entry, [entry.tx]),
  });

  /** Tries one after the other, each on top of those before it. Replacing is for single transactions. */
  function tryInOrder(txs: readonly Tx[], maxRate: SatsPerKvb): object[] {
    const results: object[] = [];
    const added: MempoolEntry[] = [];
    let isOver = false;
    try {
      for (const tx of txs) {
        if (isOver) {
          results.push(idsOf(tx));
          continue;
        }
        try {
          const { entries, replaced } = node.tryOne(tx);
          check(txs.length === 1 || replaced.size === 0, 'bip125-replacement-disallowed');
          const [entry] = entries;
          isOver = isTooDear(maxRate, tx, entry!.fee);
          results.push(
            isOver ? refusedJson(tx, { reason: 'max-fee-exceeded', detail: 'max-fee-exceeded' }) : allowedJson(entry!),
          );
          if (isOver || txs.length === 1) continue;
          pool.add(entry!);
          added.unshift(entry!);
        } catch (error) {
          if (!(error instanceof TxRejection)) throw error;
          isOver = true;
          results.push(refusedJson(tx, { reason: error.reason, detail: error.message }));
        }
      }
      return results;
    } finally {
      for (const entry of added) pool.remove(entry.txid);
    }
  }

  function checkFee(tx: Tx, maxRate: SatsPerKvb): void {
    if (maxRate === 0n || pool.has(txidOf(tx))) return;
    const { fee } = node.tryOne(tx).entries[0]!;
    demand(
      !isTooDear(maxRate, tx, fee),
      'verify',
      'Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)',
    );
  }

  interface Submission {
    readonly before: ReadonlySet<Txid>;
    readonly refusals: ReadonlyMap<Tx, TxRejection>;
  }

  /** Parents that pay for themselves enter on their own; the last one that does not goes in with the child. */
  function submitAll(txs: readonly Tx[]): ReadonlyMap<Tx, TxRejection> {
    const refusals = new Map<Tx, TxRejection>();
    const attempt = (tx: Tx, work: () => void): void => {
      try {
        work();
      } catch (error) {
        if (!(error instanceof TxRejection)) throw error;
        refusals.set(tx, error);
      }
    };
    const child = txs.at(-1)!;
    const parents = txs.slice(0, -1).filter((tx) => !pool.has(txidOf(tx)));
    for (const parent of parents.slice(0, -1)) attempt(parent, () => node.accept(parent));
    const last = parents.at(-1);
    if (refusals.size > 0 || pool.has(txidOf(child))) return refusals;
    attempt(child, () => (last ? node.acceptPair(last, child) : node.accept(child)));
    const refusal = refusals.get(child);
    if (last && refusal && !pool.has(txidOf(last))) refusals.set(last, refusal);
    return refusals;
  }

  function submittedJson(tx: Tx, { before, refusals }: Submission, paidTogether: readonly MempoolEntry[]) {
    const txid = txidOf(tx);
    const entry = pool.get(txid);
    const refusal = refusals.get(tx);
    if (!entry) return { txid, error: refusal?.message ?? 'package-not-validated' };
    if (before.has(txid)) return { txid, vsize: entry.vsize, fees: { base: btcJson(entry.fee) } };
    const together = paidTogether.includes(entry) ? paidTogether : [entry];
    return {
      txid,
      vsize: entry.vsize,
      fees: feesJson(
        entry,
        sumOf(together),
        together.map((one) => one.tx),
      ),
    };
  }

  function submitPackage(txs: readonly Tx[]) {
    const before = new Set([...pool.entries()].map(({ txid }) => txid));
    const refusals = submitAll(txs);
    const entered = txs
      .map((tx) => pool.get(txidOf(tx)))
      .filter((entry) => entry !== undefined && !before.has(entry.txid));
    const pair = entered.slice(-2) as readonly MempoolEntry[];
    const isJoint = pair.length === 2 && pair[0]!.fee < feeAt(node.minRelayRate, pair[0]!.vsize);
    const results = txs.map((tx) => [wtxidOf(tx), submittedJson(tx, { before, refusals }, isJoint ? pair : [])]);
    return {
      package_msg: txs.every((tx) => pool.has(txidOf(tx))) ? 'success' : 'transaction failed',
      'tx-results': Object.fromEntries(results),
      'replaced-transactions': [...before].filter((txid) => !pool.has(txid)),
    };
  }

  return [
    method('sendrawtransaction hexstring [maxfeerate] [maxburnamount]', 'Broadcasts a transaction.', async (args) => {
      const tx = decodeTx(args.string('hexstring'));
      const maxRate = maxRateOf(args);
      checkBurns(args, [tx]);
      checkFee(tx, maxRate);
      return chain.broadcast(tx);
    }),
    method('testmempoolaccept rawtxs [maxfeerate]', 'Would the mempool take these, in this order?', (args) => {
      const txs = packageOf(args, 'rawtxs');
      return tryInOrder(txs, maxRateOf(args));
    }),
    method(
      'submitpackage package [maxfeerate] [maxburnamount]',
      'Broadcasts a child, which comes last, with its unconfirmed parents.',
      (args) => {
        const txs = packageOf(args, 'package');
        maxRateOf(args);
        checkBurns(args, txs);
        return submitPackage(txs);
      },
    ),
  ];
}

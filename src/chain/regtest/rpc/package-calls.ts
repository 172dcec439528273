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
import { isChildWithParents, packageFault } from './package-shape.ts';

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

  const refusedJson = (tx: Tx, { reason, message }: Pick<TxRejection, 'reason' | 'message'>) => ({
    ...idsOf(tx),
    allowed: false,
    // The one reason that has a word of its own here, and needs no more of them.
    ...(reason === 'bad-txns-inputs-missingorspent'
      ? { 'reject-reason': 'missing-inputs' }
      : { 'reject-reason': reason, 'reject-details': message }),
  });

  const allowedJson = (entry: MempoolEntry) => ({
    ...idsOf(entry.tx),
    allowed: true,
    vsize: entry.vsize,
    fees: feesJson(entry, entry, [entry.tx]),
  });

  /** Tries one after the other, each on top of those before it, until one is refused. */
  function tryPackage(txs: readonly Tx[], maxRate: SatsPerKvb): object[] {
    const added: MempoolEntry[] = [];
    try {
      for (const tx of txs) {
        const { entries, replaced } = node.tryOne(tx);
        check(replaced.size === 0, 'bip125-replacement-disallowed');
        pool.add(entries[0]!);
        added.push(entries[0]!);
      }
    } catch (error) {
      if (!(error instanceof TxRejection)) throw error;
      const refused = txs[added.length]!;
      return txs.map((tx) => (tx === refused ? refusedJson(tx, error) : idsOf(tx)));
    } finally {
      for (const entry of added.toReversed()) pool.remove(entry.txid);
    }
    return capped(added, maxRate);
  }

  function tryOne(tx: Tx, maxRate: SatsPerKvb): object[] {
    try {
      return capped(node.tryOne(tx).entries, maxRate);
    } catch (error) {
      if (!(error instanceof TxRejection)) throw error;
      return [refusedJson(tx, error)];
    }
  }

  /** All are allowed, but the caller may find one too dear, and wants to hear nothing of those after it. */
  function capped(entries: readonly MempoolEntry[], maxRate: SatsPerKvb): object[] {
    const dear = entries.findIndex(({ tx, fee }) => isTooDear(maxRate, tx, fee));
    return entries.map((entry, i) => {
      if (dear < 0 || i < dear) return allowedJson(entry);
      const { tx } = entry;
      return i > dear ? idsOf(tx) : { ...idsOf(tx), allowed: false, 'reject-reason': 'max-fee-exceeded' };
    });
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

  /** Parents that pay for themselves enter on their own; one that does not goes in with the child. */
  function submitAll(txs: readonly Tx[]): ReadonlyMap<Tx, TxRejection> {
    const refusals = new Map<Tx, TxRejection>();
    const attempt = (tx: Tx, work: () => void): void => {
      try {
        work();
        refusals.delete(tx);
      } catch (error) {
        if (!(error instanceof TxRejection)) throw error;
        refusals.set(tx, error);
      }
    };
    const child = txs.at(-1)!;
    const parents = txs.slice(0, -1).filter((tx) => !pool.has(txidOf(tx)));
    for (const parent of parents) attempt(parent, () => node.accept(parent));
    const [poor, ...others] = [...refusals];
    if (pool.has(txidOf(child)) || others.length > 0 || (poor && !poor[1].isReconsiderable)) return refusals;
    attempt(child, () => (poor ? node.acceptPair(poor[0], child) : node.accept(child)));
    if (poor && pool.has(txidOf(poor[0]))) refusals.delete(poor[0]);
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
      checkBurns(args, [tx]);
      const maxRate = maxRateOf(args);
      const isConfirmed = tx.outputs.some((_, vout) => node.ledger.coin({ txid: txidOf(tx), vout }));
      demand(!isConfirmed, 'alreadyInChain', 'Transaction outputs already in utxo set');
      checkFee(tx, maxRate);
      return chain.broadcast(tx);
    }),
    method('testmempoolaccept rawtxs [maxfeerate]', 'Would the mempool take these, in this order?', (args) => {
      const txs = packageOf(args, 'rawtxs');
      const maxRate = maxRateOf(args);
      if (txs.length === 1) return tryOne(txs[0]!, maxRate);
      const fault = packageFault(txs);
      return fault ? txs.map((tx) => ({ ...idsOf(tx), 'package-error': fault })) : tryPackage(txs, maxRate);
    }),
    method(
      'submitpackage package [maxfeerate] [maxburnamount]',
      'Broadcasts a child, which comes last, with its unconfirmed parents.',
      (args) => {
        const txs = packageOf(args, 'package');
        maxRateOf(args);
        demand(
          txs.length === 1 || isChildWithParents(txs),
          'verify',
          'package topology disallowed. not child-with-parents or parents depend on each other.',
        );
        checkBurns(args, txs);
        return submitPackage(txs);
      },
    ),
  ];
}

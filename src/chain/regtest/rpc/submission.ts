/** What `submitpackage` does and answers: parents and their child enter the mempool, as many as may. */
import type { Txid } from '../../../base/bytes.ts';
import { type Tx, txidOf, wtxidOf } from '../../../bitcoin/tx.ts';
import type { CoinView } from '../coin.ts';
import { feeAt, type SatsPerKvb } from '../fee-rate.ts';
import type { MempoolEntry } from '../mempool.ts';
import type { RegtestNode } from '../node.ts';
import { TxRejection } from '../rejection.ts';
import { coinsOf, feeOf } from '../spending.ts';
import { btcJson } from './json.ts';
import { feesJson, isTooDear } from './package-fee.ts';

type Refusals = ReadonlyMap<Tx, TxRejection>;

/** What `work` refuses by. */
function refusalOf(work: () => void): TxRejection | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof TxRejection) return error;
    throw error;
  }
}

/** Coins as they are once the whole package has entered. */
function packageView({ pool, ledger }: RegtestNode, txs: readonly Tx[]): CoinView {
  const members = new Map(txs.map((tx) => [txidOf(tx), tx]));
  return (outpoint) => {
    const parent = members.get(outpoint.txid) ?? pool.get(outpoint.txid)?.tx;
    const output = parent?.outputs[outpoint.vout];
    return output ? { ...output, height: ledger.height + 1, isCoinbase: false } : ledger.coin(outpoint);
  };
}

/** `undefined` where it spends what is not there, which is for the mempool to say. */
function feeIn(node: RegtestNode, tx: Tx, view: CoinView): bigint | undefined {
  try {
    return feeOf(tx, coinsOf(tx, view), node.ledger.height + 1);
  } catch (error) {
    if (error instanceof TxRejection) return undefined;
    throw error;
  }
}

/** What is wrong when the caller did not mean to pay so much for some; nothing is to enter then. */
function tooDear(node: RegtestNode, txs: readonly Tx[], limit: SatsPerKvb): Refusals {
  const view = packageView(node, txs);
  const dear = txs.filter((tx) => isTooDear(limit, tx, feeIn(node, tx, view) ?? 0n));
  const parents = dear.length > 0 ? txs.slice(0, -1).filter((tx) => !dear.includes(tx)) : [];
  const refusals = new Map(dear.map((tx) => [tx, new TxRejection('max feerate exceeded', '', false)]));
  for (const tx of parents) {
    const refusal = refusalOf(() => node.tryOne(tx));
    if (refusal) refusals.set(tx, refusal);
  }
  return refusals;
}

/** Parents that pay for themselves enter on their own; one that does not goes in with the child. */
function enter(node: RegtestNode, txs: readonly Tx[]): Refusals {
  const isIn = (tx: Tx): boolean => node.pool.has(txidOf(tx));
  const refusals = new Map<Tx, TxRejection>();
  const attempt = (tx: Tx, work: () => void): void => {
    const refusal = refusalOf(work);
    if (refusal) refusals.set(tx, refusal);
  };
  const child = txs.at(-1)!;
  for (const parent of txs.slice(0, -1))
    if (!isIn(parent)) attempt(parent, () => node.accept(parent, { inPackage: true }));
  const [poor, ...others] = [...refusals];
  const isHopeless = others.length > 0 || (poor !== undefined && !poor[1].isReconsiderable);
  if (isIn(child) || isHopeless) return refusals;
  attempt(child, () => (poor ? node.acceptPair(poor[0], child) : node.accept(child, { inPackage: true })));
  return refusals;
}

interface Outcome {
  readonly before: ReadonlySet<Txid>;
  readonly refusals: Refusals;
  /** Those whose fees counted as one. */
  readonly together: readonly MempoolEntry[];
}

function resultJson({ pool }: RegtestNode, tx: Tx, { before, refusals, together }: Outcome) {
  const txid = txidOf(tx);
  const entry = pool.get(txid);
  if (!entry) return { txid, error: refusals.get(tx)?.message ?? 'package-not-validated' };
  if (before.has(txid)) return { txid, vsize: entry.vsize, fees: { base: btcJson(entry.fee) } };
  return { txid, vsize: entry.vsize, fees: feesJson(entry, together.includes(entry) ? together : [entry]) };
}

/** `txs` are a child, which comes last, and its parents, or one alone. */
export function submitPackage(node: RegtestNode, txs: readonly Tx[], limit: SatsPerKvb) {
  const { pool } = node;
  const before = new Set([...pool.entries()].map(({ txid }) => txid));
  const dear = tooDear(node, txs, limit);
  const refusals = dear.size > 0 ? dear : enter(node, txs);
  const entered = txs.map((tx) => pool.get(txidOf(tx))).filter((entry) => entry !== undefined);
  const poor = entered.find(({ txid, fee, vsize }) => !before.has(txid) && fee < feeAt(node.minRelayRate, vsize));
  const together = poor ? [poor, entered.at(-1)!] : [];
  const results = txs.map((tx) => [wtxidOf(tx), resultJson(node, tx, { before, refusals, together })]);
  return {
    package_msg: entered.length === txs.length ? 'success' : 'transaction failed',
    'tx-results': Object.fromEntries(results),
    'replaced-transactions': [...before].filter((txid) => !pool.has(txid)),
  };
}

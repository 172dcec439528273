/** What `testmempoolaccept` answers: whether the mempool would take transactions, which stay outside. */
import { type Tx, txidOf, wtxidOf } from '../../../bitcoin/tx.ts';
import type { SatsPerKvb } from '../fee-rate.ts';
import type { MempoolEntry } from '../mempool.ts';
import type { RegtestNode } from '../node.ts';
import { check, TxRejection } from '../rejection.ts';
import { feesJson, isTooDear } from './package-fee.ts';
import { packageFault } from './package-shape.ts';

const idsOf = (tx: Tx) => ({ txid: txidOf(tx), wtxid: wtxidOf(tx) });

const refusedJson = (tx: Tx, { reason, message }: TxRejection) => ({
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
  fees: feesJson(entry, [entry]),
});

/** The mempool would take all, but the caller may find one too dear, and hears no verdict on those after it. */
function allowedJsons(entries: readonly MempoolEntry[], limit: SatsPerKvb): object[] {
  const dear = entries.findIndex(({ tx, fee }) => isTooDear(limit, tx, fee));
  return entries.map((entry, i) => {
    if (dear < 0 || i < dear) return allowedJson(entry);
    const ids = idsOf(entry.tx);
    return i > dear ? ids : { ...ids, allowed: false, 'reject-reason': 'max-fee-exceeded' };
  });
}

function tryOne(node: RegtestNode, tx: Tx, limit: SatsPerKvb): object[] {
  try {
    return allowedJsons(node.tryOne(tx).entries, limit);
  } catch (error) {
    if (!(error instanceof TxRejection)) throw error;
    return [refusedJson(tx, error)];
  }
}

/** Each is tried on top of those before it, until one is refused. */
function tryInOrder(node: RegtestNode, txs: readonly Tx[], limit: SatsPerKvb): object[] {
  const added: MempoolEntry[] = [];
  try {
    for (const tx of txs) {
      const { entries, replaced } = node.tryOne(tx);
      check(replaced.size === 0, 'bip125-replacement-disallowed');
      node.pool.add(entries[0]!);
      added.push(entries[0]!);
    }
  } catch (error) {
    if (!(error instanceof TxRejection)) throw error;
    const refused = txs[added.length]!;
    return txs.map((tx) => (tx === refused ? refusedJson(tx, error) : idsOf(tx)));
  } finally {
    for (const entry of added.toReversed()) node.pool.remove(entry.txid);
  }
  return allowedJsons(added, limit);
}

export function tryPackage(node: RegtestNode, txs: readonly Tx[], limit: SatsPerKvb): object[] {
  if (txs.length === 1) return tryOne(node, txs[0]!, limit);
  const fault = packageFault(txs);
  return fault ? txs.map((tx) => ({ ...idsOf(tx), 'package-error': fault })) : tryInOrder(node, txs, limit);
}

/** What waits in the mempool, as bitcoind prints it. */
import { compare, type Txid } from '../../../base/bytes.ts';
import { SEQUENCE_LOCKTIME, type Tx, txidBytes, wtxidOf } from '../../../bitcoin/tx.ts';
import { sumOf } from '../fee-rate.ts';
import type { Mempool, MempoolEntry } from '../mempool.ts';
import { btcJson } from './json.ts';

/** BIP125: announces by a sequence number that it may be replaced. */
const signals = (tx: Tx): boolean => tx.inputs.some(({ sequence }) => sequence < SEQUENCE_LOCKTIME);

const idsOf = (entries: readonly MempoolEntry[]): Txid[] => entries.map(({ txid }) => txid);

export function entryJson(pool: Mempool, entry: MempoolEntry) {
  const ancestors = [entry, ...pool.ancestorsOf(entry.tx)];
  const descendants = [...pool.withDescendants([entry.txid])];
  const above = sumOf(ancestors);
  const below = sumOf(descendants);
  return {
    vsize: entry.vsize,
    weight: entry.weight,
    time: entry.time,
    height: entry.height,
    descendantcount: descendants.length,
    descendantsize: below.vsize,
    ancestorcount: ancestors.length,
    ancestorsize: above.vsize,
    wtxid: wtxidOf(entry.tx),
    fees: {
      base: btcJson(entry.fee),
      modified: btcJson(entry.fee),
      ancestor: btcJson(above.fee),
      descendant: btcJson(below.fee),
    },
    depends: idsOf(pool.parentsOf(entry.tx)).sort(),
    spentby: idsOf(pool.childrenOf(entry.txid)).sort((a, b) => compare(txidBytes(a), txidBytes(b))),
    'bip125-replaceable': ancestors.some(({ tx }) => signals(tx)),
    unbroadcast: false,
  };
}

/** What waits in the mempool, as bitcoind prints it. */
import { compare, type Txid } from '../../../base/bytes.ts';
import { SEQUENCE_LOCKTIME, type Tx, txidBytes, wtxidOf } from '../../../bitcoin/tx.ts';
import { compareRates, sumOf } from '../fee-rate.ts';
import type { Mempool, MempoolEntry } from '../mempool.ts';
import { btcJson } from './json.ts';

/** BIP125: announces by a sequence number that it may be replaced. */
const signals = (tx: Tx): boolean => tx.inputs.some(({ sequence }) => sequence < SEQUENCE_LOCKTIME);

const idsOf = (entries: readonly MempoolEntry[]): Txid[] => entries.map(({ txid }) => txid);
const compareIds = (a: Txid, b: Txid): number => compare(txidBytes(a), txidBytes(b));

/** The order in which bitcoind keeps sets of transactions: by the bytes of their ids as they are serialized. */
export const inIdOrder = (entries: Iterable<MempoolEntry>): MempoolEntry[] =>
  [...entries].sort((a, b) => compareIds(a.txid, b.txid));

/** The order in which bitcoind lists the mempool: few ancestors first, among equals those that pay best. */
export function inDepthOrder(pool: Mempool): MempoolEntry[] {
  const depths = new Map([...pool.entries()].map((entry) => [entry, pool.ancestorsOf(entry.tx).size]));
  return [...depths.keys()].sort(
    (a, b) => depths.get(a)! - depths.get(b)! || Number(compareRates(b, a)) || compareIds(b.txid, a.txid),
  );
}

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
    spentby: idsOf(inIdOrder(pool.childrenOf(entry.txid))),
    'bip125-replaceable': ancestors.some(({ tx }) => signals(tx)),
    unbroadcast: false,
  };
}

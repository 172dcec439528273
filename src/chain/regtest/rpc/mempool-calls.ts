/** Calls that show the mempool. */

import type { MempoolEntry } from '../mempool.ts';
import type { Arguments } from './arguments.ts';
import { demand } from './error.ts';
import { btcJson } from './json.ts';
import { entryJson, inDepthOrder, inIdOrder } from './mempool-json.ts';
import { type Method, method, type RpcContext } from './method.ts';

/** Bytes: bitcoind's default limit, which is not enforced here. */
const MAX_MEMPOOL = 300_000_000;

export function mempoolCalls({ node }: RpcContext): readonly Method[] {
  const { pool } = node;

  function entryOf(args: Arguments): MempoolEntry {
    const entry = pool.get(args.hash('txid'));
    demand(entry, 'notFound', 'Transaction not in mempool');
    return entry;
  }

  const listJson = (entries: readonly MempoolEntry[], isVerbose: boolean) =>
    isVerbose
      ? Object.fromEntries(entries.map((entry) => [entry.txid, entryJson(pool, entry)]))
      : entries.map(({ txid }) => txid);

  const relatives = (name: string, help: string, find: (entry: MempoolEntry) => Iterable<MempoolEntry>): Method =>
    method(`${name} txid [verbose]`, help, (args) =>
      listJson(inIdOrder(find(entryOf(args))), args.bool('verbose', false)),
    );

  return [
    method('getmempoolinfo', 'The size of the mempool and what it asks for.', () => {
      const { count, vsize, fee } = pool.totals;
      const rate = btcJson(node.minRelayRate);
      return {
        loaded: true,
        size: count,
        bytes: vsize,
        usage: vsize,
        total_fee: btcJson(fee),
        maxmempool: MAX_MEMPOOL,
        mempoolminfee: rate,
        minrelaytxfee: rate,
        incrementalrelayfee: rate,
        unbroadcastcount: 0,
        fullrbf: true,
      };
    }),
    method('getrawmempool [verbose] [mempool_sequence]', 'What waits, parents before children.', (args) => {
      const isVerbose = args.bool('verbose', false);
      const isNumbered = args.bool('mempool_sequence', false);
      demand(!isVerbose || !isNumbered, 'invalidParameter', 'Verbose results cannot contain mempool sequence values.');
      const list = listJson(inDepthOrder(pool), isVerbose);
      return isNumbered ? { txids: list, mempool_sequence: node.changes } : list;
    }),
    method('getmempoolentry txid', 'One waiting transaction.', (args) => entryJson(pool, entryOf(args))),
    relatives('getmempoolancestors', 'What a waiting transaction depends on.', ({ tx }) => pool.ancestorsOf(tx)),
    relatives('getmempooldescendants', 'What depends on a waiting transaction.', ({ txid }) =>
      [...pool.withDescendants([txid])].filter((entry) => entry.txid !== txid),
    ),
  ];
}

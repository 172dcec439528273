/** Calls that show the mempool. */

import type { Outpoint } from '../../../base/bytes.ts';
import type { MempoolEntry } from '../mempool.ts';
import { Arguments, type Parameter } from './arguments.ts';
import { demand } from './error.ts';
import { btcJson, isJsonObject, type Json, kindOf } from './json.ts';
import { entryJson, inDepthOrder, inIdOrder } from './mempool-json.ts';
import { type Method, method, type RpcContext } from './method.ts';

/** What bitcoind says of its memory; here the limit is one of virtual bytes. */
const MAX_MEMPOOL = 300_000_000;

const OUTPOINT: readonly Parameter[] = ['txid', 'vout'].map((name) => ({ names: [name], isRequired: true }));

function outpointOf(value: Json): Outpoint {
  demand(isJsonObject(value), 'type', `JSON value of type ${kindOf(value)} is not of expected type object`);
  const parts = new Arguments(OUTPOINT, value, 'an output has a txid and a vout');
  const vout = parts.int('vout');
  demand(vout >= 0, 'invalidParameter', 'Invalid parameter, vout cannot be negative');
  return { txid: parts.hash('txid'), vout };
}

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
        mempoolminfee: btcJson(node.minEntryRate),
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
    method('gettxspendingprevout outputs', 'Which waiting transactions spend these outputs.', (args) =>
      args
        .array('outputs')
        .map(outpointOf)
        .map((outpoint) => {
          const spender = pool.spender(outpoint);
          return { ...outpoint, ...(spender && { spendingtxid: spender.txid }) };
        }),
    ),
    method('getmempoolentry txid', 'One waiting transaction.', (args) => entryJson(pool, entryOf(args))),
    relatives('getmempoolancestors', 'What a waiting transaction depends on.', ({ tx }) => pool.ancestorsOf(tx)),
    relatives('getmempooldescendants', 'What depends on a waiting transaction.', ({ txid }) =>
      [...pool.withDescendants([txid])].filter((entry) => entry.txid !== txid),
    ),
  ];
}

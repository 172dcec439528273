/** Fetches what entered the node's mempool, with all that our own mempool wants to know of it. */
import { fromHex, type Txid } from '../../base/bytes.ts';
import { parseBtc } from '../../base/units.ts';
import { CONSENSUS_FLAGS } from '../../bitcoin/interpreter/flags.ts';
import { sigopCostOf } from '../../bitcoin/sigops.ts';
import { parseTx, type Tx, weightOf } from '../../bitcoin/tx.ts';
import type { Coin } from '../regtest/coin.ts';
import type { Mempool, MempoolEntry } from '../regtest/mempool.ts';
import type { RpcClient } from './client.ts';
import { RpcError } from './rpc-error.ts';

interface EntryJson {
  readonly vsize: number;
  readonly time: number;
  readonly height: number;
  readonly fees: { readonly base: number };
}

interface CoinJson {
  readonly value: number;
  readonly confirmations: number;
  readonly coinbase: boolean;
  readonly scriptPubKey: { readonly hex: string };
}

interface Arrival {
  readonly txid: Txid;
  readonly tx: Tx;
  readonly entry: EntryJson;
}

/** bitcoind prints amounts as decimals of bitcoin, which a double holds to the satoshi. */
const satsOf = (amount: number): bigint => parseBtc(amount.toFixed(8));

/** Raw transactions and their mempool entries; those that left meanwhile are missing. */
async function fetchTxs(client: RpcClient, txids: readonly Txid[]): Promise<Arrival[]> {
  const raws = await client.batch<string>(txids.map((txid) => ({ method: 'getrawtransaction', params: [txid] })));
  const entries = await client.batch<EntryJson>(txids.map((txid) => ({ method: 'getmempoolentry', params: [txid] })));
  const found: Arrival[] = [];
  for (const [i, txid] of txids.entries()) {
    const raw = raws[i]!;
    const entry = entries[i]!;
    if (!(raw instanceof RpcError || entry instanceof RpcError)) found.push({ txid, tx: parseTx(raw), entry });
  }
  return found;
}

/** Parents before children. */
function sortByFamily(arrivals: readonly Arrival[]): readonly Arrival[] {
  const waiting = new Map(arrivals.map((arrival) => [arrival.txid, arrival]));
  const sorted: Arrival[] = [];
  for (const { txid } of arrivals) {
    const stack = [txid];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const arrival = waiting.get(top);
      const parents = arrival?.tx.inputs.map((input) => input.prevout.txid).filter((parent) => waiting.has(parent));
      if (parents?.length) {
        stack.push(...parents);
        continue;
      }
      if (arrival) sorted.push(arrival);
      waiting.delete(top);
      stack.pop();
    }
  }
  return sorted;
}

/**
 * Entries for those of `txids` that `pool` lacks, parents first, in a chain whose tip is at `height`. One whose coins
 * cannot all be found, because a block just spent them, is left out, and so is what depends on it.
 */
export async function fetchArrivals(
  client: RpcClient,
  pool: Mempool,
  txids: readonly Txid[],
  height: number,
): Promise<readonly MempoolEntry[]> {
  const arrivals = sortByFamily(
    await fetchTxs(
      client,
      txids.filter((txid) => !pool.has(txid)),
    ),
  );
  const unconfirmed = new Map(arrivals.map(({ txid, tx }) => [txid, tx]));
  const parentOf = (txid: Txid): Tx | undefined => unconfirmed.get(txid) ?? pool.get(txid)?.tx;

  const asked = arrivals.flatMap(({ tx }) => tx.inputs).filter((input) => !parentOf(input.prevout.txid));
  const answers = await client.batch<CoinJson | null>(
    asked.map(({ prevout }) => ({ method: 'gettxout', params: [prevout.txid, prevout.vout, false] })),
  );
  const confirmed = new Map(asked.map((input, i) => [input, answers[i]!]));

  const entries: MempoolEntry[] = [];
  for (const { txid, tx, entry } of arrivals) {
    const coins = tx.inputs.map((input): Coin | undefined => {
      const { prevout } = input;
      const output = parentOf(prevout.txid)?.outputs[prevout.vout];
      if (output) return { ...output, height: height + 1, isCoinbase: false };
      const coin = confirmed.get(input);
      if (!coin || coin instanceof RpcError) return undefined;
      const { value, confirmations, coinbase, scriptPubKey } = coin;
      const script = fromHex(scriptPubKey.hex);
      return { value: satsOf(value), script, height: height + 1 - confirmations, isCoinbase: coinbase };
    });
    if (!coins.every((coin) => coin !== undefined)) {
      unconfirmed.delete(txid);
      continue;
    }
    entries.push({
      txid,
      tx,
      coins,
      fee: satsOf(entry.fees.base),
      vsize: entry.vsize,
      weight: weightOf(tx),
      sigopCost: sigopCostOf(tx, coins, CONSENSUS_FLAGS),
      time: entry.time,
      height: entry.height,
    });
  }
  return entries;
}

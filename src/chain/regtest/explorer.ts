/** The embedded node as an explorer sees it. */
import type { Txid } from '../../base/bytes.ts';
import { blockWeight, serializeBlock } from '../../bitcoin/block.ts';
import { isCoinbase, txidOf } from '../../bitcoin/tx.ts';
import type { ChainTx } from '../chain.ts';
import type { BlockSummary, Explorer, ScriptTotals } from '../explorer.ts';
import { mempoolActivity } from '../mempool-view.ts';
import type { ChainBlock, Location } from './ledger.ts';
import type { RegtestNode } from './node.ts';
import type { View } from './view.ts';

const NOTHING: ScriptTotals = { fundedCount: 0, fundedSum: 0n, spentCount: 0, spentSum: 0n };

const summaryOf = ({ hash, height, block, medianTime }: ChainBlock): BlockSummary => ({
  hash,
  height,
  header: block.header,
  medianTime,
  txids: block.txs.map(txidOf),
  size: serializeBlock(block).length,
  weight: blockWeight(block),
});

const isBefore = (a: Location, b: Location): boolean =>
  a.block.height < b.block.height || (a.block.height === b.block.height && a.index < b.index);

export function createExplorer(node: RegtestNode, view: View): Explorer {
  const { ledger, pool } = node;

  /** How many entries of a history, which is in the chain's order, stand before `txid`. */
  function positionOf(history: readonly Txid[], txid: Txid): number {
    const location = ledger.location(txid);
    let low = 0;
    let high = location ? history.length : 0;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(ledger.location(history[middle]!)!, location!)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    network: 'regtest',
    tip: async () => view.tip(),
    blockHash: async (height) => ledger.at(height)?.hash,
    async block(hash) {
      const block = ledger.find(hash);
      return block && summaryOf(block);
    },
    async rawBlock(hash) {
      const block = ledger.find(hash);
      return block && serializeBlock(block.block);
    },
    transaction: async (txid) => view.transaction(txid),
    async prevouts(tx) {
      if (isCoinbase(tx)) return [];
      const location = ledger.location(txidOf(tx));
      return location
        ? location.block.spent[location.index]!
        : (pool.get(txidOf(tx))?.coins ?? tx.inputs.map((input) => view.output(input.prevout)));
    },
    spender: async (outpoint) => view.spender(outpoint),
    async activity(script) {
      const record = ledger.script(script);
      const confirmed = { ...(record?.totals ?? NOTHING), txCount: record?.history.length ?? 0 };
      return { confirmed, mempool: mempoolActivity(pool, script) };
    },
    async history(script, limit, after) {
      const history = ledger.script(script)?.history ?? [];
      const end = after === undefined ? history.length : positionOf(history, after);
      return history
        .slice(Math.max(0, end - limit), end)
        .reverse()
        .map((txid) => view.transaction(txid)!);
    },
    unconfirmed: async (script) => [...pool.touching(script)].reverse().map((txid): ChainTx => view.transaction(txid)!),
    unspentOf: async (script) => view.unspent(script),
    mempool: async () => [...pool.entries()],
    mempoolTx: async (txid) => pool.get(txid),
    feeRate: async (targetBlocks) => view.feeRate(targetBlocks),
  };
}

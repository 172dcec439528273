/** A real node as an explorer sees it. What came before the first block of the index is unknown to it. */
import { join } from '../../base/bytes.ts';
import type { FeeRate } from '../../base/units.ts';
import type { Network } from '../../bitcoin/address.ts';
import { serializeHeader } from '../../bitcoin/block.ts';
import { compactSize } from '../../bitcoin/reader.ts';
import { isCoinbase, txidOf } from '../../bitcoin/tx.ts';
import type { Explorer } from '../explorer.ts';
import { mempoolActivity } from '../mempool-view.ts';
import type { Follower } from './follower.ts';
import { outputOf, spenderOf, transactionOf, unspentOf } from './view.ts';

export function createExplorer(
  network: Network,
  { read }: Pick<Follower, 'read'>,
  feeRate: (targetBlocks: number) => Promise<FeeRate>,
): Explorer {
  return {
    network,
    feeRate,
    tip: () => read(async ({ tip }) => tip),
    blockHash: (height) => read(async ({ index }) => (await index.hashes(height, height)).get(height)),
    block: (hash) => read(({ index }) => index.block(hash)),
    rawBlock: (hash) =>
      read(async ({ index }) => {
        const block = await index.block(hash);
        if (!block) return undefined;
        const txs = await index.blockTxs(block.height);
        return join([serializeHeader(block.header), compactSize(txs.length), ...txs.map(({ raw }) => raw)]);
      }),
    transaction: (txid) => read((known) => transactionOf(known, txid)),
    prevouts: (tx) =>
      read(async (known) => {
        if (isCoinbase(tx)) return [];
        const coins = known.pool.get(txidOf(tx))?.coins;
        return coins ?? Promise.all(tx.inputs.map((input) => outputOf(known, input.prevout)));
      }),
    spender: (outpoint) => read((known) => spenderOf(known, outpoint)),
    activity: (script) =>
      read(async ({ index, pool }) => ({
        confirmed: await index.activity(script),
        mempool: mempoolActivity(pool, script),
      })),
    history: (script, limit, after) => read(({ index }) => index.history(script, limit, after)),
    unconfirmed: (script) =>
      read(async ({ pool }) => [...pool.touching(script)].reverse().map((txid) => ({ txid, tx: pool.get(txid)!.tx }))),
    unspentOf: (script) => read((known) => unspentOf(known, script)),
    mempool: () => read(async ({ pool }) => [...pool.entries()]),
    mempoolTx: (txid) => read(async ({ pool }) => pool.get(txid)),
  };
}

/** Finds out how the node's chain differs from the index, and fetches what is new. */
import { type Block, blockHash, parseBlock } from '../../bitcoin/block.ts';
import { NodeError } from '../node-error.ts';
import { RPC_ERROR } from '../rpc-error.ts';
import { demand, type RpcClient } from './client.ts';
import { type ChainInfo, checkPruned } from './health.ts';
import type { IndexReads, IndexTip } from './index-reads.ts';
import type { IndexedBlock } from './index-writes.ts';
import { RpcError } from './rpc-error.ts';

/** From the height `fork` on, blocks of the index make way for `added`, lowest first. */
export interface ChainChange {
  readonly fork: number;
  readonly added: readonly IndexedBlock[];
}

/** How many blocks are compared, or fetched, at once. */
const COMPARED = 50;

/** The height of the highest block that index and node have in common. */
async function findFork(client: RpcClient, index: IndexReads, tip: IndexTip): Promise<number> {
  for (let to: number = tip.height; to >= tip.lowest; to -= COMPARED) {
    const from = Math.max(tip.lowest, to - COMPARED + 1);
    const ours = await index.hashes(from, to);
    const heights = [...ours.keys()].sort((a, b) => b - a);
    const theirs = await client.batch<string>(heights.map((height) => ({ method: 'getblockhash', params: [height] })));
    const shared = heights.find((height, i) => theirs[i] === ours.get(height));
    if (shared !== undefined) return shared;
  }
  throw new NodeError(
    'NODE_FOREIGN_CHAIN',
    `the node has another chain than the index, which begins at block ${tip.lowest}: remove the index or use its node`,
  );
}

/**
 * What has to happen to an index with this tip, at most `limit` new blocks of it. `undefined` when the node's chain
 * changed while it was read, so that one should look again.
 */
export async function fetchChange(
  client: RpcClient,
  index: IndexReads,
  start: { readonly tip: IndexTip } | { readonly from: number },
  info: ChainInfo,
  limit: number,
): Promise<ChainChange | undefined> {
  const fork = 'tip' in start ? await findFork(client, index, start.tip) : start.from - 1;
  const count = Math.min(limit, info.blocks - fork);
  if (count > 0) checkPruned(info, fork + 1);
  const heights = Array.from({ length: Math.max(0, count) }, (_, i) => fork + 1 + i);
  const hashes = await client.batch<string>(heights.map((height) => ({ method: 'getblockhash', params: [height] })));
  if (hashes.some((hash) => hash instanceof RpcError)) return undefined;
  const headers = await client.batch<{ mediantime: number }>(
    hashes.map((hash) => ({ method: 'getblockheader', params: [hash] })),
  );
  const blocks = (await fetchBlocks(client, hashes as string[])).map(parseBlock);
  const added = demand(headers).map(({ mediantime }, i) => ({
    height: heights[i]!,
    block: blocks[i]!,
    medianTime: mediantime,
  }));
  const below = 'tip' in start ? (await index.hashes(fork, fork)).get(fork) : undefined;
  return isLinked(blocks, below) ? { fork, added } : undefined;
}

async function fetchBlocks(client: RpcClient, hashes: readonly string[]): Promise<string[]> {
  const answers = await client.batch<string>(hashes.map((hash) => ({ method: 'getblock', params: [hash, 0] })));
  const refused = answers.find((answer) => answer instanceof RpcError);
  if (refused && refused.code === RPC_ERROR.misc) {
    throw new NodeError('NODE_PRUNED', `the node has not kept a block that is needed: ${refused.message}`);
  }
  return demand(answers);
}

/** True when each block stands on the one before it, and the first on `below` where that is known. */
const isLinked = (blocks: readonly Block[], below: string | undefined): boolean =>
  blocks.every(({ header }, i) => {
    const previous = i === 0 ? below : blockHash(blocks[i - 1]!.header);
    return previous === undefined || header.previous === previous;
  });

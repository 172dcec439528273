/** Read-only answers about VTXOs, batches and their transactions. */
import type { OutpointKey, Txid } from '../../base/bytes.ts';
import { createRecent } from '../../runtime/recent.ts';
import type { AssetId } from '../protocol/asset-packet.ts';
import type { ArkContext } from './context.ts';
import { type Asset, assetsById } from './store/assets.ts';
import {
  type Batch,
  batchByCommitment,
  batchLeaves,
  forfeitTxids,
  type Page,
  type TreeName,
  type TreeShape,
  treeShape,
} from './store/batches.ts';
import { sweepsOf } from './store/sweeps.ts';
import { virtualTxsByTxid } from './store/virtual-txs.ts';
import { type Vtxo, type VtxoQuery, vtxosByOutpoint, vtxosByScript } from './store/vtxos.ts';
import { type VtxoChain, walkChain } from './vtxo-chain.ts';

export interface Indexer {
  vtxosByScript(query: VtxoQuery): Promise<{ vtxos: Vtxo[]; total: number }>;
  vtxosByOutpoint(outpoints: readonly OutpointKey[]): Promise<Vtxo[]>;
  /**
   * From the transaction that made the VTXO back to its commitments, or at least the first `limit` of that. Throws
   * `VTXO_NOT_FOUND`.
   */
  chainOf(outpoint: OutpointKey, limit: number): Promise<VtxoChain>;
  /** PSBTs (base64) of off-chain transactions; ids nobody knows are left out. */
  virtualTxs(txids: readonly Txid[]): Promise<string[]>;
  commitment(txid: string): Promise<Batch | undefined>;
  tree(commitmentTxid: string, tree: TreeName, page: Page): Promise<{ txs: TreeShape[]; total: number }>;
  leaves(commitmentTxid: string, page: Page): Promise<{ leaves: Vtxo[]; total: number }>;
  sweeps(commitmentTxid: string): Promise<Txid[]>;
  asset(id: AssetId): Promise<Asset | undefined>;
  forfeits(commitmentTxid: string, page: Page): Promise<{ txids: Txid[]; total: number }>;
}

/** How long a chain is remembered, and how many transactions of such chains in all. */
const CHAIN_AGE_MS = 10_000;
const MOST_RECENT_TXS = 50_000;

export function createIndexer(ctx: ArkContext): Indexer {
  const { db } = ctx;

  /** Chains that somebody may be reading page by page. A chain never changes, but its VTXO may be undone with its batch. */
  const recent = createRecent<OutpointKey, VtxoChain>({
    clock: ctx.clock,
    ageMs: CHAIN_AGE_MS,
    mostWeight: MOST_RECENT_TXS,
    weigh: ({ txs }) => txs.length,
  });

  return {
    async chainOf(outpoint, limit) {
      const known = recent.get(outpoint);
      if (known) return known;
      const chain = await walkChain(db, outpoint, limit);
      if (!chain.more) recent.set(outpoint, chain);
      return chain;
    },
    leaves: (txid, page) => batchLeaves(db, txid, page),
    vtxosByScript: (query) => vtxosByScript(db, query),
    vtxosByOutpoint: (outpoints) => vtxosByOutpoint(db, outpoints),
    async virtualTxs(txids) {
      const found = await virtualTxsByTxid(db, txids);
      return txids.map((txid) => found.get(txid)).filter((psbt) => psbt !== undefined);
    },
    commitment: (txid) => batchByCommitment(db, txid),
    tree: (txid, tree, page) => treeShape(db, txid, tree, page),
    sweeps: async (txid) => (await sweepsOf(db, txid)).map((sweep) => sweep.txid),
    asset: async (id) => (await assetsById(db, [id])).get(id),
    forfeits: (txid, page) => forfeitTxids(db, txid, page),
  };
}

/** Read-only answers about VTXOs, batches and their transactions. */
import type { OutpointKey, Txid } from '../../base/bytes.ts';
import { demand } from '../protocol/errors.ts';
import type { ArkContext } from './context.ts';
import {
  type Batch,
  batchByCommitment,
  forfeitPsbtByTxid,
  forfeitTxids,
  type Page,
  type TreeName,
  type TreeTx,
  treeTxById,
  treeTxs,
} from './store/batches.ts';
import { checkpointById, checkpointsOf, offchainTxById } from './store/offchain.ts';
import { sweepsOf } from './store/sweeps.ts';
import { type Vtxo, type VtxoQuery, vtxosByOutpoint, vtxosByScript, vtxosByTxid } from './store/vtxos.ts';

export type ChainedTxType = 'COMMITMENT' | 'ARK' | 'TREE' | 'CHECKPOINT';

/** One transaction between a VTXO and the chain. */
export interface ChainedTx {
  readonly txid: Txid;
  readonly type: ChainedTxType;
  readonly expiresAt: number;
  /** What it spends: txids, or for a checkpoint the outpoint of its VTXO. */
  readonly spends: readonly string[];
}

export interface Indexer {
  vtxosByScript(query: VtxoQuery): Promise<{ vtxos: Vtxo[]; total: number }>;
  vtxosByOutpoint(outpoints: readonly OutpointKey[]): Promise<Vtxo[]>;
  /** From the transaction that made the VTXO back to its commitments. Throws `VTXO_NOT_FOUND`. */
  chainOf(outpoint: OutpointKey): Promise<readonly ChainedTx[]>;
  /** PSBTs (base64) of off-chain transactions; ids nobody knows are left out. */
  virtualTxs(txids: readonly string[]): Promise<string[]>;
  commitment(txid: string): Promise<Batch | undefined>;
  tree(commitmentTxid: string, tree: TreeName, page: Page): Promise<{ txs: TreeTx[]; total: number }>;
  leaves(commitmentTxid: string): Promise<Vtxo[]>;
  sweeps(commitmentTxid: string): Promise<Txid[]>;
  forfeits(commitmentTxid: string, page: Page): Promise<{ txids: Txid[]; total: number }>;
}

export function createIndexer(ctx: ArkContext): Indexer {
  const { db } = ctx;

  /** Breadth first: each hop is an ark transaction and its checkpoints, until a batch's tree is reached. */
  async function chainOf(outpoint: OutpointKey): Promise<ChainedTx[]> {
    const [start] = await vtxosByOutpoint(db, [outpoint]);
    demand(start && start.origin !== 'note', 'VTXO_NOT_FOUND', `${outpoint} is no VTXO`, { vtxo_outpoint: outpoint });
    const chain: ChainedTx[] = [];
    const seen = new Set<string>();
    const add = (tx: ChainedTx): void => {
      if (!seen.has(tx.txid)) chain.push(tx);
      seen.add(tx.txid);
    };
    let generation: Vtxo[] = [start];
    while (generation.length > 0) {
      const parents: OutpointKey[] = [];
      for (const vtxo of generation) {
        if (seen.has(vtxo.txid)) continue;
        if (vtxo.origin === 'batch') await addBranch(vtxo, add);
        else parents.push(...(await addHop(vtxo, add)));
      }
      generation = await vtxosByOutpoint(db, [...new Set(parents)]);
    }
    // Commitments come last: everything else stands between them and the VTXO.
    return [...chain.filter((tx) => tx.type !== 'COMMITMENT'), ...chain.filter((tx) => tx.type === 'COMMITMENT')];
  }

  async function addHop({ txid, expiresAt }: Vtxo, add: (tx: ChainedTx) => void): Promise<OutpointKey[]> {
    const checkpoints = await checkpointsOf(db, txid);
    add({ txid, type: 'ARK', expiresAt, spends: checkpoints.map((checkpoint) => checkpoint.txid) });
    for (const checkpoint of checkpoints) {
      add({ txid: checkpoint.txid, type: 'CHECKPOINT', expiresAt, spends: [checkpoint.outpoint] });
    }
    return checkpoints.map((checkpoint) => checkpoint.outpoint);
  }

  async function addBranch({ txid, expiresAt }: Vtxo, add: (tx: ChainedTx) => void): Promise<void> {
    let node = await treeTxById(db, txid);
    while (node) {
      add({ txid: node.txid, type: 'TREE', expiresAt, spends: [node.parentTxid] });
      if (node.parentTxid === node.commitmentTxid) {
        add({ txid: node.commitmentTxid, type: 'COMMITMENT', expiresAt, spends: [] });
      }
      node = await treeTxById(db, node.parentTxid);
    }
  }

  async function virtualTx(txid: string): Promise<string | undefined> {
    return (
      (await offchainTxById(db, txid))?.psbt ??
      (await checkpointById(db, txid))?.psbt ??
      (await treeTxById(db, txid))?.psbt ??
      (await forfeitPsbtByTxid(db, txid))
    );
  }

  async function leaves(commitmentTxid: string): Promise<Vtxo[]> {
    const { txs } = await treeTxs(db, commitmentTxid, 'vtxo', { limit: Number.MAX_SAFE_INTEGER, offset: 0 });
    const ends = txs.filter((tx) => Object.keys(tx.children).length === 0);
    return (await Promise.all(ends.map((tx) => vtxosByTxid(db, tx.txid)))).flat();
  }

  return {
    chainOf,
    leaves,
    vtxosByScript: (query) => vtxosByScript(db, query),
    vtxosByOutpoint: (outpoints) => vtxosByOutpoint(db, outpoints),
    virtualTxs: async (txids) => (await Promise.all(txids.map(virtualTx))).filter((psbt) => psbt !== undefined),
    commitment: (txid) => batchByCommitment(db, txid),
    tree: (txid, tree, page) => treeTxs(db, txid, tree, page),
    sweeps: async (txid) => (await sweepsOf(db, txid)).map((sweep) => sweep.txid),
    forfeits: (txid, page) => forfeitTxids(db, txid, page),
  };
}

/** The IndexerService calls (`/v1/indexer`). */
import type { Txid } from '../../base/bytes.ts';
import { demand } from '../protocol/errors.ts';
import { IndexerService } from '../wire/gen/ark/v1/indexer_pb.ts';
import {
  assetId,
  commaTexts,
  type Fields,
  flag,
  malformed,
  message,
  outpoint,
  type PageRequest,
  pageBounds,
  pageRequest,
  pageResponse,
  requiredText,
  scriptHex,
  text,
  texts,
  txid,
  whole,
} from '../wire/request.ts';
import { wireVtxo } from '../wire/vtxo.ts';
import type { Door } from './door.ts';
import type { Indexer } from './indexer.ts';
import type { TreeName } from './store/batches.ts';
import type { VtxoFilter } from './store/vtxos.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Rows where a request leaves the page size open, as clients of this API expect them. */
const PAGE_SIZE = { vtxos: 100, tree: 300, forfeits: 500, chain: 100, virtualTxs: 100 } as const;
/** Without a page everything is returned, up to here. */
const UNPAGED = 100_000;
const MAX_SCRIPTS = 1_000;

const FILTERS: Readonly<Record<string, VtxoFilter>> = {
  spendableOnly: 'spendable',
  spentOnly: 'spent',
  recoverableOnly: 'recoverable',
  renewableOnly: 'renewable',
  pendingOnly: 'pending',
};

function filterOf(request: Fields): VtxoFilter {
  const chosen = Object.entries(FILTERS).filter(([name]) => flag(request, name));
  if (chosen.length > 1) throw malformed('filters are mutually exclusive');
  return chosen[0]?.[1] ?? 'all';
}

const boundsOf = (page: PageRequest | undefined, size: number) =>
  page ? pageBounds(page, size) : { limit: UNPAGED, offset: 0 };

/** A slice of a list that is in memory anyway. */
function slice<T>(list: readonly T[], page: PageRequest | undefined, size: number) {
  const { limit, offset } = boundsOf(page, size);
  return { items: list.slice(offset, offset + limit), page: pageResponse(page, limit, list.length) };
}

const txidOf = (request: Fields): Txid => txid(text(request, 'txid'));

/** Only output 0 of a commitment holds a batch. */
function batchOf(request: Fields): Txid | undefined {
  const batch = message(request, 'batchOutpoint');
  const id = txidOf(batch);
  return whole(batch.vout, 'vout') === 0 ? id : undefined;
}

export function mountIndexerApi(door: Door, indexer: Indexer, subscriptions: Subscriptions): void {
  async function tree(id: Txid, name: TreeName, request: Fields) {
    const page = pageRequest(request);
    const bounds = boundsOf(page, PAGE_SIZE.tree);
    const found = await indexer.tree(id, name, bounds);
    const nodes = found.txs.map((tx) => ({ txid: tx.txid, children: tx.children }));
    return { nodes, page: pageResponse(page, bounds.limit, found.total) };
  }

  door.serve(IndexerService, {
    async getCommitmentTx(request) {
      const id = txidOf(request);
      const batch = await indexer.commitment(id);
      demand(batch?.state === 'final', 'TX_NOT_FOUND', `commitment tx ${id} not found`, { txid: id });
      const { summary } = batch;
      const totals = { totalOutputAmount: `${summary.vtxoAmount}`, totalOutputVtxos: summary.vtxoCount };
      const inBatch = { ...totals, expiresAt: `${batch.expiresAt}`, swept: batch.swept };
      return {
        startedAt: `${batch.startedAt}`,
        endedAt: `${batch.endedAt}`,
        batches: summary.vtxoCount > 0 ? { '0': inBatch } : {},
        totalInputAmount: `${summary.inputAmount}`,
        totalInputVtxos: summary.inputCount,
        ...totals,
      };
    },
    async getConnectors(request) {
      const { nodes, page } = await tree(txidOf(request), 'connector', request);
      return { connectors: nodes, page };
    },
    async getForfeitTxs(request) {
      const page = pageRequest(request);
      const bounds = boundsOf(page, PAGE_SIZE.forfeits);
      const { txids, total } = await indexer.forfeits(txidOf(request), bounds);
      return { txids, page: pageResponse(page, bounds.limit, total) };
    },
    async getVtxoTree(request) {
      const id = batchOf(request);
      if (!id) return { vtxoTree: [], page: null };
      const { nodes, page } = await tree(id, 'vtxo', request);
      return { vtxoTree: nodes, page };
    },
    async getVtxoTreeLeaves(request) {
      const id = batchOf(request);
      if (!id) return { leaves: [], page: null };
      const page = pageRequest(request);
      const bounds = boundsOf(page, PAGE_SIZE.tree);
      const { leaves, total } = await indexer.leaves(id, bounds);
      return {
        leaves: leaves.map((vtxo) => ({ txid: vtxo.txid, vout: vtxo.vout })),
        page: pageResponse(page, bounds.limit, total),
      };
    },
    async getBatchSweepTransactions(request) {
      const id = batchOf(request);
      return { sweptBy: id ? await indexer.sweeps(id) : [] };
    },

    async getVtxos(request) {
      const scripts = commaTexts(request, 'scripts').map(scriptHex);
      const outpoints = commaTexts(request, 'outpoints').map(outpoint);
      if (scripts.length > 0 && outpoints.length > 0) throw malformed('either scripts or outpoints');
      if (scripts.length === 0 && outpoints.length === 0) throw malformed('missing scripts or outpoints');
      if (scripts.length > MAX_SCRIPTS || outpoints.length > MAX_SCRIPTS)
        throw malformed(`at most ${MAX_SCRIPTS} at once`);
      const page = pageRequest(request);
      if (outpoints.length > 0) {
        const found = slice(await indexer.vtxosByOutpoint(outpoints), page, PAGE_SIZE.vtxos);
        return { vtxos: found.items.map(wireVtxo), page: found.page };
      }
      const bounds = boundsOf(page, PAGE_SIZE.vtxos);
      const [after, before] = [whole(request.after, 'after'), whole(request.before, 'before')];
      if (before > 0 && after > before) throw malformed('after must not be later than before');
      const found = await indexer.vtxosByScript({ scripts, filter: filterOf(request), after, before, ...bounds });
      return { vtxos: found.vtxos.map(wireVtxo), page: pageResponse(page, bounds.limit, found.total) };
    },
    async getVtxoChain(request) {
      const { txid, vout } = message(request, 'outpoint');
      const chain = await indexer.chainOf(outpoint(`${txid}:${vout ?? 0}`), UNPAGED);
      const { items, page } = slice(chain.txs, pageRequest(request), PAGE_SIZE.chain);
      return {
        chain: items.map((tx) => ({
          txid: tx.txid,
          expiresAt: `${tx.expiresAt}`,
          type: `INDEXER_CHAINED_TX_TYPE_${tx.type}` as const,
          spends: tx.spends,
        })),
        page,
        authToken: '',
        nextPageToken: '',
      };
    },
    async getVirtualTxs(request) {
      const txids = commaTexts(request, 'txids').map(txid);
      if (txids.length > MAX_SCRIPTS) throw malformed(`at most ${MAX_SCRIPTS} at once`);
      const { items, page } = slice(txids, pageRequest(request), PAGE_SIZE.virtualTxs);
      return { txs: await indexer.virtualTxs(items), page, authToken: '' };
    },
    async getAsset(request) {
      const id = assetId(text(request, 'assetId'));
      const asset = await indexer.asset(id);
      demand(asset, 'ASSET_NOT_FOUND', `there is no asset ${id}`, { asset_id: id });
      const { supply, metadata, controlAsset = '' } = asset;
      return { assetId: id, supply: `${supply}`, metadata, controlAsset };
    },

    subscribeForScripts(request) {
      const scripts = texts(request, 'scripts').map(scriptHex);
      if (scripts.length === 0) throw malformed('missing scripts');
      return { subscriptionId: subscriptions.subscribe(scripts, text(request, 'subscriptionId') || undefined) };
    },
    unsubscribeForScripts(request) {
      subscriptions.unsubscribe(requiredText(request, 'subscriptionId'), texts(request, 'scripts').map(scriptHex));
      return {};
    },
    getSubscription(request, { open }) {
      const id = text(request, 'subscriptionId');
      subscriptions.attach(id, open).send({ subscriptionStarted: { subscriptionId: id } });
    },
  });
}

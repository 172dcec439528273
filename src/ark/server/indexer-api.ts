/** The IndexerService calls (`/v1/indexer`). */
import { type OutpointKey, parseOutpoint, type Txid } from '../../base/bytes.ts';
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
  requiredMessage,
  requiredText,
  scriptHex,
  text,
  texts,
  txid,
  whole,
} from '../wire/request.ts';
import { wireVtxo } from '../wire/vtxo.ts';
import type { Access, Proven } from './access.ts';
import type { Door } from './door.ts';
import type { Indexer } from './indexer.ts';
import { parsePageToken, printPageToken } from './page-token.ts';
import type { TreeName } from './store/batches.ts';
import type { VtxoFilter } from './store/vtxos.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Rows where a request leaves the page size open, as clients of this API expect them. */
const PAGE_SIZE = { vtxos: 100, tree: 300, forfeits: 500, chain: 100, virtualTxs: 100 } as const;
/** Without a page everything is returned, up to here. */
const UNPAGED = 100_000;
/** Of VTXOs, which are wide rows, fewer. */
const UNPAGED_VTXOS = 25_000;
const MAX_SCRIPTS = 1_000;
/** A client asks for the transactions of a whole chain at once. */
const MAX_TXIDS = 20_000;

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

const boundsOf = (page: PageRequest | undefined, size: number, most = UNPAGED) =>
  page ? pageBounds(page, size, most) : { limit: most, offset: 0 };

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

/** A filter replaces the expressions; its scripts are added and removed, or all removed where it names none. */
function changeOf(filter: Fields) {
  const scripts = message(filter, 'scripts');
  const [add, remove] = [texts(scripts, 'add').map(scriptHex), texts(scripts, 'remove').map(scriptHex)];
  const isClearing = Boolean(filter.scripts) && add.length === 0 && remove.length === 0;
  return { add, remove: isClearing ? ('all' as const) : remove, filters: texts(filter, 'expressions') };
}

export function mountIndexerApi(door: Door, indexer: Indexer, subscriptions: Subscriptions, access: Access): void {
  /** Who may read what a request asks for: by a proof, which says what that is and earns a token, or by such a token. */
  async function proven(request: Fields): Promise<Proven | undefined> {
    if (request.intent === undefined || request.intent === null) return undefined;
    const intent = message(request, 'intent');
    return access.prove(requiredText(intent, 'proof'), requiredText(intent, 'message'));
  }

  async function chainFor(request: Fields): Promise<{ readonly outpoint: OutpointKey; readonly token: string }> {
    const proof = await proven(request);
    if (proof) {
      const [only, ...others] = proof.outpoints;
      if (!only || others.length > 0) throw malformed('a chain is that of one VTXO');
      return { outpoint: only, token: proof.token };
    }
    const { txid: id, vout } = message(request, 'outpoint');
    const asked = outpoint(`${id}:${vout ?? 0}`);
    const token = text(request, 'token');
    await access.checkChain(asked, token);
    return { outpoint: asked, token };
  }

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
      const bounds = boundsOf(page, PAGE_SIZE.vtxos, UNPAGED_VTXOS);
      const [after, before] = [whole(request.after, 'after'), whole(request.before, 'before')];
      if (before > 0 && after > before) throw malformed('after must not be later than before');
      const found = await indexer.vtxosByScript({ scripts, filter: filterOf(request), after, before, ...bounds });
      return { vtxos: found.vtxos.map(wireVtxo), page: pageResponse(page, bounds.limit, found.total) };
    },
    async getVtxoChain(request) {
      const pageToken = text(request, 'pageToken');
      if (pageToken !== '' && request.intent) throw malformed('read on by the token, not by the proof');
      const { outpoint: end, token } = await chainFor(request);
      const page = pageToken === '' ? pageRequest(request) : undefined;
      const { limit, offset } =
        pageToken === ''
          ? boundsOf(page, PAGE_SIZE.chain)
          : { limit: boundsOf(pageRequest(request), UNPAGED).limit, offset: parsePageToken(end, pageToken) };
      // The number of pages is that of the whole chain.
      const { txs, more } = await indexer.chainOf(end, page ? UNPAGED : offset + limit);
      const reached = Math.min(offset + limit, txs.length);
      return {
        chain: txs.slice(offset, reached).map((tx) => ({
          txid: tx.txid,
          expiresAt: `${tx.expiresAt}`,
          type: `INDEXER_CHAINED_TX_TYPE_${tx.type}` as const,
          spends: tx.spends,
        })),
        page: pageToken === '' ? pageResponse(page, limit, txs.length) : null,
        authToken: request.intent ? token : '',
        nextPageToken: reached < txs.length || more ? printPageToken(end, reached) : '',
      };
    },
    async getVirtualTxs(request) {
      const proof = await proven(request);
      const asked = proof
        ? proof.outpoints.map((each) => parseOutpoint(each).txid)
        : commaTexts(request, 'txids').map(txid);
      if (asked.length > MAX_TXIDS) throw malformed(`at most ${MAX_TXIDS} at once`);
      const token = proof?.token ?? text(request, 'token');
      const { items, page } = slice(asked, pageRequest(request), PAGE_SIZE.virtualTxs);
      const txs = await access.show(items, token, () => indexer.virtualTxs(items));
      return { txs, page, authToken: proof?.token ?? '' };
    },

    async getAsset(request) {
      const id = assetId(text(request, 'assetId'));
      const asset = await indexer.asset(id);
      demand(asset, 'ASSET_NOT_FOUND', `there is no asset ${id}`, { asset_id: id });
      const { supply, metadata, controlAsset = '' } = asset;
      return { assetId: id, supply: `${supply}`, metadata, controlAsset };
    },

    subscribeForScripts(request, { peer }) {
      const scripts = texts(request, 'scripts').map(scriptHex);
      if (scripts.length === 0) throw malformed('missing scripts');
      const id = text(request, 'subscriptionId') || undefined;
      return { subscriptionId: subscriptions.change(id, { add: scripts }, peer) };
    },
    unsubscribeForScripts(request) {
      subscriptions.unsubscribe(requiredText(request, 'subscriptionId'), texts(request, 'scripts').map(scriptHex));
      return {};
    },
    getSubscription(request, { open, peer }) {
      const { add, filters } = changeOf(message(request, 'filter'));
      const id = text(request, 'subscriptionId') || subscriptions.change(undefined, { add, filters }, peer);
      subscriptions.attach(id, open).send({ subscriptionStarted: { subscriptionId: id } });
    },
    updateSubscription(request, { peer }) {
      const id = requiredText(request, 'subscriptionId');
      subscriptions.change(id, changeOf(requiredMessage(request, 'filter')), peer);
      return {};
    },
  });
}

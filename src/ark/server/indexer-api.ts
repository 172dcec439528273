/** The IndexerService calls (`/v1/indexer`). */
import type { Context } from 'hono';
import { openStream } from '../../runtime/sse.ts';
import { demand } from '../protocol/errors.ts';
import { heartbeat } from '../wire/batch-events.ts';
import {
  malformed,
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
import { INDEXER_ROUTES } from '../wire/routes.ts';
import { wireVtxo } from '../wire/vtxo.ts';
import type { ArkContext } from './context.ts';
import { bodyOf, type Door } from './door.ts';
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

const pageOf = (c: Context): PageRequest | undefined => pageRequest((name) => c.req.query(name));
const listOf = (c: Context, name: string): string[] =>
  (c.req.queries(name) ?? []).flatMap((value) => value.split(',')).filter((value) => value !== '');

function filterOf(c: Context): VtxoFilter {
  const chosen = Object.entries(FILTERS).filter(([name]) => c.req.query(name) === 'true');
  if (chosen.length > 1) throw malformed('filters are mutually exclusive');
  return chosen[0]?.[1] ?? 'all';
}

/** A slice of a list that is in memory anyway. */
function slice<T>(list: readonly T[], page: PageRequest | undefined, size: number) {
  const { limit, offset } = page ? pageBounds(page, size) : { limit: UNPAGED, offset: 0 };
  return { items: list.slice(offset, offset + limit), page: pageResponse(page, limit, list.length) };
}

export function mountIndexerApi(door: Door, ctx: ArkContext, indexer: Indexer, subscriptions: Subscriptions): void {
  async function vtxos(c: Context): Promise<object> {
    const [scripts, outpoints] = [listOf(c, 'scripts').map(scriptHex), listOf(c, 'outpoints').map(outpoint)];
    if (scripts.length > 0 && outpoints.length > 0) throw malformed('either scripts or outpoints');
    if (scripts.length === 0 && outpoints.length === 0) throw malformed('missing scripts or outpoints');
    if (scripts.length > MAX_SCRIPTS || outpoints.length > MAX_SCRIPTS)
      throw malformed(`at most ${MAX_SCRIPTS} at once`);
    const page = pageOf(c);
    if (outpoints.length > 0) {
      const found = slice(await indexer.vtxosByOutpoint(outpoints), page, PAGE_SIZE.vtxos);
      return { vtxos: found.items.map(wireVtxo), page: found.page };
    }
    const bounds = page ? pageBounds(page, PAGE_SIZE.vtxos) : { limit: UNPAGED, offset: 0 };
    const [after, before] = [whole(c.req.query('after'), 'after'), whole(c.req.query('before'), 'before')];
    if (before > 0 && after > before) throw malformed('after must not be later than before');
    const found = await indexer.vtxosByScript({ scripts, filter: filterOf(c), after, before, ...bounds });
    return { vtxos: found.vtxos.map(wireVtxo), page: pageResponse(page, bounds.limit, found.total) };
  }

  async function commitmentTx(c: Context): Promise<object> {
    const id = txid(c.req.param('txid')!);
    const batch = await indexer.commitment(id);
    demand(batch?.state === 'final', 'TX_NOT_FOUND', `commitment tx ${id} not found`, { txid: id });
    const { summary } = batch;
    const totals = {
      totalOutputAmount: `${summary.vtxoAmount}`,
      totalOutputVtxos: summary.vtxoCount,
    };
    return {
      startedAt: `${batch.startedAt}`,
      endedAt: `${batch.endedAt}`,
      batches: summary.vtxoCount > 0 ? { '0': { ...totals, expiresAt: `${batch.expiresAt}`, swept: batch.swept } } : {},
      totalInputAmount: `${summary.inputAmount}`,
      totalInputVtxos: summary.inputCount,
      ...totals,
    };
  }

  async function tree(c: Context, name: TreeName) {
    const page = pageOf(c);
    const bounds = page ? pageBounds(page, PAGE_SIZE.tree) : { limit: UNPAGED, offset: 0 };
    const found = await indexer.tree(txid(c.req.param('txid')!), name, bounds);
    const nodes = found.txs.map((tx) => ({ txid: tx.txid, children: tx.children }));
    return { nodes, page: pageResponse(page, bounds.limit, found.total) };
  }

  /** Only output 0 of a commitment holds a batch. */
  const isBatch = (c: Context): boolean => whole(c.req.param('vout'), 'vout') === 0;

  door.on(INDEXER_ROUTES.vtxos, vtxos);
  door.on(INDEXER_ROUTES.commitmentTx, commitmentTx);
  door.on(INDEXER_ROUTES.connectors, async (c) => {
    const { nodes, page } = await tree(c, 'connector');
    return { connectors: nodes, page };
  });
  door.on(INDEXER_ROUTES.forfeitTxs, async (c) => {
    const page = pageOf(c);
    const bounds = page ? pageBounds(page, PAGE_SIZE.forfeits) : { limit: UNPAGED, offset: 0 };
    const { txids, total } = await indexer.forfeits(txid(c.req.param('txid')!), bounds);
    return { txids, page: pageResponse(page, bounds.limit, total) };
  });
  door.on(INDEXER_ROUTES.vtxoTree, async (c) => {
    if (!isBatch(c)) return { vtxoTree: [], page: null };
    const { nodes, page } = await tree(c, 'vtxo');
    return { vtxoTree: nodes, page };
  });
  door.on(INDEXER_ROUTES.vtxoTreeLeaves, async (c) => {
    if (!isBatch(c)) return { leaves: [], page: null };
    const page = pageOf(c);
    const bounds = page ? pageBounds(page, PAGE_SIZE.tree) : { limit: UNPAGED, offset: 0 };
    const { leaves, total } = await indexer.leaves(txid(c.req.param('txid')!), bounds);
    return {
      leaves: leaves.map((vtxo) => ({ txid: vtxo.txid, vout: vtxo.vout })),
      page: pageResponse(page, bounds.limit, total),
    };
  });
  door.on(INDEXER_ROUTES.sweepTxs, async (c) => {
    const id = txid(c.req.param('txid')!);
    return { sweptBy: isBatch(c) ? await indexer.sweeps(id) : [] };
  });
  door.on(INDEXER_ROUTES.vtxoChain, async (c) => {
    const chain = await indexer.chainOf(outpoint(`${c.req.param('txid')}:${c.req.param('vout')}`), UNPAGED);
    const { items, page } = slice(chain.txs, pageOf(c), PAGE_SIZE.chain);
    return {
      chain: items.map((tx) => ({
        txid: tx.txid,
        expiresAt: `${tx.expiresAt}`,
        type: `INDEXER_CHAINED_TX_TYPE_${tx.type}`,
        spends: tx.spends,
      })),
      page,
      authToken: '',
      nextPageToken: '',
    };
  });
  door.on(INDEXER_ROUTES.virtualTxs, async (c) => {
    const txids = c.req.param('txids')!.split(',').map(txid);
    if (txids.length > MAX_SCRIPTS) throw malformed(`at most ${MAX_SCRIPTS} at once`);
    const { items, page } = slice(txids, pageOf(c), PAGE_SIZE.virtualTxs);
    return { txs: await indexer.virtualTxs(items), page, authToken: '' };
  });

  door.on(INDEXER_ROUTES.subscribe, async (c) => {
    const body = await bodyOf(c);
    const scripts = texts(body, 'scripts').map(scriptHex);
    if (scripts.length === 0) throw malformed('missing scripts');
    return { subscriptionId: subscriptions.subscribe(scripts, text(body, 'subscriptionId') || undefined) };
  });
  door.on(INDEXER_ROUTES.unsubscribe, async (c) => {
    const body = await bodyOf(c);
    subscriptions.unsubscribe(requiredText(body, 'subscriptionId'), texts(body, 'scripts').map(scriptHex));
    return {};
  });
  door.on(INDEXER_ROUTES.subscription, (c) => {
    const id = c.req.param('id')!;
    const intervalMs = ctx.settings().heartbeatInterval * 1000;
    const open = () => openStream(c, { heartbeat, intervalMs, clock: ctx.clock });
    const stream = subscriptions.attach(id, open);
    stream.send({ subscriptionStarted: { subscriptionId: id } });
    return stream.response;
  });
}

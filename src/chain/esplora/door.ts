/** Esplora's REST calls over an explorer: what wallets and block explorers speak. Mount it under `/api`. */
import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import { HTTPException } from 'hono/http-exception';
import { isTxid, type Txid, toHex } from '../../base/bytes.ts';
import { parseAddress } from '../../bitcoin/address.ts';
import { serializeHeader } from '../../bitcoin/block.ts';
import { merkleProof } from '../../bitcoin/merkle.ts';
import { serializeTx, txHex } from '../../bitcoin/tx.ts';
import type { Chain, ChainTx } from '../chain.ts';
import type { BlockSummary, Explorer } from '../explorer.ts';
import { NodeError } from '../node-error.ts';
import { isScriptHash, type ScriptHash, scriptHashOf } from '../script-hash.ts';
import { createBroadcaster } from './broadcast.ts';
import {
  activityJson,
  blockJson,
  mempoolJson,
  outspendJson,
  recentJson,
  statusJson,
  txJson,
  utxoJson,
} from './json.ts';

const TXS_PER_PAGE = 25;
const UNCONFIRMED_PER_PAGE = 50;
const BLOCKS_PER_PAGE = 10;
const RECENT = 10;
const FEE_TARGETS = [...Array.from({ length: 25 }, (_, i) => i + 1), 144, 504, 1008];

export interface EsploraOptions {
  readonly explorer: Explorer;
  readonly chain: Pick<Chain, 'broadcast' | 'broadcastPackage'>;
  /** Hears what no request should have caused. */
  readonly onFault?: (error: unknown) => void;
}

const bad = (message: string): HTTPException => new HTTPException(400, { message });
const missing = (message: string): HTTPException => new HTTPException(404, { message });

function txidParam(c: Context, name = 'txid'): Txid {
  const text = c.req.param(name) ?? '';
  if (!isTxid(text)) throw bad('Invalid hex string');
  return text;
}

function numberParam(c: Context, name: string): number {
  const text = c.req.param(name) ?? '';
  if (!/^[0-9]{1,10}$/.test(text)) throw bad('Invalid number');
  return Number(text);
}

const octets = (bytes: Uint8Array): Response =>
  new Response(Uint8Array.from(bytes), { headers: { 'content-type': 'application/octet-stream' } });

export function createEsplora({ explorer, chain, onFault }: EsploraOptions): Hono {
  const { network } = explorer;
  const app = new Hono();
  app.use(cors());
  app.onError((error, c) => {
    if (error instanceof HTTPException) return c.text(error.message, error.status);
    if (error instanceof NodeError) return c.text(error.message, 503);
    onFault?.(error);
    return c.text('internal error', 500);
  });

  const print = async (found: ChainTx) => txJson(network, found, await explorer.prevouts(found.tx));
  const printAll = (found: readonly ChainTx[]) => Promise.all(found.map(print));

  async function findTx(c: Context): Promise<ChainTx> {
    const found = await explorer.transaction(txidParam(c));
    if (!found) throw missing('Transaction not found');
    return found;
  }

  async function findBlock(c: Context): Promise<BlockSummary> {
    const block = await explorer.block(txidParam(c, 'hash'));
    if (!block) throw missing('Block not found');
    return block;
  }

  /** The block page whose newest is at `height`. */
  async function blocksFrom(height: number): Promise<readonly BlockSummary[]> {
    const heights = Array.from({ length: BLOCKS_PER_PAGE }, (_, i) => height - i).filter((h) => h >= 0);
    const hashes = await Promise.all(heights.map(explorer.blockHash));
    const known = hashes.filter((hash) => hash !== undefined);
    return (await Promise.all(known.map(explorer.block))).filter((block) => block !== undefined);
  }

  async function blockPage(c: Context, start: number) {
    const { txids } = await findBlock(c);
    if (start % TXS_PER_PAGE !== 0) throw bad(`start index must be a multipication of ${TXS_PER_PAGE}`);
    if (start >= txids.length) throw missing('start index out of range');
    const txs = await Promise.all(txids.slice(start, start + TXS_PER_PAGE).map((txid) => explorer.transaction(txid)));
    return c.json(await printAll(txs.filter((found) => found !== undefined)));
  }

  function scriptParam(c: Context): ScriptHash {
    const address = c.req.param('address');
    if (address === undefined) {
      const hash = c.req.param('hash') ?? '';
      if (!isScriptHash(hash)) throw bad('Invalid hex string');
      return hash;
    }
    try {
      return scriptHashOf(parseAddress(network, address));
    } catch {
      throw bad('Invalid Bitcoin address');
    }
  }

  const unconfirmed = async (script: ScriptHash) => (await explorer.unconfirmed(script)).slice(0, UNCONFIRMED_PER_PAGE);

  function scriptRoutes(base: string, name: (c: Context) => object): void {
    app.get(base, async (c) => {
      const { confirmed, mempool } = await explorer.activity(scriptParam(c));
      return c.json({ ...name(c), chain_stats: activityJson(confirmed), mempool_stats: activityJson(mempool) });
    });
    app.get(`${base}/utxo`, async (c) => c.json((await explorer.unspentOf(scriptParam(c))).map(utxoJson)));
    app.get(`${base}/txs`, async (c) => {
      const script = scriptParam(c);
      const found = [...(await unconfirmed(script)), ...(await explorer.history(script, TXS_PER_PAGE))];
      return c.json(await printAll(found));
    });
    app.get(`${base}/txs/mempool`, async (c) => c.json(await printAll(await unconfirmed(scriptParam(c)))));
    app.get(`${base}/txs/chain`, async (c) =>
      c.json(await printAll(await explorer.history(scriptParam(c), TXS_PER_PAGE))),
    );
    app.get(`${base}/txs/chain/:after`, async (c) =>
      c.json(await printAll(await explorer.history(scriptParam(c), TXS_PER_PAGE, txidParam(c, 'after')))),
    );
  }

  scriptRoutes('/address/:address', (c) => ({ address: c.req.param('address') }));
  scriptRoutes('/scripthash/:hash', (c) => ({ scripthash: c.req.param('hash') }));

  app.get('/tx/:txid', async (c) => c.json(await print(await findTx(c))));
  app.get('/tx/:txid/status', async (c) => c.json(statusJson((await findTx(c)).confirmation)));
  app.get('/tx/:txid/hex', async (c) => c.text(txHex((await findTx(c)).tx)));
  app.get('/tx/:txid/raw', async (c) => octets(serializeTx((await findTx(c)).tx)));
  app.get('/tx/:txid/outspends', async (c) => {
    const { txid, tx } = await findTx(c);
    const spenders = await Promise.all(tx.outputs.map((_, vout) => explorer.spender({ txid, vout })));
    return c.json(spenders.map(outspendJson));
  });
  app.get('/tx/:txid/outspend/:vout', async (c) => {
    const { txid, tx } = await findTx(c);
    const vout = numberParam(c, 'vout');
    if (vout >= tx.outputs.length) throw missing('Output not found');
    return c.json(outspendJson(await explorer.spender({ txid, vout })));
  });
  app.get('/tx/:txid/merkle-proof', async (c) => {
    const { txid, confirmation } = await findTx(c);
    const block = confirmation && (await explorer.block(confirmation.blockHash));
    if (!block) throw missing('Transaction not found or is unconfirmed');
    const pos = block.txids.indexOf(txid);
    return c.json({ block_height: block.height, merkle: merkleProof(block.txids, pos), pos });
  });

  app.get('/blocks', async (c) => c.json((await blocksFrom((await explorer.tip()).height)).map(blockJson)));
  app.get('/blocks/tip/height', async (c) => c.text(String((await explorer.tip()).height)));
  app.get('/blocks/tip/hash', async (c) => c.text((await explorer.tip()).hash));
  app.get('/blocks/:start', async (c) => c.json((await blocksFrom(numberParam(c, 'start'))).map(blockJson)));
  app.get('/block-height/:height', async (c) => {
    const hash = await explorer.blockHash(numberParam(c, 'height'));
    if (hash === undefined) throw missing('Block not found');
    return c.text(hash);
  });
  app.get('/block/:hash', async (c) => c.json(blockJson(await findBlock(c))));
  app.get('/block/:hash/header', async (c) => c.text(toHex(serializeHeader((await findBlock(c)).header))));
  app.get('/block/:hash/raw', async (c) => octets((await explorer.rawBlock((await findBlock(c)).hash))!));
  app.get('/block/:hash/txids', async (c) => c.json((await findBlock(c)).txids));
  app.get('/block/:hash/txid/:index', async (c) => {
    const txid = (await findBlock(c)).txids[numberParam(c, 'index')];
    if (!txid) throw missing('tx index out of range');
    return c.text(txid);
  });
  app.get('/block/:hash/txs', (c) => blockPage(c, 0));
  app.get('/block/:hash/txs/:start', (c) => blockPage(c, numberParam(c, 'start')));
  app.get('/block/:hash/status', async (c) => {
    const block = await explorer.block(txidParam(c, 'hash'));
    if (!block) return c.json({ in_best_chain: false });
    const next = await explorer.blockHash(block.height + 1);
    return c.json({ in_best_chain: true, height: block.height, next_best: next ?? null });
  });

  app.get('/mempool', async (c) => c.json(mempoolJson(await explorer.mempool())));
  app.get('/mempool/txids', async (c) => c.json((await explorer.mempool()).map(({ txid }) => txid)));
  app.get('/mempool/recent', async (c) => c.json((await explorer.mempool()).slice(-RECENT).reverse().map(recentJson)));
  app.get('/fee-estimates', async (c) => {
    const rates = await Promise.all(FEE_TARGETS.map(async (target) => [target, await explorer.feeRate(target)]));
    return c.json(Object.fromEntries(rates));
  });

  const broadcaster = createBroadcaster(explorer, chain);
  app.post('/tx', async (c) => {
    const answer = await broadcaster.one((await c.req.text()).trim());
    return c.text(answer.text, answer.isAccepted ? 200 : 400);
  });
  app.post('/txs/package', async (c) => {
    const answer = await broadcaster.pair(await c.req.text());
    return c.json(answer.result, answer.isAccepted ? 200 : 400);
  });

  app.all('*', (c) => c.text('endpoint does not exist', 404));
  return app;
}

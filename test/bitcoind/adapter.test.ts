/** What goes wrong with a real node: which one is refused at the start, and what is survived later. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Sats, sats } from '../../src/base/units.ts';
import { txHex } from '../../src/bitcoin/tx.ts';
import { type BitcoindChain, type BitcoindOptions, createBitcoindChain } from '../../src/chain/bitcoind/chain.ts';
import { createRpcClient, readCookie } from '../../src/chain/bitcoind/client.ts';
import { CHAIN_MIGRATIONS } from '../../src/chain/bitcoind/schema.ts';
import type { ChainEvent } from '../../src/chain/chain.ts';
import { NodeError } from '../../src/chain/node-error.ts';
import { scriptHashOf } from '../../src/chain/script-hash.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import type { Db } from '../../src/store/db.ts';
import { migrate } from '../../src/store/migrate.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import {
  BITCOIND_PASSWORD,
  BITCOIND_USER,
  type Bitcoind,
  requireBitcoind,
  startBitcoind,
} from '../support/bitcoind.ts';
import { openBitcoindChain } from '../support/chains.ts';
import { locksOf } from '../support/locks.ts';
import { coinOf, pay, secp, spend } from '../support/regtest.ts';
import { type RpcProxy, startRpcProxy, type Tamper } from '../support/rpc-proxy.ts';

const { binary, skip } = requireBitcoind('the bitcoind adapter');
const CREDENTIALS = { user: BITCOIND_USER, password: BITCOIND_PASSWORD };
const ENOUGH: Sats = sats(1_0000_0000);
const { p2tr } = locksOf(secp, 'adapter');

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'fine',
    (error) => {
      assert.ok(error instanceof NodeError, String(error));
      return error.code;
    },
  );

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 15_000; !(await condition()); ) {
    assert.ok(Date.now() < deadline, 'waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function memoryIndex(): Promise<Db> {
  const db = openSqlite(':memory:');
  await migrate(db, 'chain', CHAIN_MIGRATIONS);
  return db;
}

/** The messages that were logged, each with its level. */
function listeningLog() {
  const lines: { readonly level: number; readonly code?: string }[] = [];
  return { lines, log: createLog('info', { write: (line) => lines.push(JSON.parse(line)) }) };
}

describe('a bitcoind that is not fit', { skip }, () => {
  let node: Bitcoind;
  let proxy: RpcProxy;
  before(async () => {
    node = await startBitcoind(binary!);
    await node.rpc('generatetodescriptor', 5, 'raw(51)');
    proxy = await startRpcProxy(node.url);
  });
  after(async () => {
    await proxy?.close();
    await node?.stop();
  });

  /** The code it is refused with, `fine` if it is not. */
  async function start(options: Partial<BitcoindOptions> & { tamper?: Tamper } = {}): Promise<string> {
    proxy.tamper = options.tamper ?? (() => undefined);
    const db = await memoryIndex();
    const client = createRpcClient({ url: proxy.url, credentials: () => CREDENTIALS });
    const { log } = listeningLog();
    const opening = createBitcoindChain({ client, db, secp, network: 'regtest', clock: systemClock, log, ...options });
    const code = await codeOf(opening);
    if (code === 'fine') await (await opening).close();
    await db.close();
    return code;
  }

  const infoWith =
    (changes: object): Tamper =>
    (method, result) =>
      method === 'getblockchaininfo' ? { result: { ...(result as object), ...changes } } : undefined;

  test('is taken as it is', async () => assert.equal(await start(), 'fine'));

  test('is nowhere to be reached', async () => {
    const client = createRpcClient({ url: 'http://127.0.0.1:1', credentials: () => CREDENTIALS });
    assert.equal(await start({ client }), 'NODE_UNREACHABLE');
  });

  test('wants other credentials', async () => {
    const credentials = () => ({ ...CREDENTIALS, password: 'wrong' });
    assert.equal(await start({ client: createRpcClient({ url: node.url, credentials }) }), 'NODE_UNAUTHORIZED');
  });

  test('is on another network', async () => {
    for (const network of ['mainnet', 'signet', 'testnet'] as const) {
      assert.equal(await start({ network }), 'NODE_WRONG_NETWORK');
    }
    assert.equal(await start({ tamper: infoWith({ chain: 'main' }) }), 'NODE_WRONG_NETWORK');
  });

  test('is too old', async () => {
    const version =
      (number: unknown): Tamper =>
      (method) =>
        method === 'getnetworkinfo' ? { result: { version: number } } : undefined;
    assert.equal(await start({ tamper: version(280_100) }), 'NODE_TOO_OLD');
    assert.equal(await start({ tamper: version(290_000) }), 'fine');
    assert.equal(await start({ tamper: version(undefined) }), 'NODE_MISBEHAVES');
  });

  test('has not the whole chain yet', async () => {
    assert.equal(await start({ tamper: infoWith({ headers: 900_000 }) }), 'NODE_SYNCING');
    const main = infoWith({ chain: 'main', initialblockdownload: true });
    assert.equal(await start({ network: 'mainnet', tamper: main }), 'NODE_SYNCING');
    assert.equal(await start({ tamper: infoWith({ initialblockdownload: true }) }), 'fine', 'an idle regtest');
    assert.equal(await start({ indexFrom: 6 }), 'NODE_SYNCING');
  });

  test('has pruned what is needed', async () => {
    const pruned = infoWith({ pruned: true, pruneheight: 3 });
    assert.equal(await start({ tamper: pruned }), 'NODE_PRUNED');
    assert.equal(await start({ tamper: pruned, indexFrom: 3 }), 'fine');
  });

  test('is waited for while it starts', async () => {
    let asked = 0;
    const warmup = { code: -28, message: 'Verifying blocks…' };
    assert.equal(await start({ tamper: () => (asked++ < 2 ? { result: null, error: warmup } : undefined) }), 'fine');
    assert.ok(asked > 2);
  });

  test('indexes from the tip on where money is, and mines nothing', async () => {
    proxy.tamper = infoWith({ chain: 'main', initialblockdownload: false });
    const db = await memoryIndex();
    const client = createRpcClient({ url: proxy.url, credentials: () => CREDENTIALS });
    const chain = await openBitcoindChain(node, db, { client, network: 'mainnet' });
    assert.equal((await chain.tip()).height, 5);
    assert.equal(await chain.explorer.blockHash(4), undefined);
    assert.equal(chain.network, 'mainnet');
    await assert.rejects(chain.mine(1), { code: 'NOT_REGTEST' });
    await assert.rejects(chain.faucet(p2tr.script, ENOUGH), { code: 'NOT_REGTEST' });
    await assert.rejects(chain.fillFaucet(ENOUGH), { code: 'NOT_REGTEST' });
    assert.equal(await node.rpc('getblockcount'), 5);
    await chain.close();
    await db.close();
  });

  test('does not answer when it is left', async () => {
    proxy.tamper = () => undefined;
    const db = await memoryIndex();
    const { lines, log } = listeningLog();
    const client = createRpcClient({ url: proxy.url, credentials: () => CREDENTIALS });
    const chain = await openBitcoindChain(node, db, { client, log });
    proxy.isSilent = true;
    const asked = chain.sync().catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 100));
    const start = Date.now();
    await chain.close();
    await asked;
    proxy.isSilent = false;
    assert.ok(Date.now() - start < 2_000);
    assert.deepEqual(lines, []);
    assert.equal(await codeOf(chain.tip()), 'NODE_UNREACHABLE');
    await db.close();
  });

  test('falls behind while it is in use', async () => {
    proxy.tamper = () => undefined;
    const db = await memoryIndex();
    const { lines, log } = listeningLog();
    const client = createRpcClient({ url: proxy.url, credentials: () => CREDENTIALS });
    const chain = await openBitcoindChain(node, db, { client, log });
    proxy.tamper = infoWith({ headers: 1_000 });
    await until(async () => (await codeOf(chain.tip())) === 'NODE_SYNCING');
    await new Promise((resolve) => setTimeout(resolve, 300));
    proxy.tamper = () => undefined;
    await until(async () => (await codeOf(chain.tip())) === 'fine');
    assert.deepEqual(
      lines.map(({ level, code }) => [level, code]),
      [
        [50, 'NODE_SYNCING'],
        [40, undefined],
      ],
    );
    await chain.close();
    await db.close();
  });
});

describe('a bitcoind in use', { skip }, () => {
  let node: Bitcoind;
  let db: Db;
  let chain: BitcoindChain;
  before(async () => {
    node = await startBitcoind(binary!, { credentials: 'cookie' });
  });
  after(() => node?.stop());

  const credentials = () => readCookie(join(node.folder, '.cookie'));
  const open = async (options: Partial<BitcoindOptions> = {}): Promise<BitcoindChain> =>
    openBitcoindChain(node, db, { client: createRpcClient({ url: node.url, credentials }), ...options });

  const withChain =
    (work: (lines: readonly { readonly level: number; readonly code?: string }[]) => Promise<void>) => async () => {
      const { lines, log } = listeningLog();
      db = await memoryIndex();
      chain = await open({ log });
      await chain.fillFaucet(ENOUGH);
      try {
        await work(lines);
      } finally {
        await chain.close();
        await db.close();
      }
    };

  const words = (events: readonly ChainEvent[]): string[] =>
    events.map((event) => (event.type === 'mempool' ? 'mempool' : `${event.type} ${event.tip.height}`));

  test(
    'restarts, with another cookie: calls are refused meanwhile, and nothing is missed',
    withChain(async (lines) => {
      const txid = await chain.faucet(p2tr.script, ENOUGH);
      const { height } = await chain.tip();
      const events: ChainEvent[] = [];
      chain.subscribe((event) => events.push(event));
      const cookie = credentials();

      await node.halt();
      await until(async () => (await codeOf(chain.tip())) === 'NODE_UNREACHABLE');
      const tx = { version: 2, inputs: [], outputs: [], locktime: 0 };
      for (const call of [
        () => chain.transaction(txid),
        () => chain.output({ txid, vout: 0 }),
        () => chain.unspent(p2tr.script),
        () => chain.feeRate(2),
        () => chain.broadcast(tx),
        () => chain.broadcastPackage(tx, tx),
        () => chain.mine(1),
        () => chain.faucet(p2tr.script, ENOUGH),
        () => chain.explorer.mempool(),
      ]) {
        assert.equal(await codeOf(call()), 'NODE_UNREACHABLE');
      }
      await node.resume();
      assert.notDeepEqual(credentials(), cookie);
      await node.rpc('generatetodescriptor', 2, 'raw(51)');
      await until(async () => (await codeOf(chain.tip())) === 'fine');
      await until(async () => (await chain.tip()).height === height + 2);
      assert.deepEqual(words(events), [`block ${height + 1}`, `block ${height + 2}`]);
      const codes = lines.map(({ code }) => code).filter((code) => code !== 'NODE_STARTING');
      assert.deepEqual(codes, ['NODE_UNREACHABLE', undefined]);
    }),
  );

  test(
    'reorganizes while it cannot be seen',
    withChain(async () => {
      await chain.mine(3);
      const before = await chain.tip();
      await chain.close();
      await node.rpc('invalidateblock', await node.rpc('getblockhash', before.height - 1));
      await node.rpc('generatetodescriptor', 4, 'raw(52)');
      chain = await open();
      const tip = await chain.tip();
      assert.equal(tip.height, before.height + 2);
      assert.equal(tip.hash, await node.rpc('getbestblockhash'));
      assert.equal(await chain.explorer.block(before.hash), undefined);
      const coinbases = await chain.unspent(Uint8Array.of(0x52));
      assert.equal(coinbases.length, 4);
    }),
  );

  test(
    'has payments made by others, seen in families and in order',
    withChain(async () => {
      const funding = await chain.faucet(p2tr.script, ENOUGH);
      await chain.mine(1);
      const events: ChainEvent[] = [];
      chain.subscribe((event) => events.push(event));
      const { tx } = (await chain.transaction(funding))!;
      let coin = coinOf(tx, 0, p2tr);
      const sent: string[] = [];
      for (let i = 1; i <= 20; i++) {
        const next = spend([coin], [pay(p2tr, ENOUGH - BigInt(i) * 10_000n)]);
        sent.push(await node.rpc('sendrawtransaction', txHex(next)));
        coin = coinOf(next, 0, p2tr);
      }
      await until(() => events.length === 20);
      assert.deepEqual(
        events.map((event) => (event.type === 'mempool' ? event.tx.txid : event.type)),
        sent,
      );
      const entries = await chain.explorer.mempool();
      assert.deepEqual(
        entries.map(({ fee }) => fee),
        entries.map(() => 10_000n),
      );
    }),
  );

  test(
    'is never seen in the middle of a change',
    withChain(async () => {
      const { p2wpkh } = locksOf(secp, `steady ${Date.now()}`);
      const script = scriptHashOf(p2wpkh.script);
      const txid = await chain.faucet(p2wpkh.script, ENOUGH);
      let isDone = false;
      let looks = 0;
      const look = (async () => {
        while (!isDone) {
          const { confirmed, mempool } = await chain.explorer.activity(script);
          assert.equal(confirmed.txCount + mempool.txCount, 1);
          assert.equal((await chain.unspent(p2wpkh.script)).length, 1);
          looks++;
          // In memory nothing else would let the rest of the program go on.
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      for (let i = 0; i < 12; i++) {
        // Another script each time, or it could be the block that was just declared invalid.
        const [hash] = await chain.mine(1, Uint8Array.of(0x51 + i));
        assert.ok((await chain.transaction(txid))!.confirmation);
        await node.rpc('invalidateblock', hash);
        await chain.sync();
        assert.equal((await chain.transaction(txid))!.confirmation, undefined);
      }
      isDone = true;
      await look;
      assert.ok(looks > 12);
    }),
  );

  test(
    'is indexed from a later block on: what was before does not exist',
    withChain(async () => {
      const early = await chain.faucet(p2tr.script, ENOUGH);
      await chain.mine(1);
      const { tx } = (await chain.transaction(early))!;
      const start = (await chain.tip()).height + 1;
      await chain.mine(1);
      await chain.close();
      await db.close();

      db = await memoryIndex();
      chain = await open({ indexFrom: start });
      assert.equal(await chain.transaction(early), undefined);
      assert.equal(await chain.explorer.blockHash(start - 1), undefined);
      const next = spend([coinOf(tx, 0, p2tr)], [pay(p2tr, ENOUGH - 10_000n)]);
      await chain.broadcast(next);
      const entry = (await chain.explorer.mempoolTx(await chain.broadcast(next)))!;
      assert.equal(entry.fee, 10_000n, 'an unconfirmed one has its coins from the node');
      await chain.mine(1);
      assert.deepEqual(await chain.explorer.prevouts(next), [undefined]);
      await chain.close();

      chain = await open();
      assert.ok((await chain.transaction(entry.txid))!.confirmation, 'the index goes on where it was');
      await chain.close();
      assert.equal(await codeOf(open({ indexFrom: start - 1 })), 'NODE_FOREIGN_CHAIN');

      await node.rpc('invalidateblock', await node.rpc('getblockhash', start));
      await node.rpc('generatetodescriptor', 1, 'raw(53)');
      assert.equal(await codeOf(open()), 'NODE_FOREIGN_CHAIN');
      chain = await open({ db: await memoryIndex() });
    }),
  );

  test('prunes, which hurts only who needs the old blocks', async () => {
    const pruner = await startBitcoind(binary!, { flags: ['-prune=1', '-fastprune'] });
    try {
      await pruner.rpc('generatetodescriptor', 700, 'raw(51)');
      const store = await memoryIndex();
      const first = await openBitcoindChain(pruner, store);
      await first.close();
      await pruner.rpc('pruneblockchain', 400);
      const { pruneheight } = await pruner.rpc<{ pruneheight: number }>('getblockchaininfo');
      assert.ok(pruneheight > 1);
      assert.equal(await codeOf(openBitcoindChain(pruner, await memoryIndex())), 'NODE_PRUNED');
      await (await openBitcoindChain(pruner, await memoryIndex(), { indexFrom: pruneheight })).close();

      await pruner.rpc('generatetodescriptor', 3, 'raw(51)');
      const again = await openBitcoindChain(pruner, store);
      assert.equal((await again.tip()).height, 703);
      const genesis = (await again.explorer.blockHash(0))!;
      assert.equal((await again.explorer.rawBlock(genesis))!.length, 285, 'what was indexed is kept');
      await again.close();
    } finally {
      await pruner.stop();
    }
  });
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EsploraProvider } from '@arkade-os/sdk';
import { Hono } from 'hono';
import { concat, fromHex, reversed, toHex } from '../../../src/base/bytes.ts';
import { addressOf } from '../../../src/bitcoin/address.ts';
import { parseHeader } from '../../../src/bitcoin/block.ts';
import { txHex, txidOf, wtxidOf } from '../../../src/bitcoin/tx.ts';
import { createEsplora } from '../../../src/chain/esplora/door.ts';
import { scriptHashOf } from '../../../src/chain/script-hash.ts';
import { sha256d } from '../../../src/crypto/hash.ts';
import { createHttpServer, type HttpServer } from '../../../src/runtime/http.ts';
import { anchorOf, coinOf, P2A, pay, spend, type TestCoin, testChain } from '../../support/regtest.ts';

const world = testChain();
const { chain, locks } = world;
const faults: unknown[] = [];
let server: HttpServer;
let base: string;

before(async () => {
  const door = createEsplora({ explorer: chain.explorer, chain, onFault: (error) => faults.push(error) });
  server = createHttpServer(new Hono().route('/api', door), { host: '127.0.0.1', port: 0 });
  base = `http://127.0.0.1:${await server.start()}/api`;
});
after(async () => {
  await server.stop();
  assert.deepEqual(faults, []);
});

// biome-ignore lint/suspicious/noExplicitAny: JSON from outside, looked at by assertions
type Json = any;

async function text(path: string, status = 200): Promise<string> {
  const response = await fetch(base + path);
  assert.equal(response.status, status, path);
  return response.text();
}
const json = async (path: string): Promise<Json> => JSON.parse(await text(path));

const post = (path: string, body: string) => fetch(base + path, { method: 'POST', body });

const address = addressOf('regtest', locks.p2wpkh.script)!;

test('a transaction with its inputs, outputs, fee and status', async () => {
  const [coin] = (await world.fund([locks.csv(1)])) as [TestCoin];
  const tx = spend([coin], [pay(locks.p2wpkh, 60_000n), pay(locks.p2wsh, 39_000n)], { sequences: [1], locktime: 7 });
  await chain.broadcast(tx);
  const txid = txidOf(tx);
  const shown = await json(`/tx/${txid}`);
  assert.equal(shown.txid, txid);
  assert.equal(shown.fee, 1_000);
  assert.deepEqual([shown.version, shown.locktime, shown.vin[0].sequence], [2, 7, 1]);
  assert.deepEqual([shown.vin[0].txid, shown.vin[0].vout], [coin.outpoint.txid, coin.outpoint.vout]);
  assert.equal(shown.vin[0].prevout.value, 100_000);
  assert.equal(shown.vin[0].prevout.scriptpubkey_type, 'v1_p2tr');
  assert.match(
    shown.vin[0].inner_witnessscript_asm,
    /^OP_PUSHNUM_1 OP_CSV OP_DROP OP_PUSHBYTES_32 [0-9a-f]{64} OP_CHECKSIG$/,
  );
  assert.equal(shown.vin[0].witness.length, 3);
  assert.deepEqual(
    shown.vout.map((output: Json) => [output.scriptpubkey_type, output.value]),
    [
      ['v0_p2wpkh', 60_000],
      ['v0_p2wsh', 39_000],
    ],
  );
  assert.equal(shown.vout[0].scriptpubkey_address, address);
  assert.deepEqual(shown.status, { confirmed: false });
  assert.equal(await text(`/tx/${txid}/hex`), txHex(tx));
  const raw = await (await fetch(`${base}/tx/${txid}/raw`)).bytes();
  assert.equal(toHex(raw), txHex(tx));
  const [hash] = await chain.mine(1);
  const status = await json(`/tx/${txid}/status`);
  assert.deepEqual(
    [status.confirmed, status.block_hash, status.block_height],
    [true, hash, (await chain.tip()).height],
  );
  assert.deepEqual(await json(`/tx/${coin.outpoint.txid}/outspend/0`), {
    spent: true,
    txid,
    vin: 0,
    status,
  });
  assert.equal((await json(`/tx/${coin.outpoint.txid}/outspends`))[0].txid, txid);
  assert.deepEqual(await json(`/tx/${txid}/outspends`), [{ spent: false }, { spent: false }]);
});

test('the merkle proof leads from the transaction to the header', async () => {
  const coins = await world.fund([locks.p2tr, locks.p2tr, locks.p2tr, locks.p2tr]);
  const txs = coins.map((coin) => spend([coin], [pay(locks.p2tr, 99_000n)]));
  for (const tx of txs) await chain.broadcast(tx);
  const [hash] = await chain.mine(1);
  const header = parseHeader(await text(`/block/${hash}/header`));
  for (const tx of txs) {
    const { block_height, merkle, pos } = await json(`/tx/${txidOf(tx)}/merkle-proof`);
    assert.equal(block_height, (await chain.tip()).height);
    let node = reversed(fromHex(txidOf(tx)));
    for (const [level, sibling] of merkle.entries()) {
      const other = reversed(fromHex(sibling));
      node = sha256d((pos >> level) & 1 ? concat(other, node) : concat(node, other));
    }
    assert.deepEqual(node, header.merkleRoot);
  }
});

test('an address counts, lists and pages what happened to it', async () => {
  const lock = locks.p2pkh;
  const path = `/address/${addressOf('regtest', lock.script)}`;
  const coins = await world.fund(Array.from({ length: 30 }, () => lock));
  const spent = spend([coins[0]!], [pay(lock, 99_000n)]);
  await chain.broadcast(spent);
  const { chain_stats, mempool_stats } = await json(path);
  assert.deepEqual(chain_stats, {
    funded_txo_count: 30,
    funded_txo_sum: 3_000_000,
    spent_txo_count: 0,
    spent_txo_sum: 0,
    tx_count: 30,
  });
  assert.deepEqual(mempool_stats, {
    funded_txo_count: 1,
    funded_txo_sum: 99_000,
    spent_txo_count: 1,
    spent_txo_sum: 100_000,
    tx_count: 1,
  });
  const utxos = await json(`${path}/utxo`);
  assert.equal(utxos.length, 30);
  assert.deepEqual(utxos.at(-1), { txid: txidOf(spent), vout: 0, status: { confirmed: false }, value: 99_000 });
  const first = await json(`${path}/txs`);
  assert.deepEqual([first.length, first[0].txid], [26, txidOf(spent)]);
  const second = await json(`${path}/txs/chain/${first.at(-1).txid}`);
  assert.equal(second.length, 5);
  const all = [...first.slice(1), ...second].map(({ txid }: Json) => txid);
  assert.deepEqual(all.sort(), coins.map((coin) => coin.outpoint.txid).sort());
  assert.deepEqual(await json(`${path}/txs/chain/${second.at(-1).txid}`), []);
  assert.equal((await json(`${path}/txs/chain`)).length, 25);
  assert.equal((await json(`${path}/txs/mempool`)).length, 1);
  const hash = scriptHashOf(lock.script);
  assert.deepEqual(await json(`/scripthash/${hash}/utxo`), utxos);
  assert.equal((await json(`/scripthash/${hash}`)).scripthash, hash);
  await chain.mine(1);
});

test('blocks by height, by hash and from the newest down', async () => {
  const tip = await chain.tip();
  const blocks = await json('/blocks');
  assert.deepEqual(
    blocks.map(({ height }: Json) => height),
    Array.from({ length: 10 }, (_, i) => tip.height - i),
  );
  assert.deepEqual([blocks[0].id, blocks[0].mediantime], [tip.hash, tip.medianTime]);
  assert.equal(blocks[0].previousblockhash, blocks[1].id);
  assert.equal((await json('/blocks/3')).length, 4);
  assert.equal(await text('/blocks/tip/height'), String(tip.height));
  assert.equal(await text('/blocks/tip/hash'), tip.hash);
  assert.equal(await text(`/block-height/${tip.height}`), tip.hash);
  assert.deepEqual(await json(`/block/${tip.hash}`), blocks[0]);
  assert.deepEqual(await json(`/block/${blocks[1].id}/status`), {
    in_best_chain: true,
    height: tip.height - 1,
    next_best: tip.hash,
  });
  const txids = await json(`/block/${tip.hash}/txids`);
  assert.equal(txids.length, blocks[0].tx_count);
  assert.equal(await text(`/block/${tip.hash}/txid/0`), txids[0]);
  const [coinbase] = await json(`/block/${tip.hash}/txs`);
  assert.deepEqual([coinbase.txid, coinbase.vin[0].is_coinbase, coinbase.vin[0].prevout], [txids[0], true, null]);
  const raw = await (await fetch(`${base}/block/${tip.hash}/raw`)).bytes();
  assert.equal(raw.length, blocks[0].size);
});

test('the mempool, its newest and its fees', async () => {
  const [coin] = (await world.fund([locks.p2tr])) as [TestCoin];
  const tx = spend([coin], [pay(locks.p2tr, 99_000n)]);
  await chain.broadcast(tx);
  const { vsize } = (await chain.explorer.mempoolTx(txidOf(tx)))!;
  assert.deepEqual(await json('/mempool'), {
    count: 1,
    vsize,
    total_fee: 1_000,
    fee_histogram: [[1_000 / vsize, vsize]],
  });
  assert.deepEqual(await json('/mempool/txids'), [txidOf(tx)]);
  assert.deepEqual(await json('/mempool/recent'), [{ txid: txidOf(tx), fee: 1_000, vsize, value: 99_000 }]);
  assert.deepEqual((await json('/fee-estimates'))['1'], 1);
  await chain.mine(1);
});

test('broadcasting answers as bitcoind does', async () => {
  const [coin, fees] = (await world.fund([locks.p2tr, locks.p2tr])) as [TestCoin, TestCoin];
  const refused = async (body: string, pattern: RegExp) => {
    const response = await post('/tx', body);
    assert.equal(response.status, 400);
    assert.match(await response.text(), pattern);
  };
  await refused('zz', /^sendrawtransaction RPC error: \{"code":-22,/);
  await refused(txHex(spend([coin], [pay(locks.p2tr, 100_000n)])), /"code":-26,"message":"min relay fee not met/);
  await refused(
    txHex(spend([{ ...coin, outpoint: { ...coin.outpoint, vout: 8 } }], [pay(locks.p2tr, 1_000n)])),
    /"code":-25,/,
  );
  await refused(txHex((await chain.transaction(coin.outpoint.txid))!.tx), /"code":-27,/);

  const parent = spend([coin], [pay(locks.p2tr, 100_000n), P2A], { version: 3 });
  const child = spend([anchorOf(parent), fees], [pay(locks.p2tr, 99_000n)], { version: 3 });
  const poor = spend([anchorOf(parent), fees], [pay(locks.p2tr, 100_000n)], { version: 3 });
  const bad = await post('/txs/package', JSON.stringify([parent, poor].map(txHex)));
  assert.equal(bad.status, 400);
  assert.equal(((await bad.json()) as Json)['tx-results'][wtxidOf(poor)].error, 'min relay fee not met');
  for (const body of ['', '{}', '["00"]', '["00",7]', JSON.stringify(['zz', 'zz'])]) {
    assert.equal((await post('/txs/package', body)).status, 400, body);
  }
  const good = await post('/txs/package', JSON.stringify([parent, child].map(txHex)));
  assert.equal(good.status, 200);
  const result = (await good.json()) as Json;
  assert.equal(result.package_msg, 'success');
  assert.equal(result['tx-results'][wtxidOf(child)].txid, txidOf(child));
  assert.equal(result['tx-results'][wtxidOf(child)].fees.base, 0.00001);
  const single = await post('/tx', txHex(spend([coinOf(child, 0, locks.p2tr)], [pay(locks.p2tr, 98_000n)])));
  assert.match(await single.text(), /TRUC-violation/);
  await chain.mine(1);
});

test('what is not there is 404, what is no question is 400, and every answer may be read from any page', async () => {
  const nothing = 'ab'.repeat(32);
  for (const path of [
    `/tx/${nothing}`,
    `/block/${nothing}`,
    '/block-height/999999',
    '/v1/nothing',
    `/tx/${nothing}/hex`,
  ]) {
    await text(path, 404);
  }
  for (const path of [
    '/tx/xyz',
    '/address/bc1qqqq',
    '/scripthash/12',
    '/blocks/x',
    '/block-height/-1',
    '/block/1/txs',
  ]) {
    await text(path, 400);
  }
  assert.deepEqual(await json(`/block/${nothing}/status`), { in_best_chain: false });
  assert.deepEqual(await json(`/scripthash/${nothing}/txs`), []);
  const response = await fetch(`${base}/blocks/tip/height`, { headers: { origin: 'http://somewhere.example' } });
  assert.equal(response.headers.get('access-control-allow-origin'), '*');
});

test("the SDK's provider reads and broadcasts through it", async () => {
  const provider = new EsploraProvider(base, { forcePolling: true, pollingInterval: 20 });
  let see: (txid: string) => void;
  const seen = new Promise<string>((resolve) => {
    see = resolve;
  });
  const stop = await provider.watchAddresses([address], (txs) => see(txs[0]!.txid));
  const known = (await provider.getTransactions(address)).length;
  const [coin, fees] = (await world.fund([locks.p2tr, locks.p2tr])) as [TestCoin, TestCoin];
  const parent = spend([coin], [pay(locks.p2wpkh, 100_000n), P2A], { version: 3 });
  const child = spend([anchorOf(parent), fees], [pay(locks.p2tr, 99_000n)], { version: 3 });
  await assert.rejects(provider.broadcastTransaction(txHex(parent)));
  await provider.broadcastTransaction(txHex(parent), txHex(child));
  assert.deepEqual(await provider.getTxStatus(txidOf(parent)), { confirmed: false });
  assert.equal(await seen, txidOf(parent));
  stop();
  await chain.mine(1);
  const tip = await chain.tip();
  assert.deepEqual(await provider.getChainTip(), { height: tip.height, time: tip.medianTime, hash: tip.hash });
  const status = await provider.getTxStatus(txidOf(parent));
  assert.ok(status.confirmed && status.blockHeight === tip.height);
  assert.ok((await provider.getCoins(address)).some((found) => found.txid === txidOf(parent)));
  assert.equal((await provider.getTxOutspends(txidOf(parent)))[1]!.txid, txidOf(child));
  assert.equal((await provider.getTransactions(address)).length, known + 1);
  assert.equal(await provider.getFeeRate(), 1);
});

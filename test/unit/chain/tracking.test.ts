import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { EsploraProvider, type ExplorerTransaction } from '@arkade-os/sdk';
import { Hono } from 'hono';
import { WebSocket } from 'ws';
import { sats } from '../../../src/base/units.ts';
import { addressOf } from '../../../src/bitcoin/address.ts';
import { createEsplora } from '../../../src/chain/esplora/door.ts';
import { createTracking } from '../../../src/chain/esplora/tracking.ts';
import { createHttpServer, type HttpServer } from '../../../src/runtime/http.ts';
import { testChain } from '../../support/regtest.ts';

const { chain, locks } = testChain();
const faults: unknown[] = [];
const address = addressOf('regtest', locks.p2wpkh.script)!;
const other = addressOf('regtest', locks.p2wsh.script)!;
let server: HttpServer;
let base: string;

before(async () => {
  const onFault = (error: unknown) => void faults.push(error);
  const app = new Hono().route('/api', createEsplora({ explorer: chain.explorer, chain, onFault }));
  const webSocket = { path: '/api/v1/ws', accept: createTracking(chain, onFault) };
  server = createHttpServer(app, { host: '127.0.0.1', port: 0, webSocket });
  base = `http://127.0.0.1:${await server.start()}/api`;
});
after(async () => {
  await server.stop();
  assert.deepEqual(faults, []);
});

async function connect(path = '/v1/ws') {
  const socket = new WebSocket(base.replace('http', 'ws') + path);
  await once(socket, 'open');
  const next = async () => JSON.parse(String((await once(socket, 'message'))[0]));
  const ask = (message: unknown) => {
    const answer = next();
    socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    return answer;
  };
  return { socket, next, ask };
}

test('the SDK hears of a payment when it is seen and when it confirms, without polling', async () => {
  const heard: ExplorerTransaction[] = [];
  const { promise: confirmed, resolve } = Promise.withResolvers<void>();
  const provider = new EsploraProvider(base, { forcePolling: false, pollingInterval: 3_600_000 });
  const stop = await provider.watchAddresses([address], (txs) => {
    heard.push(...txs);
    if (txs.some((tx) => tx.status.confirmed)) resolve();
  });
  const { ask, socket } = await connect();
  assert.deepEqual(await ask({ action: 'ping' }), { pong: true });
  const txid = await chain.faucet(locks.p2wpkh.script, sats(10_000));
  await chain.faucet(locks.p2wsh.script, sats(10_000));
  await chain.mine(1);
  await confirmed;
  assert.deepEqual(
    heard.map((tx) => [tx.txid, tx.status.confirmed]),
    [
      [txid, false],
      [txid, true],
    ],
  );
  stop();
  socket.close();
});

test('one address or several, each told apart', async () => {
  const [one, many] = [await connect(), await connect()];
  one.socket.send(JSON.stringify({ 'track-address': address }));
  many.socket.send(JSON.stringify({ 'track-addresses': [address, other] }));
  for (const { ask } of [one, many]) assert.deepEqual(await ask({ action: 'ping' }), { pong: true });
  const messages = Promise.all([one.next(), many.next()]);
  const txid = await chain.faucet(locks.p2wpkh.script, sats(10_000));
  const [single, several] = await messages;
  assert.equal(single['address-transactions'][0].txid, txid);
  assert.deepEqual(Object.keys(several['multi-address-transactions']), [address]);
  for (const { socket } of [one, many]) socket.close();
});

test('what is no request is refused, and the connection goes on', async () => {
  const { ask, socket } = await connect();
  const refused = [
    'not json',
    '[]',
    { 'track-addresses': 'x' },
    { 'track-address': 'bc1qnonsense' },
    { 'track-addresses': Array(1_001).fill(address) },
  ];
  for (const message of refused) assert.equal(typeof (await ask(message)).error, 'string');
  assert.deepEqual(await ask({ action: 'ping' }), { pong: true });
  socket.send('x'.repeat(70_000));
  await once(socket, 'close');
  await assert.rejects(connect('/elsewhere'));
});

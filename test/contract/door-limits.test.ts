/**
 * Threats 33 to 35 over real sockets: greedy, slow, huge and absent-minded clients against a running stack, which
 * serves everybody else meanwhile.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { Hono } from 'hono';
import { systemClock } from '../../src/runtime/clock.ts';
import { createHttpServer, type HttpOptions } from '../../src/runtime/http.ts';
import { createPeers, parseNetworks } from '../../src/runtime/peer.ts';
import { createStreams } from '../../src/runtime/sse.ts';
import { type GrpcRefusal, grpcClient } from '../support/grpc.ts';
import { type RunningStack, startStack } from '../support/stack.ts';

let stack: RunningStack;
let url: string;
before(async () => {
  stack = await startStack(['--trust-proxy', '127.0.0.1', '--rate-limit', '10', '--max-streams-per-address', '5']);
  url = stack.ready.ark.url;
});
after(() => stack?.stop());

/** As a proxy beside the server passes it on. */
const from = (address: string, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(url + path, { ...init, headers: { ...init.headers, 'x-forwarded-for': address } });

const statuses = async (answers: readonly Promise<Response>[]): Promise<Map<number, number>> => {
  const counts = new Map<number, number>();
  for (const { status } of await Promise.all(answers)) counts.set(status, (counts.get(status) ?? 0) + 1);
  return counts;
};

/** Resolves once the connection is over, however it ended. */
const over = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()));

/** Sends text and collects what comes back until the server closes. */
function raw(text: string): { readonly socket: Socket; readonly received: Promise<string> } {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk) => (answer += chunk));
  socket.on('error', () => {});
  socket.write(text);
  return { socket, received: over(socket).then(() => answer) };
}

test('who asks too much is told when to come back, whoever else asks is served', async () => {
  const flood = await statuses(Array.from({ length: 400 }, () => from('203.0.113.1', '/v1/info')));
  assert.ok(flood.get(200)! >= 100 && flood.get(429)! >= 200, JSON.stringify([...flood]));
  const refused = await from('203.0.113.1', '/v1/info');
  if (refused.status === 429) {
    assert.match(refused.headers.get('retry-after')!, /^[1-9]/);
    assert.equal(refused.headers.get('access-control-allow-origin'), '*');
    assert.equal(((await refused.json()) as { code: number }).code, 8);
  }
  assert.equal((await from('203.0.113.2', '/v1/info')).status, 200);
  // Who is on this machine has no limit of its own.
  const local = await statuses(Array.from({ length: 300 }, () => fetch(`${url}/v1/info`)));
  assert.deepEqual([...local], [[200, 300]]);
});

test('budgets are apart: who may read no more may still pay, and proofs cost more than reading', async () => {
  await statuses(Array.from({ length: 300 }, () => from('203.0.113.3', '/v1/info')));
  const submission = await from('203.0.113.3', '/v1/tx/submit', { method: 'POST', body: '{}' });
  assert.equal(submission.status, 400);
  const proofs = Array.from({ length: 60 }, () =>
    from('203.0.113.4', '/v1/batch/registerIntent', { method: 'POST', body: '{}' }),
  );
  const counts = await statuses(proofs);
  assert.ok(counts.get(429)! >= 20 && counts.get(400)! >= 20, JSON.stringify([...counts]));
});

test('an address that a client makes up is not believed', async () => {
  const lies = Array.from({ length: 300 }, (_, i) => from(`198.51.100.${i % 200}, 203.0.113.5`, '/v1/info'));
  assert.ok((await statuses(lies)).get(429)! >= 100);
});

test('one address opens so many streams and no more, and may again when it closed some', async () => {
  const open = Array.from({ length: 5 }, () => new AbortController());
  const streams = await Promise.all(
    open.map(({ signal }) => from('203.0.113.6', '/v1/batch/events?topics=a', { signal })),
  );
  assert.deepEqual(new Set(streams.map(({ status }) => status)), new Set([200]));
  assert.equal((await from('203.0.113.6', '/v1/txs')).status, 429);
  for (const controller of open) controller.abort();
  for (let attempt = 0; ; attempt++) {
    const again = await from('203.0.113.6', '/v1/batch/events?topics=a');
    if (again.status === 200) {
      await again.body!.cancel();
      break;
    }
    assert.ok(attempt < 50, 'a closed stream is still counted');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

test('gRPC spends from the same budgets', async () => {
  const client = grpcClient('IndexerService', url);
  const metadata = { 'x-forwarded-for': '203.0.113.7' };
  const codes = await Promise.all(
    Array.from({ length: 300 }, () =>
      client.call('GetVtxos', { scripts: [`5120${'ab'.repeat(32)}`] }, metadata).then(
        () => grpc.status.OK,
        (error: GrpcRefusal) => error.status,
      ),
    ),
  );
  const refused = codes.filter((code) => code === grpc.status.RESOURCE_EXHAUSTED).length;
  assert.ok(refused >= 100 && refused < 300, `${refused} refused`);
  assert.deepEqual(new Set(codes), new Set([grpc.status.OK, grpc.status.RESOURCE_EXHAUSTED]));
  // One address, one budget, whichever way it asks.
  assert.equal((await from('203.0.113.7', '/v1/info')).status, 429);
  client.close();
});

test('headers that are too large, a body that is too large and a lie about its length end one connection', async () => {
  const huge = await raw(`GET /v1/info HTTP/1.1\r\nhost: x\r\nx-filler: ${'a'.repeat(2 << 20)}\r\n\r\n`).received;
  // The server does not wait for the rest, so its answer may get lost.
  assert.match(huge, /^(HTTP\/1\.1 431 |$)/);
  const fat = fetch(`${url}/v1/tx/submit`, { method: 'POST', body: 'x'.repeat((4 << 20) + 1) });
  // Neither does it for the rest of a body.
  assert.equal(
    await fat.then(
      ({ status }) => status,
      () => 413,
    ),
    413,
  );
  const smuggled = await raw(
    'POST /v1/tx/submit HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  ).received;
  assert.match(smuggled, /^HTTP\/1\.1 400 /);
  assert.equal((await fetch(`${url}/v1/info`)).status, 200);
});

test('two hundred clients who dribble their requests keep nobody else from being served', async () => {
  const dribbling = Array.from({ length: 200 }, (_, i) =>
    raw(
      i % 2 === 0
        ? 'GET /v1/info HTTP/1.1\r\nhost: x\r\nx-slow'
        : 'POST /v1/tx/submit HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{',
    ),
  );
  await Promise.all(dribbling.map(({ socket }) => once(socket, 'connect')));
  const served = await statuses(Array.from({ length: 100 }, () => fetch(`${url}/v1/info`)));
  assert.deepEqual([...served], [[200, 100]]);
  for (const { socket } of dribbling) socket.destroy();
});

/** A server of the same make whose patience a test can outlast. */
async function impatient(options: Partial<HttpOptions>) {
  const streams = createStreams({ heartbeat: {}, intervalMs: () => 60_000, clock: systemClock });
  const app = new Hono().get('/', (c) => c.text('ok')).get('/events', (c) => streams.open(c).response);
  const server = createHttpServer(app, { host: '127.0.0.1', port: 0, ...options });
  const port = await server.start();
  return { server, port, ok: async () => (await fetch(`http://127.0.0.1:${port}/`)).text() };
}

test('who does not finish its headers, or its body, is sent away', async () => {
  const { server, port, ok } = await impatient({ headersTimeoutMs: 200, requestTimeoutMs: 400 });
  const unfinished = ['GET / HTTP/1.1\r\nhost: x\r\n', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nx'];
  const sockets = unfinished.map((text) => {
    const socket = connect(port, '127.0.0.1').resume();
    socket.on('error', () => {});
    socket.write(text);
    return socket;
  });
  await Promise.all(sockets.map(over));
  assert.equal(await ok(), 'ok');
  await server.stop();
});

test('one address holds so many connections and no more; a proxy holds those of many', async () => {
  const strangers = { ...createPeers(), connected: () => '203.0.113.9' };
  const { server, port } = await impatient({ peers: strangers, mostConnectionsPerPeer: 3 });
  const sockets = Array.from({ length: 4 }, () => connect(port, '127.0.0.1').on('error', () => {}));
  const closed = await Promise.race(sockets.map((socket, i) => over(socket.resume()).then(() => i)));
  assert.ok(closed >= 0);
  assert.equal(sockets.filter((socket) => socket.destroyed).length, 1);
  for (const socket of sockets) socket.destroy();
  await server.stop();
  const proxied = await impatient({ peers: createPeers(parseNetworks('127.0.0.1')), mostConnectionsPerPeer: 1 });
  const many = Array.from({ length: 4 }, () => connect(proxied.port, '127.0.0.1'));
  await Promise.all(many.map((socket) => once(socket, 'connect')));
  assert.equal(await proxied.ok(), 'ok');
  for (const socket of many) socket.destroy();
  await proxied.server.stop();
});

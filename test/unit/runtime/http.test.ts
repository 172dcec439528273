import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { Hono } from 'hono';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createHttpServer, type HttpOptions } from '../../../src/runtime/http.ts';
import { createStreams, type EventStream } from '../../../src/runtime/sse.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };

async function serve(options: Partial<HttpOptions> = {}) {
  const streams: EventStream[] = [];
  const open = createStreams({ heartbeat: { heartbeat: {} }, intervalMs: () => 60_000, clock: systemClock }).open;
  const app = new Hono();
  app.post('/length', async (c) => c.text(String((await c.req.text()).length)));
  app.get('/events', (c) => {
    const stream = open(c);
    streams.push(stream);
    return stream.response;
  });
  app.get('/slow', async (c) => {
    await new Promise((resolve) => setTimeout(resolve, 200));
    return c.text('done');
  });
  const server = createHttpServer(app, { ...LOOPBACK, ...options });
  const port = await server.start();
  return { server, port, streams, url: `http://127.0.0.1:${port}` };
}

const chunked = (text: string): RequestInit & { duplex: 'half' } => ({
  method: 'POST',
  body: new Blob([text]).stream(),
  duplex: 'half',
});

test('bodies up to the limit arrive, larger ones get 413, announced or not', async () => {
  const { server, url } = await serve({ maxBodyBytes: 1_000 });
  const post = (init: RequestInit): Promise<Response> => fetch(`${url}/length`, { method: 'POST', ...init });
  assert.equal(await (await post({ body: 'x'.repeat(1_000) })).text(), '1000');
  assert.equal(await (await post(chunked('x'.repeat(1_000)))).text(), '1000');
  const refused = await post({ body: 'x'.repeat(1_001) });
  assert.equal(refused.status, 413);
  assert.equal(((await refused.json()) as { code: string }).code, 'BODY_TOO_LARGE');
  assert.equal((await post(chunked('x'.repeat(1_001)))).status, 413);
  await server.stop();
});

test('a taken port has a code', async () => {
  const { server, port } = await serve();
  await assert.rejects(createHttpServer(new Hono(), { ...LOOPBACK, port }).start(), { code: 'PORT_TAKEN' });
  await server.stop();
  await assert.rejects(createHttpServer(new Hono(), { host: '203.0.113.1', port: 0 }).start(), {
    code: 'LISTEN_FAILED',
  });
});

test('stopping ends streams with EOS, lets a running answer finish and takes less than two seconds', async () => {
  const { server, url, port, streams } = await serve();
  const events = await fetch(`${url}/events`);
  const slow = fetch(`${url}/slow`).then((response) => response.text());
  // A connection that never asks for anything must not delay the stop.
  const idle = connect(port, '127.0.0.1');
  await once(idle, 'connect');
  await new Promise((resolve) => setTimeout(resolve, 50));
  const began = Date.now();
  await server.stop();
  assert.ok(Date.now() - began < 2_000);
  assert.equal(await slow, 'done');
  assert.match(await events.text(), /event: EOS\ndata: \n\n$/);
  await streams[0]!.closed;
  idle.destroy();
});

test('garbage on the socket ends that connection only', async () => {
  const { server, url, port } = await serve();
  const socket = connect(port, '127.0.0.1').resume();
  socket.write('NOT HTTP AT ALL\r\n\r\n');
  await once(socket, 'close');
  assert.equal((await fetch(`${url}/slow`)).status, 200);
  await server.stop();
});

test('an upgrade to what is no path is refused, and the server lives on', async () => {
  const { server, url, port } = await serve({ webSocket: { path: '/ws', accept: (socket) => socket.send('hello') } });
  for (const path of ['//', '/other', '*', 'http://[', '/ws/']) {
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    const [answer] = await once(socket, 'data');
    assert.match(String(answer), /^HTTP\/1\.1 40[04] /, path);
    socket.destroy();
  }
  const heard = await new Promise((resolve) => {
    new WebSocket(`ws://127.0.0.1:${port}/ws?query=1`).onmessage = ({ data }) => resolve(data);
  });
  assert.equal(heard, 'hello');
  assert.equal((await fetch(`${url}/slow`)).status, 200);
  await server.stop();
});

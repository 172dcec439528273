import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect as connectSocket, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Hono } from 'hono';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createHttpServer, type HttpOptions } from '../../../src/runtime/http.ts';
import { createStreams, type EventStream } from '../../../src/runtime/sse.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const SETTINGS = '000000040000000000';

async function serve(t: TestContext, options: Partial<HttpOptions> = {}) {
  const streams: EventStream[] = [];
  const listeners = createStreams({ heartbeat: {}, intervalMs: () => 60_000, clock: systemClock });
  const app = new Hono();
  app.get('/version', (c) => c.text((c.env as { incoming: { httpVersion: string } }).incoming.httpVersion));
  app.post('/length', async (c) => c.text(String((await c.req.text()).length)));
  app.get('/events', (c) => {
    const stream = listeners.open(c);
    streams.push(stream);
    stream.send({ hello: 'world' });
    return stream.response;
  });
  app.get('/slow', async (c) => {
    await new Promise((resolve) => setTimeout(resolve, 200));
    return c.text('done');
  });
  const server = createHttpServer(app, { host: '127.0.0.1', port: 0, ...options });
  const port = await server.start();
  t.after(() => server.stop());
  return { server, port, streams, url: `http://127.0.0.1:${port}` };
}

function open(t: TestContext, url: string): ClientHttp2Session {
  const session = connect(url);
  session.on('error', () => {});
  t.after(() => session.destroy());
  return session;
}

const textOf = async (stream: ClientHttp2Stream): Promise<string> => {
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) text += chunk;
  return text;
};

async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string) {
  const stream = session.request(headers);
  if (body !== undefined) stream.end(body);
  const [answer] = await once(stream, 'response');
  return { status: answer[':status'] as number, text: await textOf(stream) };
}

async function raw(port: number, ...pieces: string[]): Promise<{ socket: Socket; received: () => string }> {
  const socket = connectSocket(port, '127.0.0.1');
  let received = '';
  socket.on('data', (chunk) => (received += chunk.toString('latin1'))).on('error', () => {});
  await once(socket, 'connect');
  socket.setNoDelay(true);
  for (const piece of pieces) {
    socket.write(Buffer.from(piece, 'latin1'));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return { socket, received: () => received };
}

const closed = async (socket: Socket): Promise<void> => {
  if (!socket.closed) await once(socket, 'close');
};

test('one port speaks both versions, and the application is the same', async (t) => {
  const { url } = await serve(t);
  const session = open(t, url);
  assert.deepEqual(await ask(session, { ':path': '/version' }), { status: 200, text: '2.0' });
  assert.equal(await (await fetch(`${url}/version`)).text(), '1.1');
  const body = 'x'.repeat(300_000);
  assert.equal((await ask(session, { ':path': '/length', ':method': 'POST' }, body)).text, '300000');
  assert.equal(await (await fetch(`${url}/length`, { method: 'POST', body })).text(), '300000');
  assert.equal((await ask(session, { ':path': '/nothing' })).status, 404);
});

test('the first bytes may come one by one', async (t) => {
  const { port } = await serve(t);
  const one = await raw(port, ...'GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await closed(one.socket);
  assert.match(one.received(), /^HTTP\/1\.1 200 .*1\.1$/s);
  // As far as it goes this could become either.
  const almost = await raw(port, ...'PRX / HTTP/1.1\r\nHost: a\r\n\r\n');
  await closed(almost.socket);
  assert.match(almost.received(), /^HTTP\/1\.1 400 /);
  const two = await raw(port, ...PREFACE, Buffer.from(SETTINGS, 'hex').toString('latin1'));
  while (two.received() === '') await once(two.socket, 'data');
  assert.equal(two.received().charCodeAt(3), 4, 'a frame of settings');
  two.socket.destroy();
});

test('bodies over the limit get 413, announced or not', async (t) => {
  const { url } = await serve(t, { maxBodyBytes: 1_000 });
  const session = open(t, url);
  const post = { ':path': '/length', ':method': 'POST' };
  assert.equal((await ask(session, post, 'x'.repeat(1_000))).text, '1000');
  assert.equal((await ask(session, { ...post, 'content-length': '1001' }, 'x'.repeat(1_001))).status, 413);
  assert.equal((await ask(session, post, 'x'.repeat(1_001))).status, 413);
  assert.equal((await ask(session, post, 'x'.repeat(1_000_000))).status, 413);
  assert.equal((await ask(session, post, 'x')).text, '1', 'the connection lives on');
});

test('headers over the limit end their request', async (t) => {
  const { url } = await serve(t, { maxHeaderBytes: 4_096 });
  const refused = async (headers: OutgoingHttpHeaders): Promise<void> => {
    const session = open(t, url);
    // The limit counts once the peer has said that it heard of it.
    await ask(session, { ':path': '/version' });
    await assert.rejects(ask(session, { ':path': '/version', ...headers }));
  };
  await refused({ big: 'x'.repeat(8_192) });
  await refused(Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`h${i}`, 'x'])));
  assert.equal(await (await fetch(`${url}/version`)).text(), '1.1');
});

test('a peer that takes its time for a first word or a request is cut off', async (t) => {
  const { url, port } = await serve(t, { headersTimeoutMs: 40, requestTimeoutMs: 50 });
  for (const pieces of [[], ['P'], ['PRI * HTTP/2.0']]) {
    const { socket } = await raw(port, ...pieces);
    await closed(socket);
  }
  const stream = open(t, url).request({ ':path': '/length', ':method': 'POST' });
  stream.write('x');
  await once(stream, 'close');
  assert.equal(stream.rstCode, constants.NGHTTP2_CANCEL);
});

test('a stream of events arrives, is noticed when it breaks, and ends when the server does', async (t) => {
  const { server, url, streams } = await serve(t);
  const session = open(t, url);
  const broken = session.request({ ':path': '/events' });
  await once(broken, 'data');
  broken.close(constants.NGHTTP2_CANCEL);
  await streams[0]!.closed;
  const kept = session.request({ ':path': '/events' });
  await once(kept, 'response');
  const text = textOf(kept);
  const slow = ask(session, { ':path': '/slow' });
  await new Promise((resolve) => setTimeout(resolve, 50));
  await server.stop();
  assert.match(await text, /data: \{"hello":"world"\}\n\n.*event: EOS/s);
  assert.equal((await slow).text, 'done');
});

test('a stop does not wait for whoever is connected and silent', async (t) => {
  const { server, url, port } = await serve(t);
  const session = open(t, url);
  await once(session, 'remoteSettings');
  const undecided = await raw(port, 'PRI * ');
  const began = Date.now();
  await server.stop();
  assert.ok(Date.now() - began < 2_000);
  undecided.socket.destroy();
});

test('nonsense after the preface ends that connection only', async (t) => {
  const { url, port } = await serve(t);
  const hex = (text: string): string => Buffer.from(text.replaceAll(' ', ''), 'hex').toString('latin1');
  const nonsense = [
    'not a frame at all, but long enough to be taken for one',
    hex('ffffff 00 00 00000001'),
    `${hex(SETTINGS)}${hex('000004 01 04 00000001 ffffffff')}`,
    `${hex(SETTINGS)}${hex('000000 09 04 00000001')}`,
    `${hex(SETTINGS)}${hex('000004 08 00 00000000 00000000')}`,
    `${hex(SETTINGS)}${hex('000001 00 00 00000007 00')}`,
    hex('000006 04 00 00000000 0004 ffffffff'),
  ];
  for (const piece of nonsense) {
    const { socket } = await raw(port, PREFACE, piece);
    await closed(socket);
  }
  assert.equal(await (await fetch(`${url}/version`)).text(), '1.1');
});

test('streams reset as fast as they are opened cost the connection, not the server', async (t) => {
  const { url } = await serve(t);
  const session = open(t, url);
  const over = new Promise((resolve) => session.once('close', resolve));
  for (let i = 0; i < 20_000 && !session.destroyed && !session.closed; i++) {
    const stream = session.request({ ':path': '/slow' });
    stream.on('error', () => {});
    stream.close(constants.NGHTTP2_CANCEL);
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await over;
  assert.equal(await (await fetch(`${url}/version`)).text(), '1.1');
});

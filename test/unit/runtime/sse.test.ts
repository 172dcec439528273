import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { EventSource } from 'eventsource';
import { Hono } from 'hono';
import { createManualClock, systemClock } from '../../../src/runtime/clock.ts';
import { createHttpServer } from '../../../src/runtime/http.ts';
import { addressed } from '../../../src/runtime/message-stream.ts';
import { createStreams, type EventStream } from '../../../src/runtime/sse.ts';

const HEARTBEAT = { heartbeat: {} };
const clock = createManualClock();
const opener = createStreams({ heartbeat: HEARTBEAT, intervalMs: () => 15_000, clock });
const streams: EventStream[] = [];
const app = new Hono().get('/events', (c) => {
  const stream = opener.open(c);
  streams.push(stream);
  return stream.response;
});

async function open(): Promise<{ stream: EventStream; response: Response }> {
  const response = await app.request('/events');
  return { stream: streams.at(-1)!, response };
}

async function serve() {
  const server = createHttpServer(app, { host: '127.0.0.1', port: 0 });
  return { server, port: await server.start() };
}

test('messages are one data line each and the end is an EOS event', async () => {
  const { stream, response } = await open();
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  assert.equal(response.headers.get('cache-control'), 'no-cache');
  stream.send({ text: 'two\nlines' });
  stream.send({ streamStarted: { id: 'x' } });
  stream.end();
  stream.send({ late: true });
  assert.equal(
    await response.text(),
    'data: {"text":"two\\nlines"}\n\ndata: {"streamStarted":{"id":"x"}}\n\nid: EOS\nevent: EOS\ndata: \n\n',
  );
  await stream.closed;
});

test('a failure is told and ends the stream', async () => {
  const { stream, response } = await open();
  stream.fail({ code: 13, message: 'no' });
  stream.end();
  assert.equal(await response.text(), 'event: failure\ndata: {"code":13,"message":"no"}\n\n');
  await stream.closed;
});

test('a heartbeat comes every interval until the stream is over', async () => {
  const { stream, response } = await open();
  // The first comes within an interval: when exactly depends on how many others wait for theirs.
  await clock.advance(30_000);
  stream.end();
  await clock.advance(60_000);
  const beats = (await response.text()).split('\n\n').filter((frame) => frame === 'data: {"heartbeat":{}}');
  assert.equal(beats.length, 2);
});

test('a listener that goes away closes the stream', async () => {
  const { stream, response } = await open();
  await response.body!.cancel();
  await stream.closed;

  const { server, port } = await serve();
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /events HTTP/1.1\r\nhost: x\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.destroy();
  await streams.at(-1)!.closed;
  await server.stop();
});

test('a listener that does not read is cut off, and only that one', async () => {
  const { server, port } = await serve();
  const lazy = connect(port, '127.0.0.1').on('error', () => {});
  lazy.pause();
  lazy.write('GET /events HTTP/1.1\r\nhost: x\r\n\r\n');
  const count = streams.length;
  while (streams.length === count) await new Promise((resolve) => setTimeout(resolve, 5));
  const stream = streams.at(-1)!;
  let over = false;
  void stream.closed.then(() => {
    over = true;
  });
  const message = { filler: 'x'.repeat(60_000) };
  // The system's socket buffers take some megabytes before anything queues up here.
  for (let i = 0; i < 2_000 && !over; i++) {
    stream.send(message);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(over, true);
  assert.equal((await open()).response.status, 200);
  lazy.destroy();
  await server.stop();
});

test('headers reach a real EventSource at once, then what is sent', async () => {
  const { server, port } = await serve();
  const source = new EventSource(`http://127.0.0.1:${port}/events`);
  await new Promise((resolve) => source.addEventListener('open', resolve, { once: true }));
  const received = new Promise<string>((resolve) =>
    source.addEventListener('message', (event) => resolve(event.data), { once: true }),
  );
  streams.at(-1)!.send({ hello: true });
  assert.equal(await received, '{"hello":true}');
  source.close();
  await streams.at(-1)!.closed;
  await server.stop();
});

test('a thousand idle streams cost little and hear one message each', async () => {
  const { server, port } = await serve();
  const count = 1_000;
  const first = streams.length;
  const sockets = Array.from({ length: count }, () => connect(port, '127.0.0.1'));
  const heads = sockets.map((socket) => new Promise((resolve) => socket.once('data', resolve)));
  const before = process.memoryUsage().rss;
  for (const socket of sockets) socket.write('GET /events HTTP/1.1\r\nhost: x\r\n\r\n');
  await Promise.all(heads);
  const opened = streams.slice(first);
  assert.equal(opened.length, count);
  const told = sockets.map(
    (socket) => new Promise<string>((resolve) => socket.once('data', (d) => resolve(String(d)))),
  );
  for (const stream of opened) stream.send({ n: 1 });
  for (const text of await Promise.all(told)) assert.match(text, /data: \{"n":1\}/);
  const kilobytesEach = (process.memoryUsage().rss - before) / 1024 / count;
  assert.ok(kilobytesEach < 100, `${kilobytesEach} KiB per stream`);
  for (const socket of sockets) socket.destroy();
  await Promise.all(opened.map((stream) => stream.closed));
  await server.stop();
});

test('the system clock drives heartbeats too', async () => {
  const quick = createStreams({ heartbeat: {}, intervalMs: () => 20, clock: systemClock });
  const app = new Hono().get('/', (c) => quick.open(c).response);
  const reader = (await app.request('/')).body!.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), 'data: {}\n\n');
  await reader.cancel();
});

test('a message for many streams is turned to text once', async () => {
  const [one, other] = [await open(), await open()];
  let printed = 0;
  const message = { toJSON: () => ({ printed: ++printed }) };
  for (const { stream } of [one, other]) {
    stream.send(message);
    stream.end();
  }
  const texts = await Promise.all([one.response.text(), other.response.text()]);
  assert.deepEqual([printed, texts[0], texts[0] === texts[1]], [1, texts[0], true]);
});

test('streams are counted, in all and for each peer, and what is over the limit is refused', async () => {
  const few = createStreams({ heartbeat: {}, intervalMs: () => 15_000, clock, most: 3, mostPerPeer: 2 });
  const leave = few.admit('a');
  few.admit('a');
  assert.throws(() => few.admit('a'), { code: 'RATE_LIMITED' });
  few.admit(undefined);
  assert.throws(() => few.admit('b'), { code: 'UNAVAILABLE' });
  leave();
  leave();
  assert.equal(few.size, 2);
  few.admit('b');
});

test('a listener that was cut off is told of, and its place is free again', async () => {
  let slow = 0;
  const few = createStreams({ heartbeat: {}, intervalMs: () => 15_000, clock, most: 1, onSlow: () => slow++ });
  const lazy = new Hono().get('/', (c) => {
    const stream = few.open(c);
    stream.send({ filler: 'x'.repeat(2 << 20) });
    return stream.response;
  });
  await lazy.request('/');
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([slow, few.size], [1, 0]);
});

test('what many are told under ids of their own is the same text but for the id', async () => {
  const streams = createStreams({ heartbeat: {}, intervalMs: () => 60_000, clock: createManualClock() });
  const common = { treeTx: { id: '', topic: ['a'], batchIndex: 1 } };
  for (const id of ['one', 't"wo']) {
    const app = new Hono().get('/', (c) => {
      const stream = streams.open(c);
      stream.send(addressed(common, id));
      stream.end();
      return stream.response;
    });
    const text = await (await app.request('/')).text();
    assert.equal(text.split('\n')[0], `data: ${JSON.stringify({ treeTx: { ...common.treeTx, id } })}`);
  }
});

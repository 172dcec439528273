/** What a transport makes of answers and streams, good ones and bad ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTransport, type Fetch } from '../../../../src/ark/client/transport.ts';
import { ARK_ROUTES, INDEXER_ROUTES } from '../../../../src/ark/wire/routes.ts';
import { ProtocolError } from '../../../../src/base/errors.ts';

const answering =
  (body: ConstructorParameters<typeof Response>[0], status = 200): Fetch =>
  async () =>
    new Response(body, { status });

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return 'fine';
}

test('a call fills in its path, repeats lists, and sends its body as JSON', async () => {
  const seen: [string, RequestInit][] = [];
  const { call } = createTransport(async (url, init) => {
    seen.push([url, init]);
    return new Response('{"a":1}');
  }, 'http://ark');
  const params = { txid: 'a/b', vout: 1 };
  assert.deepEqual(await call({ route: INDEXER_ROUTES.vtxoChain, params, query: { scripts: ['x', 'y z'], n: 2 } }), {
    a: 1,
  });
  await call({ route: ARK_ROUTES.submitTx, body: { b: 2 }, headers: { 'x-digest': 'd' } });
  assert.equal(seen[0]![0], 'http://ark/v1/indexer/vtxo/a%2Fb/1/chain?scripts=x&scripts=y%20z&n=2');
  assert.equal(seen[1]![1].body, '{"b":2}');
  assert.deepEqual(seen[1]![1].headers, { 'x-digest': 'd', 'content-type': 'application/json' });
});

test('a refusal keeps the server’s code, or else its status; nonsense is a malformed answer', async () => {
  const code = (body: string, status?: number) =>
    codeOf(createTransport(answering(body, status)).call({ route: ARK_ROUTES.getInfo }));
  assert.equal(await code('{"details":[{"name":"VTXO_BANNED","message":"m","metadata":{}}]}', 400), 'VTXO_BANNED');
  assert.equal(await code('{"message":"m","details":[]}', 400), 'HTTP_400');
  assert.equal(await code('{"details":[7]}', 500), 'HTTP_500');
  assert.equal(await code('<html>', 502), 'HTTP_502');
  assert.equal(await code('<html>'), 'MALFORMED_ANSWER');
  assert.equal(await code('[]'), 'MALFORMED_ANSWER');
});

/** A body that arrives in these pieces. */
const inPieces = (...pieces: string[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
      controller.close();
    },
  });

async function messagesIn(...pieces: string[]): Promise<unknown[]> {
  const stream = await createTransport(answering(inPieces(...pieces))).open({ route: ARK_ROUTES.txs });
  const seen: unknown[] = [];
  for await (const message of stream) seen.push(message);
  return seen;
}

test('a stream yields each message once, however it is cut, until its end is announced', async () => {
  assert.deepEqual(await messagesIn('data: {"a":1}\n\nda', 'ta: {"b"', ':2}\n', '\n: comment\n\n'), [
    { a: 1 },
    { b: 2 },
  ]);
  assert.deepEqual(await messagesIn('data: {"a":1}\n\nid: EOS\nevent: EOS\ndata: \n\ndata: {"b":2}\n\n'), [{ a: 1 }]);
  assert.deepEqual(await messagesIn('data: {"a":1}\n\nevent: failure\ndata: {}\n\n'), [{ a: 1 }]);
  assert.deepEqual(await messagesIn('data: {"a":1}\n\ndata: {"unfinished"'), [{ a: 1 }]);
  assert.equal(await codeOf(messagesIn('data: nonsense\n\n')), 'MALFORMED_ANSWER');
});

test('a stream that its reader closes ends at once', async () => {
  const endless = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode('data: {"a":1}\n\n')),
  });
  const stream = await createTransport(answering(endless)).open({ route: ARK_ROUTES.txs });
  const seen: unknown[] = [];
  for await (const message of stream) {
    seen.push(message);
    stream.close();
  }
  assert.deepEqual(seen, [{ a: 1 }]);
});

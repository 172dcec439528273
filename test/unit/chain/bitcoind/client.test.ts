import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createRpcClient, type RpcClient, type RpcOptions, readCookie } from '../../../../src/chain/bitcoind/client.ts';
import { RpcError } from '../../../../src/chain/bitcoind/rpc-error.ts';

interface Call {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

/** A client of a server that answers as told. */
async function withServer(
  listener: RequestListener,
  work: (client: RpcClient) => Promise<void>,
  options: Partial<RpcOptions> = {},
): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const credentials = () => ({ user: 'ü', password: 'p:w' });
  try {
    await work(createRpcClient({ url: `http://127.0.0.1:${port}`, credentials, ...options }));
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Answers each call of a batch by `answer`, the last first. */
const answering =
  (answer: (call: Call) => object, onRequest: (calls: readonly Call[]) => void = () => {}): RequestListener =>
  async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const calls = JSON.parse(body) as Call[];
    onRequest(calls);
    response.end(JSON.stringify(calls.map((call) => ({ id: call.id, ...answer(call) })).reverse()));
  };

const saying =
  (status: number, text: string): RequestListener =>
  (_request, response) =>
    response.writeHead(status).end(text);

test('a call has its parameters and credentials, and its answer or refusal', () =>
  withServer(
    async (request, response) => {
      const auth = Buffer.from(request.headers.authorization!.replace('Basic ', ''), 'base64').toString();
      answering(({ method, params }) =>
        method === 'no'
          ? { result: null, error: { code: -8, message: 'never' } }
          : { result: [method, params, auth], error: null },
      )(request, response);
    },
    async (client) => {
      assert.deepEqual(await client.call('yes', 1, 'two', [3]), ['yes', [1, 'two', [3]], 'ü:p:w']);
      await assert.rejects(client.call('no'), (error) => error instanceof RpcError && error.code === -8);
    },
  ));

test('a long batch goes in parts and comes back in order', async () => {
  const sizes: number[] = [];
  await withServer(
    answering(
      ({ params }) => ({ result: params[0], error: null }),
      (calls) => sizes.push(calls.length),
    ),
    async (client) => {
      const numbers = Array.from({ length: 450 }, (_, i) => i);
      assert.deepEqual(await client.batch(numbers.map((number) => ({ method: 'echo', params: [number] }))), numbers);
      assert.deepEqual(await client.batch([]), []);
    },
  );
  assert.ok(sizes.length > 1 && Math.max(...sizes) < 450);
});

test('the node never has more than a few requests at once', async () => {
  let running = 0;
  let most = 0;
  await withServer(
    async (request, response) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      answering(() => ({ result: 1, error: null }))(request, response);
    },
    async (client) => {
      const answers = await Promise.all(Array.from({ length: 40 }, () => client.call('x')));
      assert.equal(answers.length, 40);
    },
  );
  assert.ok(most > 1 && most <= 4, `${most}`);
});

test('what is no answer of a bitcoind is an error with a code', async () => {
  const cases: readonly (readonly [RequestListener, string])[] = [
    [saying(401, ''), 'NODE_UNAUTHORIZED'],
    [saying(403, ''), 'NODE_UNAUTHORIZED'],
    [saying(200, '<html>'), 'NODE_MISBEHAVES'],
    [saying(503, 'Work queue depth exceeded'), 'NODE_UNREACHABLE'],
    [saying(200, 'null'), 'NODE_MISBEHAVES'],
    [saying(200, '[]'), 'NODE_MISBEHAVES'],
    [saying(500, '{"error":{"code":-28,"message":"Loading"},"id":null}'), 'NODE_STARTING'],
    [answering(() => ({ error: { code: -28, message: 'Loading' } })), 'NODE_STARTING'],
    [(request) => request.socket.destroy(), 'NODE_UNREACHABLE'],
    [
      (request, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('[', () => request.socket.destroy());
      },
      'NODE_UNREACHABLE',
    ],
    [() => {}, 'NODE_UNREACHABLE'],
  ];
  for (const [listener, code] of cases) {
    await withServer(listener, (client) => assert.rejects(client.call('x'), { name: 'NodeError', code }), {
      timeout: 200,
    });
  }
});

test('a cookie that is not there means that no node runs', () => {
  assert.throws(() => readCookie('/nowhere/.cookie'), { name: 'NodeError', code: 'NODE_UNREACHABLE' });
  assert.throws(() => readCookie(import.meta.dirname), { name: 'NodeError', code: 'NODE_UNREACHABLE' });
});

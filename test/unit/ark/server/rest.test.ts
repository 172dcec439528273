import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hono } from 'hono';
import { bindingsOf } from '../../../../src/ark/server/rest.ts';
import { IndexerService } from '../../../../src/ark/wire/gen/ark/v1/indexer_pb.ts';
import { ArkService } from '../../../../src/ark/wire/gen/ark/v1/service_pb.ts';

const { getVtxoTree, getVirtualTxs, getVtxos, getSubscription } = IndexerService.method;
const { getIntent, submitTx } = ArkService.method;

/** What a handler of these methods would get for a request. */
async function requested(methods: readonly Parameters<typeof bindingsOf>[0][], path: string, init?: RequestInit) {
  const app = new Hono();
  for (const { route, request } of methods.flatMap(bindingsOf)) {
    app.on(route.method, route.path, async (c) => c.json(await request(c)));
  }
  app.onError((error, c) => c.json({ refused: (error as Error & { code?: string }).code }));
  return (await app.request(path, init)).json();
}

test('fields come from the path, also those of a message further down', async () => {
  assert.deepEqual(await requested([getVtxoTree], '/v1/indexer/batch/ab/3/tree?page.size=2&page.index=1'), {
    page: { size: '2', index: '1' },
    batchOutpoint: { txid: 'ab', vout: '3' },
  });
  assert.deepEqual(await requested([getVirtualTxs], '/v1/indexer/virtualTx/a,b?token=t'), {
    token: 't',
    txids: ['a', 'b'],
  });
});

test('a list repeats its name in the query, in either spelling; unknown names mean nothing', async () => {
  const path = '/v1/indexer/vtxos?scripts=a&scripts=b,c&spendable_only=true&after=5&nonsense=1&page=7&page.nonsense=1';
  assert.deepEqual(await requested([getVtxos], path), { scripts: ['a', 'b,c'], spendableOnly: 'true', after: '5' });
  const nested = '/v1/indexer/subscription?filter.expressions=f(a,b)&filter.scripts.add=x&filter.scripts.add=y';
  assert.deepEqual(await requested([getSubscription], nested), {
    filter: { expressions: ['f(a,b)'], scripts: { add: ['x', 'y'] } },
  });
});

test('no name in a query reaches a prototype', async () => {
  const path = '/v1/indexer/vtxos?__proto__=1&constructor.prototype.x=1&page.__proto__.size=1&scripts=a';
  assert.deepEqual(await requested([getVtxos], path), { scripts: ['a'] });
});

test('a method may have a second way to it; a body is a JSON object or nothing', async () => {
  const post = (body: string) => ({ method: 'POST', body });
  assert.deepEqual(await requested([getIntent], '/v1/intent?txid=ab'), { txid: 'ab' });
  assert.deepEqual(await requested([getIntent], '/v1/intent', post('{"txid":"cd"}')), { txid: 'cd' });
  assert.deepEqual(await requested([submitTx], '/v1/tx/submit', post(' ')), {});
  for (const body of ['[]', '7', 'null', '{', '"x"']) {
    assert.deepEqual(await requested([submitTx], '/v1/tx/submit', post(body)), { refused: 'MALFORMED_REQUEST' });
  }
});

/** A server whose node goes away says so, and what still works goes on working. */
import assert from 'node:assert/strict';
import { bitcoindTest, withCredentials } from '../support/bitcoind.ts';
import { eventually } from '../support/sdk.ts';
import { startStack } from '../support/stack.ts';

bitcoindTest('readiness while the node is away', async (node) => {
  const stack = await startStack(['--chain', withCredentials(node.url), '--ephemeral']);
  const { url, adminUrl } = stack.ready.ark;
  const get = async (path: string, base = url) => {
    const response = await fetch(base + path);
    return { status: response.status, body: (await response.json()) as unknown };
  };
  assert.deepEqual(await get('/readyz'), { status: 200, body: { status: 'SERVING', troubles: [] } });
  await node.halt();
  const away = { status: 'NOT_SERVING', troubles: [{ part: 'chain', code: 'NODE_UNREACHABLE' }] };
  for (const base of [url, adminUrl]) {
    await eventually(async () => assert.deepEqual(await get('/readyz', base), { status: 503, body: away }));
  }
  assert.equal((await get('/healthz')).status, 200);
  assert.equal((await get('/v1/info')).status, 200);
  const metrics = await (await fetch(`${adminUrl}/metrics`)).text();
  assert.match(metrics, /canalworks_up\{part="chain"\} 0/);
  assert.match(metrics, /canalworks_up\{part="database"\} 1/);
  await node.resume();
  await eventually(async () => assert.equal((await get('/readyz')).status, 200), 20_000);
  await stack.stop();
});

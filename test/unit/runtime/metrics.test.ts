import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '../../../src/runtime/metrics.ts';

const linesOf = async (metrics: ReturnType<typeof createMetrics>): Promise<string[]> =>
  (await metrics.print()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('a counter shows every combination of its labels from the start', async () => {
  const metrics = createMetrics();
  const counter = metrics.counter('c_total', 'help', { a: ['x', 'y'], b: ['z'] });
  counter.add({ a: 'x', b: 'z' });
  counter.add({ a: 'x', b: 'z' }, 2);
  assert.deepEqual(await linesOf(metrics), ['c_total{a="x",b="z"} 3', 'c_total{a="y",b="z"} 0']);
});

test('a histogram counts values, and the seconds of work that did not fail', async () => {
  const metrics = createMetrics();
  const histogram = metrics.histogram('h', 'help', { call: ['submit'] }, [1, 10]);
  histogram.observe({ call: 'submit' }, 5);
  assert.equal(await histogram.time({ call: 'submit' }, async () => 'result'), 'result');
  await assert.rejects(
    histogram.time({ call: 'submit' }, async () => {
      throw new Error('no');
    }),
  );
  const lines = await linesOf(metrics);
  assert.ok(lines.includes('h_bucket{le="1",call="submit"} 1'));
  assert.ok(lines.includes('h_bucket{le="10",call="submit"} 2'));
  assert.ok(lines.includes('h_count{call="submit"} 2'));
});

test('a gauge is read when it is printed, and one that cannot be read spoils nothing', async () => {
  const metrics = createMetrics();
  let value: number | undefined = 1;
  metrics.gauge('g', 'help', { of: ['a'] }, async () => {
    if (value === undefined) throw new Error('away');
    return [{ labels: { of: 'a' }, value }];
  });
  metrics.counter('c_total', 'help', {});
  assert.deepEqual(await linesOf(metrics), ['g{of="a"} 1', 'c_total 0']);
  value = undefined;
  assert.deepEqual(await linesOf(metrics), ['c_total 0']);
  value = 7;
  assert.deepEqual(await linesOf(metrics), ['g{of="a"} 7', 'c_total 0']);
});

test('two servers in one process do not share their numbers', async () => {
  const [one, other] = [createMetrics(), createMetrics()];
  one.counter('c_total', 'help', {}).add({});
  other.counter('c_total', 'help', {});
  assert.deepEqual(await linesOf(other), ['c_total 0']);
});

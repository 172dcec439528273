import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Txid } from '../../../src/base/bytes.ts';
import { ANCHOR } from '../../../src/bitcoin/package.ts';
import { type Tx, txIn, txidOf } from '../../../src/bitcoin/tx.ts';
import { byTxid, lineageOf } from '../../../src/txgraph/lineage.ts';
import { planUnroll } from '../../../src/txgraph/unroll.ts';
import { FUNDING, output } from './support.ts';

/** Spends the first output of each parent, or output `i` of nowhere. */
const txOf = (value: number, ...parents: readonly (Tx | number)[]): Tx => ({
  version: 3,
  inputs: parents.map((parent) =>
    txIn(typeof parent === 'number' ? { ...FUNDING, vout: parent } : { txid: txidOf(parent), vout: 0 }),
  ),
  outputs: [output(value), ANCHOR],
  locktime: 0,
});
const lookUp = (...txs: readonly Tx[]) => {
  const known = byTxid(txs);
  return (txid: Txid): Tx | undefined => known.get(txid);
};

const a = txOf(1, 0);
const b = txOf(2, 1);
const c = txOf(3, a);
const d = txOf(4, c, b);
const e = txOf(5, d, b);

test('parents before children, each once, what they hang on, and how deep they lie', () => {
  const { txs, roots, depths } = lineageOf(txidOf(e), lookUp(e, d, c, b, a, txOf(9, 7)));
  const place = (tx: Tx): number => txs.indexOf(tx);
  assert.equal(txs.length, 5);
  assert.equal(txs.at(-1), e);
  for (const [parent, child] of [
    [a, c],
    [c, d],
    [b, d],
    [d, e],
    [b, e],
  ] as const)
    assert.ok(place(parent) < place(child));
  assert.deepEqual(roots.map(({ vout }) => vout).sort(), [0, 1]);
  assert.deepEqual(
    [a, b, c, d, e].map((tx) => depths.get(txidOf(tx))),
    [1, 1, 2, 3, 4],
  );
});

test('what is not known is where it hangs', () => {
  const { txs, roots } = lineageOf(txidOf(e), lookUp(e, d, b));
  assert.deepEqual(txs, [b, d, e]);
  assert.deepEqual(new Set(roots.map(({ txid }) => txid)), new Set([txidOf(c), FUNDING.txid]));
  assert.deepEqual(lineageOf(txidOf(e), () => undefined).txs, []);
});

test('a chain of twenty thousand does not exhaust the stack', () => {
  const chain = [txOf(0, 0)];
  for (let i = 1; i < 20_000; i++) chain.push(txOf(i, chain.at(-1)!));
  const { txs, depths } = lineageOf(txidOf(chain.at(-1)!), lookUp(...chain));
  assert.equal(txs.length, 20_000);
  assert.equal(depths.get(txidOf(chain.at(-1)!)), 20_000);
});

test('ids that are not those of their transactions may run in a circle, which ends', () => {
  const [one, two] = ['aa', 'bb'].map((byte) => byte.repeat(32) as Txid) as [Txid, Txid];
  const spending = (txid: Txid): Tx => ({ ...a, inputs: [txIn({ txid, vout: 0 })] });
  const circle = new Map([
    [one, spending(two)],
    [two, spending(one)],
  ]);
  assert.throws(() => lineageOf(one, (txid) => circle.get(txid)), { name: 'InvariantError' });
});

test('what is ready goes out, what is in the mempool is waited for, the rest waits for its parents', () => {
  const txs = [a, b, c, d, e];
  const plan = (places: Readonly<Record<string, 'mempool' | 'block'>>) => {
    const { ready, waiting, left } = planUnroll(txs, (txid) => places[txid] ?? 'nowhere');
    return [ready, waiting, left];
  };
  assert.deepEqual(plan({}), [[a, b], [], 5]);
  assert.deepEqual(plan({ [txidOf(a)]: 'mempool', [txidOf(b)]: 'block' }), [[], [a], 4]);
  assert.deepEqual(plan({ [txidOf(a)]: 'block' }), [[b, c], [], 4]);
  const most = Object.fromEntries([a, b, c].map((tx) => [txidOf(tx), 'block' as const]));
  assert.deepEqual(plan(most), [[d], [], 2]);
  assert.deepEqual(plan({ ...most, [txidOf(d)]: 'block', [txidOf(e)]: 'block' }), [[], [], 0]);
});

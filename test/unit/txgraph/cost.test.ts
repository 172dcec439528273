import assert from 'node:assert/strict';
import { test } from 'node:test';
import { feeRate } from '../../../src/base/units.ts';
import { ANCHOR, ANCHOR_CHILD_VSIZE, anchorChild } from '../../../src/bitcoin/package.ts';
import { p2tr } from '../../../src/bitcoin/script.ts';
import { type Tx, txIn, txidOf, vsizeOf } from '../../../src/bitcoin/tx.ts';
import { packageVsize, unrollCost } from '../../../src/txgraph/cost.ts';
import { FUNDING, output } from './support.ts';

const DUST = 330n;
const RATE = feeRate(2);
const txOf = (value: number, ...parents: readonly (Tx | number)[]): Tx => ({
  version: 3,
  inputs: parents.map((parent) => ({
    ...txIn(typeof parent === 'number' ? { ...FUNDING, vout: parent } : { txid: txidOf(parent), vout: 0 }),
    witness: [new Uint8Array(64)],
  })),
  outputs: [output(value), ANCHOR],
  locktime: 0,
});

const a = txOf(1, 0);
const b = txOf(2, 1);
const c = txOf(3, a, b);
const d = txOf(4, c);
const all = [a, b, c, d];
const feeFor = (tx: Tx): bigint => BigInt(Math.ceil(packageVsize(tx) * RATE));
const total = all.map(feeFor).reduce((sum, fee) => sum + fee);

test('the fee is what a child of that size really pays', () => {
  const script = p2tr(new Uint8Array(32).fill(2));
  const coin = { outpoint: { ...FUNDING, vout: 5 }, output: { value: 100_000n, script } };
  const child = anchorChild(a, coin, script, RATE, DUST)!;
  assert.equal(100_000n - child.outputs[0]!.value, feeFor(a));
  const signed = {
    ...child,
    inputs: child.inputs.map((input, i) => (i === 1 ? { ...input, witness: [new Uint8Array(65)] } : input)),
  };
  assert.equal(vsizeOf(signed), ANCHOR_CHILD_VSIZE);
});

test('two coins pay for both branches at once, one coin for one after the other', () => {
  const two = unrollCost(all, RATE, [50_000n, 50_000n], DUST);
  assert.deepEqual([two.blocks, two.coins, two.shortfall, two.fee, two.transactions], [3, 2, 0n, total, 4]);
  assert.equal(
    two.vbytes,
    all.reduce((sum, tx) => sum + packageVsize(tx), 0),
  );
  const one = unrollCost(all, RATE, [50_000n], DUST);
  assert.deepEqual([one.blocks, one.shortfall], [4, 0n]);
});

test('a purse that holds exactly enough, and one that lacks a satoshi', () => {
  assert.equal(unrollCost(all, RATE, [total + DUST], DUST).shortfall, 0n);
  const short = unrollCost(all, RATE, [total + DUST - 1n], DUST);
  assert.equal(short.shortfall, feeFor(d) + DUST);
  assert.equal(short.blocks, 4);
});

test('an empty purse lacks everything; small coins do not add up', () => {
  assert.equal(unrollCost(all, RATE, [], DUST).shortfall, total + DUST);
  const crumbs = Array.from({ length: 100 }, () => DUST);
  assert.equal(unrollCost(all, RATE, crumbs, DUST).shortfall, total + DUST);
});

test('nothing costs nothing', () => {
  assert.deepEqual(unrollCost([], RATE, [], DUST), {
    transactions: 0,
    vbytes: 0,
    fee: 0n,
    blocks: 0,
    coins: 0,
    shortfall: 0n,
  });
});

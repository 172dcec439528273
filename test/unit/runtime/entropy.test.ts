import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../../../src/base/bytes.ts';
import { createManualEntropy, systemEntropy } from '../../../src/runtime/entropy.ts';

test('manual entropy depends on the seed and the bytes drawn, not on how they are drawn', () => {
  const whole = toHex(createManualEntropy('one').bytes(100));
  const parts = createManualEntropy('one');
  assert.equal([1, 40, 0, 59].map((length) => toHex(parts.bytes(length))).join(''), whole);
  assert.notEqual(toHex(createManualEntropy('two').bytes(100)), whole);
});

test('neither source repeats itself', () => {
  for (const entropy of [systemEntropy, createManualEntropy('x')]) {
    const draws = new Set(Array.from({ length: 200 }, () => toHex(entropy.bytes(16))));
    assert.equal(draws.size, 200);
    assert.equal(entropy.bytes(33).length, 33);
  }
});

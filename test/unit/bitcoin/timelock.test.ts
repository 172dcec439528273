import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  fromSequence,
  hasRelativeLocks,
  isMature,
  LOCKTIME_THRESHOLD,
  relativeTimelock,
  toSequence,
} from '../../../src/bitcoin/timelock.ts';

test('a delay is blocks below 512 and a multiple of 512 seconds from there on', () => {
  assert.deepEqual(relativeTimelock(1), { type: 'blocks', value: 1 });
  assert.deepEqual(relativeTimelock(511), { type: 'blocks', value: 511 });
  assert.deepEqual(relativeTimelock(512), { type: 'seconds', value: 512 });
  assert.deepEqual(relativeTimelock(0xffff * 512), { type: 'seconds', value: 0xffff * 512 });
  for (const wrong of [0, -1, 1.5, 513, Number.NaN, 0x10000 * 512]) {
    assert.throws(() => relativeTimelock(wrong), RangeError, String(wrong));
  }
});

test('BIP68: a sequence holds 16 bits of blocks or of units of 512 seconds', () => {
  for (const delay of [1, 20, 511, 512, 1024, 0xffff * 512]) {
    const lock = relativeTimelock(delay);
    assert.deepEqual(fromSequence(toSequence(lock)), lock);
  }
  assert.equal(toSequence(relativeTimelock(144)), 144);
  assert.equal(toSequence(relativeTimelock(1024)), 0x400002);
  assert.equal(fromSequence(0xffffffff), undefined);
  assert.equal(fromSequence(0x80000005), undefined);
  assert.deepEqual(fromSequence(0x7fbf0005), { type: 'blocks', value: 5 });
});

test('BIP68: sequences lock from version 2 on, which is read as unsigned', () => {
  assert.deepEqual(
    [0, 1, 2, 3, -1].map((version) => hasRelativeLocks({ version })),
    [false, false, true, true, true],
  );
});

test('an absolute lock opens in the block after its height, or once the median time is past it', () => {
  const tip = { height: 100, medianTime: 1_700_000_000 };
  assert.ok(isMature(0, tip));
  assert.ok(isMature(100, tip));
  assert.ok(!isMature(101, tip));
  assert.ok(isMature(1_699_999_999, tip));
  assert.ok(!isMature(1_700_000_000, tip));
  assert.ok(isMature(LOCKTIME_THRESHOLD, tip));
  assert.ok(!isMature(LOCKTIME_THRESHOLD - 1, tip));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forecast, type LiquidityFacts } from '../../../../src/ark/protocol/liquidity.ts';

const DAY = 86_400;
const facts: LiquidityFacts = {
  available: 1_000n,
  live: [
    { inSeconds: 5 * DAY, amount: 300n },
    { inSeconds: 5 * DAY + 10, amount: 50n },
    { inSeconds: DAY - 1, amount: 20n },
  ],
  locked: [
    { inSeconds: -10, amount: 7n },
    { inSeconds: 5 * DAY, amount: 400n },
    { inSeconds: 90 * DAY, amount: 9_000n },
  ],
  claimable: 100n,
};

test('renewals take coins so many days before their batch gives its own back', () => {
  const days = forecast(facts, 7, 3);
  assert.deepEqual(
    days.map(({ day, expiring, returning, renewing, balance }) => [day, expiring, returning, renewing, balance]),
    [
      [0, 20n, 7n, 20n, 880n],
      [1, 0n, 0n, 0n, 887n],
      [2, 0n, 0n, 350n, 537n],
      [3, 0n, 0n, 0n, 537n],
      [4, 0n, 0n, 0n, 537n],
      [5, 350n, 400n, 0n, 537n],
      [6, 0n, 0n, 0n, 937n],
    ],
  );
});

test('what lies beyond the horizon counts for nothing, and a gap shows as a balance below zero', () => {
  assert.equal(forecast({ ...facts, available: 400n }, 7, 3)[2]!.balance, -63n);
  assert.equal(forecast(facts, 2, 0).at(-1)!.balance, 887n);
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { blocksLeft, urgentFee } from '../../../../src/ark/protocol/urgency.ts';

describe('the fee of what has a deadline', () => {
  const urgency = { rate: 2, stake: 100_000n, total: 20 };

  test('begins at the going rate and ends with all that is at stake', () => {
    assert.equal(urgentFee(300, { ...urgency, left: 20 }), 600n);
    assert.equal(urgentFee(300, { ...urgency, left: 1 }), 100_000n);
    assert.equal(urgentFee(300, { ...urgency, left: -5 }), 100_000n);
  });

  test('is not paid where the going rate is more than the stake', () => {
    assert.equal(urgentFee(300, { ...urgency, stake: 599n, left: 1 }), undefined);
    assert.equal(urgentFee(300, { ...urgency, stake: 600n, left: 20 }), 600n);
  });

  test('has one block only: then it is all or nothing', () => {
    assert.equal(urgentFee(300, { ...urgency, total: 1, left: 1 }), 100_000n);
  });

  test('never falls as blocks pass, and never exceeds the stake', () => {
    const whole = fc.integer({ min: 1, max: 500 });
    fc.assert(
      fc.property(
        whole,
        whole,
        fc.bigInt(1n, 10n ** 12n),
        fc.integer({ min: 2, max: 600 }),
        (vsize, rate, stake, total) => {
          let last = 0n;
          for (let left = total; left >= 0; left--) {
            const fee = urgentFee(vsize, { rate, stake, left, total });
            if (fee === undefined) return BigInt(vsize * rate) > stake;
            if (fee < last || fee > stake) return false;
            last = fee;
          }
          return true;
        },
      ),
    );
  });
});

describe('the blocks that are left of a delay', () => {
  const tip = { height: 110, medianTime: 1_700_100_000 };

  test('in blocks: all while the output waits, one less for each confirmation', () => {
    const delay = { type: 'blocks', value: 20 } as const;
    assert.deepEqual(blocksLeft(delay, undefined, tip), { left: 20, total: 20 });
    assert.deepEqual(blocksLeft(delay, { height: 110, blockTime: 0 }, tip), { left: 19, total: 20 });
    assert.deepEqual(blocksLeft(delay, { height: 91, blockTime: 0 }, tip), { left: 0, total: 20 });
  });

  test('in seconds: ten minutes count as a block', () => {
    const delay = { type: 'seconds', value: 86_528 } as const;
    assert.deepEqual(blocksLeft(delay, undefined, tip), { left: 144, total: 144 });
    const since = { height: 100, blockTime: tip.medianTime - 43_264 };
    assert.deepEqual(blocksLeft(delay, since, tip), { left: 72, total: 144 });
    assert.equal(blocksLeft(delay, { height: 1, blockTime: 0 }, tip).left, 0);
  });
});

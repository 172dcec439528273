import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayStart, parseBatchTrigger, type QueueSnapshot } from '../../../../src/ark/protocol/batch-trigger.ts';
import { unixSeconds } from '../../../../src/base/units.ts';
import { codeOf } from './support.ts';

const queue: QueueSnapshot = {
  intents: 2,
  boardingInputs: 1,
  boardingAmount: 100_000n,
  intentFees: 250n,
  feeRate: 1.5,
  sinceLastBatch: 60,
  now: unixSeconds(1_700_000_000),
};

test('a program looks at the queue, the fee rate per thousand bytes and the time', () => {
  const answers: Readonly<Record<string, boolean>> = {
    '': true,
    'intents_count > 1.0 && (current_feerate <= 2.0 || time_since_last_batch >= 3600.0)': false,
    'intents_count > 1.0 && (current_feerate <= 1500.0 || time_since_last_batch >= 3600.0)': true,
    'boarding_inputs_count > 0.0 && total_boarding_amount >= 100000.0': true,
    'total_intent_fees >= 500.0 || time_since_last_batch >= 1800.0': false,
    'now() > 1699999999.0': true,
    true: true,
    false: false,
  };
  for (const [program, answer] of Object.entries(answers)) {
    assert.equal(mayStart(parseBatchTrigger(program), queue), answer, program);
  }
});

test('a program that gives no yes or no is refused when it is set', () => {
  for (const text of ['1.0', 'intents_count', 'intents > 1.0', 'true &&', ' ']) {
    assert.throws(() => parseBatchTrigger(text), RangeError, text);
  }
});

test('a program that fails on a queue says so', () => {
  assert.equal(
    codeOf(() => mayStart('{"a": true}["b"]', queue)),
    'INTERNAL_ERROR',
  );
});

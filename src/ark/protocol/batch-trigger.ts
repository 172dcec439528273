/** Whether a batch may start now: an operator's CEL program over what is waiting. */
import { Environment, type ParseResult } from '@marcbachmann/cel-js';
import { messageOf } from '../../base/errors.ts';
import type { UnixSeconds } from '../../base/units.ts';
import { arkError } from './errors.ts';

/** What waits for a batch; amounts in satoshi. */
export interface QueueSnapshot {
  readonly intents: number;
  readonly boardingInputs: number;
  readonly boardingAmount: bigint;
  /** Inputs less outputs of all intents. */
  readonly intentFees: bigint;
  /** Satoshi per virtual byte. */
  readonly feeRate: number;
  /** Seconds since the last batch; 0 if there was none since the start. */
  readonly sinceLastBatch: number;
  readonly now: UnixSeconds;
}

const VBYTES_PER_KVBYTE = 1_000;

const variables = (queue: QueueSnapshot) => ({
  intents_count: queue.intents,
  current_feerate: queue.feeRate * VBYTES_PER_KVBYTE,
  time_since_last_batch: queue.sinceLastBatch,
  boarding_inputs_count: queue.boardingInputs,
  total_boarding_amount: Number(queue.boardingAmount),
  total_intent_fees: Number(queue.intentFees),
});

const ENVIRONMENT = new Environment()
  .registerVariable('intents_count', 'double')
  .registerVariable('current_feerate', 'double')
  .registerVariable('time_since_last_batch', 'double')
  .registerVariable('boarding_inputs_count', 'double')
  .registerVariable('total_boarding_amount', 'double')
  .registerVariable('total_intent_fees', 'double');

function compile(text: string, now: UnixSeconds): ParseResult {
  const program = ENVIRONMENT.clone()
    .registerFunction('now(): double', () => now)
    .parse(text);
  const { valid, type, error } = program.check();
  if (!valid || type !== 'bool') throw new TypeError(error?.message ?? `gives ${type}, not bool`);
  return program;
}

/** The program, found to compile to a yes or no; empty is always yes. Throws `RangeError` with a reason. */
export function parseBatchTrigger(text: string): string {
  try {
    if (text !== '') compile(text, 0 as UnixSeconds);
    return text;
  } catch (error) {
    throw new RangeError(`not a batch trigger: ${messageOf(error)}`);
  }
}

/** Throws `INTERNAL_ERROR` when the program fails on this queue. */
export function mayStart(trigger: string, queue: QueueSnapshot): boolean {
  if (trigger === '') return true;
  try {
    return compile(trigger, queue.now)(variables(queue)) === true;
  } catch (error) {
    throw arkError('INTERNAL_ERROR', `the batch trigger fails: ${messageOf(error)}`);
  }
}

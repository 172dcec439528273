/** The three operations that took the place of a NOP: BIP65, BIP112 and BIP119. */
import { equal } from '../../base/bytes.ts';
import { OP } from '../opcodes.ts';
import { templateHash } from '../template-hash.ts';
import { fromSequence, hasRelativeLocks, LOCKTIME_THRESHOLD } from '../timelock.ts';
import { SEQUENCE_FINAL } from '../tx.ts';
import { check } from './failure.ts';
import { upgradableNop } from './flow-ops.ts';
import type { Machine, Operations } from './machine.ts';
import { inputOf, requires } from './spend.ts';

/** Lock operands go beyond four bytes, for they reach 2^32 - 1. */
const LOCK_BYTES = 5;

function takeLock({ stack }: Machine): number {
  const lock = stack.number(1, LOCK_BYTES);
  check(lock >= 0n, 'NEGATIVE_LOCKTIME');
  return Number(lock);
}

export const LOCK_OPS: Operations = {
  [OP.CHECKLOCKTIMEVERIFY](machine) {
    const { spend } = machine;
    if (!requires(spend, 'CHECKLOCKTIMEVERIFY')) return;
    const lock = takeLock(machine);
    const { locktime } = spend.tx;
    const sameUnit = lock < LOCKTIME_THRESHOLD === locktime < LOCKTIME_THRESHOLD;
    // BIP65: a final input would let the transaction ignore its locktime.
    const counts = inputOf(spend).sequence !== SEQUENCE_FINAL;
    check(sameUnit && lock <= locktime && counts, 'UNSATISFIED_LOCKTIME');
  },

  [OP.CHECKSEQUENCEVERIFY](machine) {
    const { spend } = machine;
    if (!requires(spend, 'CHECKSEQUENCEVERIFY')) return;
    const wanted = fromSequence(takeLock(machine));
    if (!wanted) return;
    const given = hasRelativeLocks(spend.tx) ? fromSequence(inputOf(spend).sequence) : undefined;
    check(given?.type === wanted.type && wanted.value <= given.value, 'UNSATISFIED_LOCKTIME');
  },

  [OP.CHECKTEMPLATEVERIFY](machine) {
    const { spend, stack } = machine;
    if (!requires(spend, 'CHECKTEMPLATEVERIFY')) {
      upgradableNop(machine);
      return;
    }
    const hash = stack.peek();
    // BIP119: other lengths are left to later rules.
    if (hash.length === 32) check(equal(hash, templateHash(spend.tx, spend.index)), 'TEMPLATE_MISMATCH');
    else upgradableNop(machine);
  },
};

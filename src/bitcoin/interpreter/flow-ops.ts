import type { Bytes } from '../../base/bytes.ts';
import { OP } from '../opcodes.ts';
import { check, fail } from './failure.ts';
import type { Machine, Operation, Operations } from './machine.ts';
import { requires } from './spend.ts';
import { castToBool } from './stack.ts';

const isMinimalBool = (bytes: Bytes): boolean => bytes.length === 0 || (bytes.length === 1 && bytes[0] === 1);

function takeCondition({ stack, spend, version }: Machine): boolean {
  const condition = stack.pop();
  // BIP342 makes a rule of what is policy in BIP141 programs.
  if (version === 'tapscript') check(isMinimalBool(condition), 'TAPSCRIPT_MINIMALIF');
  if (version === 'witnessV0' && requires(spend, 'MINIMALIF')) check(isMinimalBool(condition), 'MINIMALIF');
  return castToBool(condition);
}

const conditional =
  (wanted: boolean): Operation =>
  (machine) =>
    machine.conditions.open(machine.conditions.running && takeCondition(machine) === wanted);

export const upgradableNop = ({ spend }: Machine): void =>
  check(!requires(spend, 'DISCOURAGE_UPGRADABLE_NOPS'), 'DISCOURAGE_UPGRADABLE_NOPS');

export const FLOW_OPS: Operations = {
  [OP.NOP]: () => {},
  [OP.NOP1]: upgradableNop,
  [OP.NOP5]: upgradableNop,
  [OP.NOP6]: upgradableNop,
  [OP.NOP7]: upgradableNop,
  [OP.NOP8]: upgradableNop,
  [OP.NOP9]: upgradableNop,
  [OP.NOP10]: upgradableNop,
  [OP.IF]: conditional(true),
  [OP.NOTIF]: conditional(false),
  [OP.ELSE]({ conditions }) {
    check(conditions.depth > 0, 'UNBALANCED_CONDITIONAL');
    conditions.flip();
  },
  [OP.ENDIF]({ conditions }) {
    check(conditions.depth > 0, 'UNBALANCED_CONDITIONAL');
    conditions.close();
  },
  [OP.VERIFY]: (machine) => machine.verifyTop('VERIFY'),
  [OP.RETURN]: () => fail('OP_RETURN'),
};

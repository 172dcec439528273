import { OP } from '../opcodes.ts';
import type { Operation, Operations } from './machine.ts';

const toNumber = (value: boolean): bigint => (value ? 1n : 0n);

const unary =
  (compute: (a: bigint) => bigint): Operation =>
  ({ stack }) => {
    const a = stack.number();
    stack.pop();
    stack.pushNumber(compute(a));
  };

const binary =
  (compute: (a: bigint, b: bigint) => bigint): Operation =>
  ({ stack }) => {
    const a = stack.number(2);
    const b = stack.number();
    stack.drop(2);
    stack.pushNumber(compute(a, b));
  };

const lesser = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const numEqual = binary((a, b) => toNumber(a === b));

export const NUMBER_OPS: Operations = {
  [OP['1ADD']]: unary((a) => a + 1n),
  [OP['1SUB']]: unary((a) => a - 1n),
  [OP.NEGATE]: unary((a) => -a),
  [OP.ABS]: unary((a) => (a < 0n ? -a : a)),
  [OP.NOT]: unary((a) => toNumber(a === 0n)),
  [OP['0NOTEQUAL']]: unary((a) => toNumber(a !== 0n)),
  [OP.ADD]: binary((a, b) => a + b),
  [OP.SUB]: binary((a, b) => a - b),
  [OP.BOOLAND]: binary((a, b) => toNumber(a !== 0n && b !== 0n)),
  [OP.BOOLOR]: binary((a, b) => toNumber(a !== 0n || b !== 0n)),
  [OP.NUMEQUAL]: numEqual,
  [OP.NUMEQUALVERIFY](machine, position) {
    numEqual(machine, position);
    machine.verifyTop('NUMEQUALVERIFY');
  },
  [OP.NUMNOTEQUAL]: binary((a, b) => toNumber(a !== b)),
  [OP.LESSTHAN]: binary((a, b) => toNumber(a < b)),
  [OP.GREATERTHAN]: binary((a, b) => toNumber(a > b)),
  [OP.LESSTHANOREQUAL]: binary((a, b) => toNumber(a <= b)),
  [OP.GREATERTHANOREQUAL]: binary((a, b) => toNumber(a >= b)),
  [OP.MIN]: binary(lesser),
  [OP.MAX]: binary((a, b) => (lesser(a, b) === a ? b : a)),
  [OP.WITHIN]({ stack }) {
    const [value, min, max] = [stack.number(3), stack.number(2), stack.number()];
    stack.drop(3);
    stack.pushBool(min <= value && value < max);
  },
};

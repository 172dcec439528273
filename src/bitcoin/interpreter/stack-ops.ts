import { equal } from '../../base/bytes.ts';
import { OP } from '../opcodes.ts';
import { check } from './failure.ts';
import type { Machine, Operation, Operations } from './machine.ts';
import { castToBool } from './stack.ts';

/** Copies the element at `depth` to the top, `count` times over. */
const copy =
  (depth: number, count = 1): Operation =>
  ({ stack }) => {
    for (let i = 0; i < count; i++) stack.push(stack.peek(depth));
  };

/** Moves the element at `depth` to the top, `count` times over. */
const lift =
  (depth: number, count = 1): Operation =>
  ({ stack }) => {
    for (let i = 0; i < count; i++) stack.push(stack.remove(depth));
  };

/** Takes a depth, counted from 0, off the stack and returns it counted from 1. */
function takeDepth({ stack }: Machine): number {
  stack.need(2);
  const depth = stack.number();
  stack.pop();
  check(depth >= 0n && depth < BigInt(stack.size), 'INVALID_STACK_OPERATION');
  return Number(depth) + 1;
}

function equalTop({ stack }: Machine): void {
  const second = stack.pop();
  stack.pushBool(equal(stack.pop(), second));
}

export const STACK_OPS: Operations = {
  [OP.TOALTSTACK]: ({ stack, alt }) => alt.push(stack.pop()),
  [OP.FROMALTSTACK]: ({ stack, alt }) => stack.push(alt.pop()),
  [OP['2DROP']]: ({ stack }) => stack.drop(2),
  [OP['2DUP']]: copy(2, 2),
  [OP['3DUP']]: copy(3, 3),
  [OP['2OVER']]: copy(4, 2),
  [OP['2ROT']]: lift(6, 2),
  [OP['2SWAP']]: lift(4, 2),
  [OP.IFDUP]({ stack }) {
    if (castToBool(stack.peek())) stack.push(stack.peek());
  },
  [OP.DEPTH]: ({ stack }) => stack.pushNumber(BigInt(stack.size)),
  [OP.DROP]: ({ stack }) => stack.drop(1),
  [OP.DUP]: copy(1),
  [OP.NIP]({ stack }) {
    stack.remove(2);
  },
  [OP.OVER]: copy(2),
  [OP.PICK](machine) {
    machine.stack.push(machine.stack.peek(takeDepth(machine)));
  },
  [OP.ROLL](machine) {
    machine.stack.push(machine.stack.remove(takeDepth(machine)));
  },
  [OP.ROT]: lift(3),
  [OP.SWAP]: lift(2),
  [OP.TUCK]({ stack }) {
    stack.insert(2, stack.peek());
  },
  [OP.SIZE]: ({ stack }) => stack.pushNumber(BigInt(stack.peek().length)),
  [OP.EQUAL]: equalTop,
  [OP.EQUALVERIFY](machine) {
    equalTop(machine);
    machine.verifyTop('EQUALVERIFY');
  },
};

import type { Bytes } from '../../base/bytes.ts';
import { OP } from '../opcodes.ts';
import { instructionAt } from '../script.ts';
import { CRYPTO_OPS } from './crypto-ops.ts';
import { check, fail } from './failure.ts';
import { FLOW_OPS } from './flow-ops.ts';
import { LOCK_OPS } from './lock-ops.ts';
import { Machine, type Operations } from './machine.ts';
import { NUMBER_OPS } from './number-ops.ts';
import { type Leaf, requires, type SigVersion, type Spend } from './spend.ts';
import { MAX_ELEMENT_SIZE, MAX_STACK_SIZE } from './stack.ts';
import { STACK_OPS } from './stack-ops.ts';

/** Before BIP342. */
const MAX_SCRIPT_SIZE = 10_000;

const OPERATIONS: Operations = { ...FLOW_OPS, ...STACK_OPS, ...NUMBER_OPS, ...LOCK_OPS, ...CRYPTO_OPS };

/** Taken out of Bitcoin in 2010: their mere presence fails a script. Tapscript never gets here with one. */
const DISABLED: ReadonlySet<number> = new Set([
  OP.CAT,
  OP.SUBSTR,
  OP.LEFT,
  OP.RIGHT,
  OP.INVERT,
  OP.AND,
  OP.OR,
  OP.XOR,
  OP['2MUL'],
  OP['2DIV'],
  OP.MUL,
  OP.DIV,
  OP.MOD,
  OP.LSHIFT,
  OP.RSHIFT,
]);

/** BIP62 rule 3: no shorter way to push the same. */
function isMinimalPush(op: number, data: Bytes): boolean {
  if (data.length === 1) {
    const byte = data[0]!;
    if ((byte >= 1 && byte <= 16) || byte === 0x81) return false;
  }
  if (data.length < OP.PUSHDATA1) return op === data.length;
  if (data.length <= 0xff) return op === OP.PUSHDATA1;
  return data.length > 0xffff || op === OP.PUSHDATA2;
}

const isSmallNumber = (op: number): boolean => op === OP.ONE_NEGATE || (op >= OP.ONE && op <= OP.SIXTEEN);

/** The stack that `script` leaves when it starts on `elements`. Throws `ScriptFailure`. */
export function runScript(
  spend: Spend,
  script: Bytes,
  elements: readonly Bytes[],
  version: SigVersion,
  leaf?: Leaf,
): readonly Bytes[] {
  check(version === 'tapscript' || script.length <= MAX_SCRIPT_SIZE, 'SCRIPT_SIZE');
  const machine = new Machine(spend, script, elements, version, leaf);
  for (let at = 0, ordinal = 0; at < script.length; ordinal++) at = step(machine, at, ordinal);
  check(machine.conditions.depth === 0, 'UNBALANCED_CONDITIONAL');
  return machine.stack.items();
}

/** Executes the instruction at byte `at`, before which there are `ordinal`, and returns where the next one starts. */
function step(machine: Machine, at: number, ordinal: number): number {
  const { spend, stack, alt, conditions } = machine;
  const instruction = instructionAt(machine.script, at);
  if (!instruction) fail('BAD_OPCODE');
  const { op, data, end } = instruction;
  check(data === undefined || data.length <= MAX_ELEMENT_SIZE, 'PUSH_SIZE');
  if (op > OP.SIXTEEN) machine.countOperations(1);
  check(!DISABLED.has(op), 'DISABLED_OPCODE');
  const constantCode = machine.version === 'base' && requires(spend, 'CONST_SCRIPTCODE');
  check(op !== OP.CODESEPARATOR || !constantCode, 'OP_CODESEPARATOR');

  if (conditions.running || (op >= OP.IF && op <= OP.ENDIF)) {
    if (data !== undefined) {
      check(!machine.minimal || isMinimalPush(op, data), 'MINIMALDATA');
      stack.push(data);
    } else if (isSmallNumber(op)) {
      stack.pushNumber(BigInt(op - OP.RESERVED));
    } else {
      const operation = OPERATIONS[op];
      if (!operation) fail('BAD_OPCODE');
      operation(machine, { ordinal, end });
    }
  }
  check(stack.size + alt.size <= MAX_STACK_SIZE, 'STACK_SIZE');
  return end;
}

/**
 * Closures: the five shapes of tapscript that Ark's outputs are made of. Each is a multisig behind an optional
 * time lock and an optional condition; a script has one of these shapes byte for byte, or is none.
 */
import { type Bytes, equal } from '../base/bytes.ts';
import { DecodeError } from './reader.ts';
import { type Instruction, instructions, OP, parseScriptNumber, push, pushNumber, script } from './script.ts';
import { fromSequence, type RelativeTimelock, toSequence } from './timelock.ts';

/** How signatures are counted: `CHECKSIGVERIFY … CHECKSIG`, or `CHECKSIG CHECKSIGADD … <n> NUMEQUAL`. */
export type MultisigForm = 'checksig' | 'checksigadd';

interface Multisig {
  /** x-only, in script order. */
  readonly keys: readonly Bytes[];
  readonly form: MultisigForm;
}

export type Closure =
  | ({ readonly kind: 'multisig' } & Multisig)
  | ({ readonly kind: 'csv'; readonly timelock: RelativeTimelock } & Multisig)
  /** `locktime` as in `nLockTime`: a height or unix seconds. */
  | ({ readonly kind: 'cltv'; readonly locktime: number } & Multisig)
  /** `condition` is a script that leaves one true element on the stack. */
  | ({ readonly kind: 'condition'; readonly condition: Bytes } & Multisig)
  | ({ readonly kind: 'condition-csv'; readonly condition: Bytes; readonly timelock: RelativeTimelock } & Multisig);

export const multisig = (...keys: readonly Bytes[]): Closure => ({ kind: 'multisig', keys, form: 'checksig' });

export const csvMultisig = (timelock: RelativeTimelock, ...keys: readonly Bytes[]): Closure => ({
  kind: 'csv',
  timelock,
  keys,
  form: 'checksig',
});

function encodeMultisig({ keys, form }: Multisig): Bytes {
  if (form === 'checksig') {
    return script(...keys.flatMap((key, i) => [push(key), i === keys.length - 1 ? OP.CHECKSIG : OP.CHECKSIGVERIFY]));
  }
  const checks = keys.flatMap((key, i) => [push(key), i === 0 ? OP.CHECKSIG : OP.CHECKSIGADD]);
  return script(...checks, pushNumber(BigInt(keys.length)), OP.NUMEQUAL);
}

const encodeCsv = (timelock: RelativeTimelock): Bytes =>
  script(pushNumber(BigInt(toSequence(timelock))), OP.CHECKSEQUENCEVERIFY, OP.DROP);

/** The tapscript of a closure. */
export function encodeClosure(closure: Closure): Bytes {
  const keys = encodeMultisig(closure);
  switch (closure.kind) {
    case 'multisig':
      return keys;
    case 'csv':
      return script(encodeCsv(closure.timelock), keys);
    case 'cltv':
      return script(pushNumber(BigInt(closure.locktime)), OP.CHECKLOCKTIMEVERIFY, OP.DROP, keys);
    case 'condition':
      return script(closure.condition, OP.VERIFY, keys);
    case 'condition-csv':
      return script(closure.condition, OP.VERIFY, encodeCsv(closure.timelock), keys);
  }
}

/** The number an instruction pushes, when it is one BIP65 and BIP112 read (up to five bytes). */
function numberOf(instruction: Instruction | undefined): number | undefined {
  if (!instruction) return undefined;
  const { op, data } = instruction;
  if (op >= OP.ONE && op <= OP.SIXTEEN) return op - OP.ONE + 1;
  return data && data.length > 0 && data.length <= 5 ? Number(parseScriptNumber(data)) : undefined;
}

function readMultisig(code: readonly Instruction[]): Multisig | undefined {
  const form = code.at(-1)?.op === OP.NUMEQUAL ? 'checksigadd' : 'checksig';
  const checks = form === 'checksig' ? code : code.slice(0, -2);
  const keys = checks.filter((_, i) => i % 2 === 0).map(({ data }) => data);
  if (keys.length === 0 || !keys.every((key) => key?.length === 32)) return undefined;
  return { keys: keys as Bytes[], form };
}

/** `<lock> opcode DROP` followed by a multisig. */
function readLocked(code: readonly Instruction[]): { lock: number; opcode: number; rest: Multisig } | undefined {
  const lock = numberOf(code[0]);
  const rest = readMultisig(code.slice(3));
  return lock !== undefined && lock > 0 && code[1] && rest ? { lock, opcode: code[1].op, rest } : undefined;
}

const relativeOf = (sequence: number): RelativeTimelock | undefined => {
  const timelock = sequence <= 0xffffffff ? fromSequence(sequence) : undefined;
  return timelock && timelock.value > 0 ? timelock : undefined;
};

function readClosure(code: readonly Instruction[]): Closure | undefined {
  const locked = readLocked(code);
  if (locked?.opcode === OP.CHECKSEQUENCEVERIFY) {
    const timelock = relativeOf(locked.lock);
    return timelock && { kind: 'csv', timelock, ...locked.rest };
  }
  if (locked?.opcode === OP.CHECKLOCKTIMEVERIFY) {
    return locked.lock <= 0xffffffff ? { kind: 'cltv', locktime: locked.lock, ...locked.rest } : undefined;
  }
  const plain = readMultisig(code);
  return plain && { kind: 'multisig', ...plain };
}

/**
 * What a condition may contain: pushes, flow control, stack, arithmetic and hash opcodes. Left out is whatever would
 * make it mean something else inside its leaf than alone: signature checks and OP_CODESEPARATOR (they depend on the
 * transaction), time locks (they would hide from {@link Closure}), OP_DEPTH (it sees the signatures below) and
 * OP_SUCCESS (BIP342: it would let anybody spend the leaf).
 */
const CONDITION_OPCODES: readonly (readonly [from: number, to: number])[] = [
  [0x00, 0x4f],
  [0x51, 0x61],
  [0x63, 0x64],
  [0x67, 0x69],
  [0x6b, 0x73],
  [0x75, 0x7d],
  [0x82, 0x82],
  [0x87, 0x88],
  [0x8b, 0x8c],
  [0x8f, 0x94],
  [0x9a, 0xaa],
];
const mayCondition = ({ op }: Instruction): boolean => CONDITION_OPCODES.some(([from, to]) => op >= from && op <= to);

function decode(tapscript: Bytes): Closure | undefined {
  const code = [...instructions(tapscript)];
  const verify = code.findLastIndex(({ op }) => op === OP.VERIFY);
  if (verify < 0) return readClosure(code);
  const inner = readClosure(code.slice(verify + 1));
  if (!inner || !code.slice(0, verify).every(mayCondition)) return undefined;
  const condition = tapscript.slice(0, code[verify]!.at);
  if (inner.kind === 'multisig') return { ...inner, kind: 'condition', condition };
  if (inner.kind === 'csv') return { ...inner, kind: 'condition-csv', condition };
  return undefined;
}

/** The closure that encodes to exactly these bytes; `undefined` for any other script. Never throws. */
export function parseClosure(tapscript: Bytes): Closure | undefined {
  try {
    const closure = decode(tapscript);
    return closure && equal(encodeClosure(closure), tapscript) ? closure : undefined;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

export interface ClosureSpend {
  /** Signature of one of the closure's keys; `undefined` when it is missing. */
  readonly signatureOf: (key: Bytes) => Bytes | undefined;
  /** What the condition finds on the stack, bottom first. */
  readonly condition?: readonly Bytes[] | undefined;
  readonly controlBlock: Bytes;
}

/** Witness of a script path spend; `undefined` when a signature is missing. */
export function closureWitness(closure: Closure, spend: ClosureSpend): readonly Bytes[] | undefined {
  const signatures = closure.keys.map(spend.signatureOf).reverse();
  if (!signatures.every((signature) => signature !== undefined)) return undefined;
  return [...signatures, ...(spend.condition ?? []), encodeClosure(closure), spend.controlBlock];
}

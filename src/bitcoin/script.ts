/** Script bytes: opcodes we name, pushes, numbers, and the output scripts every wing knows. */
import { type Bytes, concat, equal } from '../base/bytes.ts';
import { OP } from './opcodes.ts';
import { DecodeError } from './reader.ts';

export { OP } from './opcodes.ts';

/** One parsed instruction: an opcode, and its data where it is a push. */
export interface Instruction {
  readonly op: number;
  readonly data?: Bytes;
  /** Byte offset of the instruction in its script. */
  readonly at: number;
  /** Byte offset after it. */
  readonly end: number;
}

/** The instruction at byte `at`; `undefined` when its push runs over the end. */
export function instructionAt(script: Bytes, at: number): Instruction | undefined {
  const op = script[at]!;
  if (op > OP.PUSHDATA4) return { op, at, end: at + 1 };
  const width = op < OP.PUSHDATA1 ? 0 : op === OP.PUSHDATA1 ? 1 : op === OP.PUSHDATA2 ? 2 : 4;
  const start = at + 1 + width;
  if (start > script.length) return undefined;
  let length = width === 0 ? op : 0;
  for (let i = start - 1; i > at; i--) length = length * 256 + script[i]!;
  const end = start + length;
  return end > script.length ? undefined : { op, data: script.subarray(start, end), at, end };
}

/** Walks a script. Throws {@link DecodeError} on a push that runs over the end. */
export function* instructions(script: Bytes): Generator<Instruction> {
  for (let at = 0; at < script.length; ) {
    const instruction = instructionAt(script, at);
    if (!instruction) throw new DecodeError('push runs over the end of the script');
    yield instruction;
    at = instruction.end;
  }
}

/** True when nothing but pushes (OP_RESERVED counts as one) stands from byte `from` on. */
export function isPushOnly(script: Bytes, from = 0): boolean {
  for (let at = from; at < script.length; ) {
    const instruction = instructionAt(script, at);
    if (!instruction || instruction.op > OP.SIXTEEN) return false;
    at = instruction.end;
  }
  return true;
}

/** A push of raw data by the shortest length prefix (never OP_1 … OP_16; see {@link pushNumber}). */
export function push(data: Bytes): Bytes {
  if (data.length < OP.PUSHDATA1) return concat(Uint8Array.of(data.length), data);
  if (data.length <= 0xff) return concat(Uint8Array.of(OP.PUSHDATA1, data.length), data);
  if (data.length <= 0xffff) {
    return concat(Uint8Array.of(OP.PUSHDATA2, data.length & 0xff, data.length >> 8), data);
  }
  const size = new Uint8Array(4);
  new DataView(size.buffer).setUint32(0, data.length, true);
  return concat(Uint8Array.of(OP.PUSHDATA4), size, data);
}

/** Script number: sign-magnitude little-endian, minimal; zero is empty. */
export function scriptNumber(value: bigint): Bytes {
  if (value === 0n) return new Uint8Array(0);
  const negative = value < 0n;
  let rest = negative ? -value : value;
  const bytes: number[] = [];
  while (rest > 0n) {
    bytes.push(Number(rest & 0xffn));
    rest >>= 8n;
  }
  if (bytes[bytes.length - 1]! & 0x80) bytes.push(negative ? 0x80 : 0);
  else if (negative) bytes[bytes.length - 1]! |= 0x80;
  return Uint8Array.from(bytes);
}

/** Inverse of {@link scriptNumber}; accepts non-minimal forms. */
export function parseScriptNumber(bytes: Bytes): bigint {
  if (bytes.length === 0) return 0n;
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  const sign = 1n << BigInt(bytes.length * 8 - 1);
  return value & sign ? -(value & (sign - 1n)) : value;
}

/** Minimal push of a number (BIP62 rule 3): OP_0, OP_1NEGATE, OP_1 … OP_16, else its bytes. */
export function pushNumber(value: bigint): Bytes {
  if (value === 0n) return Uint8Array.of(OP.FALSE);
  if (value === -1n) return Uint8Array.of(OP.ONE_NEGATE);
  if (value >= 1n && value <= 16n) return Uint8Array.of(OP.ONE - 1 + Number(value));
  return push(scriptNumber(value));
}

/** Joins opcodes and already encoded pieces. */
export const script = (...parts: readonly (number | Bytes)[]): Bytes =>
  concat(...parts.map((part) => (typeof part === 'number' ? Uint8Array.of(part) : part)));

/** BIP433 pay-to-anchor: anybody may spend it to bump the fee. */
export const P2A_SCRIPT: Bytes = Uint8Array.of(OP.ONE, 0x02, 0x4e, 0x73);
export const isP2A = (output: Bytes): boolean => equal(output, P2A_SCRIPT);

export const p2tr = (xonly: Bytes): Bytes => script(OP.ONE, push(xonly));
export const isP2TR = (output: Bytes): boolean => output.length === 34 && output[0] === OP.ONE && output[1] === 32;
export const p2wpkh = (keyHash: Bytes): Bytes => script(OP.FALSE, push(keyHash));
export const isP2WPKH = (output: Bytes): boolean => output.length === 22 && output[0] === 0 && output[1] === 20;
export const isP2SH = (output: Bytes): boolean =>
  output.length === 23 && output[0] === OP.HASH160 && output[1] === 20 && output[22] === OP.EQUAL;
export const isOpReturn = (output: Bytes): boolean => output[0] === OP.RETURN;

/** A segwit program: version and bytes, or `undefined` when the script is none (BIP141). */
export function witnessProgram(output: Bytes): { readonly version: number; readonly program: Bytes } | undefined {
  if (output.length < 4 || output.length > 42) return undefined;
  const op = output[0]!;
  if (op !== 0 && (op < OP.ONE || op > OP.SIXTEEN)) return undefined;
  if (output[1] !== output.length - 2) return undefined;
  return { version: op === 0 ? 0 : op - OP.ONE + 1, program: output.subarray(2) };
}

/** Scripts in words, as Esplora's explorers spell them. */
import { type Bytes, toHex } from '../base/bytes.ts';
import { OP } from '../bitcoin/opcodes.ts';
import { instructionAt } from '../bitcoin/script.ts';

const SHORT: Readonly<Record<string, string>> = { CHECKLOCKTIMEVERIFY: 'CLTV', CHECKSEQUENCEVERIFY: 'CSV' };

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(OP).map(([name, op]) => [op as number, `OP_${SHORT[name] ?? name}`]),
);

function nameOf(op: number): string {
  if (op === OP.FALSE) return 'OP_0';
  if (op < OP.PUSHDATA1) return `OP_PUSHBYTES_${op}`;
  if (op === OP.ONE_NEGATE) return 'OP_PUSHNUM_NEG1';
  if (op >= OP.ONE && op <= OP.SIXTEEN) return `OP_PUSHNUM_${op - OP.ONE + 1}`;
  return NAMES.get(op) ?? `OP_RETURN_${op}`;
}

/** Ends with `<push past end>` where a push runs over the end. */
export function scriptAsm(script: Bytes): string {
  const words: string[] = [];
  for (let at = 0; at < script.length; ) {
    const instruction = instructionAt(script, at);
    words.push(nameOf(script[at]!));
    if (!instruction) return [...words, '<push past end>'].join(' ');
    if (instruction.data && instruction.data.length > 0) words.push(toHex(instruction.data));
    at = instruction.end;
  }
  return words.join(' ');
}

/** Reads scripts as Bitcoin Core's test files write them. */
import { type Bytes, concat, fromHex, utf8 } from '../../src/base/bytes.ts';
import { OP } from '../../src/bitcoin/opcodes.ts';
import { push, pushNumber } from '../../src/bitcoin/script.ts';

const opcodes = new Map<string, number>(
  Object.entries(OP)
    .filter(([, op]) => op >= OP.NOP || op === OP.RESERVED)
    .flatMap(([name, op]) => [
      [name, op],
      [`OP_${name}`, op],
    ]),
);
// The names before BIP65 and BIP112.
opcodes.set('NOP2', OP.CHECKLOCKTIMEVERIFY).set('NOP3', OP.CHECKSEQUENCEVERIFY).set('NOP4', OP.CHECKTEMPLATEVERIFY);

function word(text: string): Bytes {
  if (/^-?[0-9]+$/.test(text)) return pushNumber(BigInt(text));
  if (text.startsWith('0x')) return fromHex(text.slice(2));
  if (text.startsWith("'")) return push(utf8(text.slice(1, -1)));
  const op = opcodes.get(text);
  if (op === undefined) throw new TypeError(`unknown word ${text}`);
  return Uint8Array.of(op);
}

/** `0x…` is raw bytes, `'…'` and numbers are pushes, the rest are opcodes with or without `OP_`. */
export const coreScript = (text: string): Bytes =>
  concat(
    ...text
      .split(/\s+/)
      .filter((part) => part !== '')
      .map(word),
  );

/** Output and input scripts as bitcoind prints them. */
import { type Bytes, toHex } from '../../../base/bytes.ts';
import { addressOf } from '../../../bitcoin/address.ts';
import { isStrictSignature } from '../../../bitcoin/interpreter/ecdsa-encoding.ts';
import { instructionAt, isOpReturn, OP, parseScriptNumber } from '../../../bitcoin/script.ts';
import { SIGHASH } from '../../../bitcoin/sighash.ts';
import type { Secp } from '../../../crypto/secp.ts';
import { scriptTypeOf } from '../../script-type.ts';
import { inferDescriptor } from './descriptor.ts';

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(OP).map(([name, op]) => [op as number, `OP_${name}`]),
);

/** Data up to this length is printed as a number. */
const MAX_NUMBER = 4;

function nameOf(op: number): string {
  if (op === OP.ONE_NEGATE) return '-1';
  if (op >= OP.ONE && op <= OP.SIXTEEN) return String(op - OP.ONE + 1);
  // BIP119 is not in bitcoind.
  if (op === OP.CHECKTEMPLATEVERIFY) return 'OP_NOP4';
  return NAMES.get(op) ?? (op === 0xff ? 'OP_INVALIDOPCODE' : 'OP_UNKNOWN');
}

const SIGHASH_NAMES: ReadonlyMap<number, string> = new Map(
  (['ALL', 'NONE', 'SINGLE'] as const).flatMap((name) => [
    [SIGHASH[name], name],
    [SIGHASH[name] | SIGHASH.ANYONECANPAY, `${name}|ANYONECANPAY`],
  ]),
);

/** A signature's last byte is put in words. */
const signatureWord = (data: Bytes): string =>
  isStrictSignature(data) ? `${toHex(data.subarray(0, -1))}[${SIGHASH_NAMES.get(data.at(-1)!)}]` : toHex(data);

function asm(script: Bytes, dataWord: (data: Bytes) => string): string {
  const words: string[] = [];
  for (let at = 0; at < script.length; ) {
    const instruction = instructionAt(script, at);
    if (!instruction) return [...words, '[error]'].join(' ');
    const { op, data } = instruction;
    if (!data) words.push(nameOf(op));
    else words.push(data.length <= MAX_NUMBER ? String(parseScriptNumber(data)) : dataWord(data));
    at = instruction.end;
  }
  return words.join(' ');
}

export const scriptSigJson = (script: Bytes) => ({
  asm: asm(script, isOpReturn(script) ? toHex : signatureWord),
  hex: toHex(script),
});

export function scriptPubKeyJson(secp: Secp, script: Bytes) {
  const type = scriptTypeOf(script);
  const address = addressOf('regtest', script);
  return {
    asm: asm(script, toHex),
    desc: inferDescriptor(secp, script),
    hex: toHex(script),
    ...(address !== undefined && { address }),
    type,
  };
}

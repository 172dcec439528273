/** The kinds of output script that bitcoind tells apart. */
import type { Bytes } from '../base/bytes.ts';
import { instructionAt, isOpReturn, isP2A, isP2SH, isPushOnly, OP, witnessProgram } from '../bitcoin/script.ts';

export type ScriptType =
  | 'pubkey'
  | 'pubkeyhash'
  | 'scripthash'
  | 'multisig'
  | 'nulldata'
  | 'witness_v0_keyhash'
  | 'witness_v0_scripthash'
  | 'witness_v1_taproot'
  | 'anchor'
  | 'witness_unknown'
  | 'nonstandard';

const isKeyHash = (script: Bytes): boolean =>
  script.length === 25 &&
  script[0] === OP.DUP &&
  script[1] === OP.HASH160 &&
  script[2] === 20 &&
  script[23] === OP.EQUALVERIFY &&
  script[24] === OP.CHECKSIG;

/** A public key as far as its first byte and length tell. */
const isKeyShaped = (data: Bytes | undefined): boolean =>
  (data?.length === 33 && (data[0] === 2 || data[0] === 3)) ||
  (data?.length === 65 && (data[0] === 4 || data[0] === 6 || data[0] === 7));

const isKey = (script: Bytes): boolean => {
  const first = script.length > 0 ? instructionAt(script, 0) : undefined;
  const isDirect = first?.op === first?.data?.length;
  return isDirect && isKeyShaped(first?.data) && first!.end === script.length - 1 && script.at(-1) === OP.CHECKSIG;
};

const smallNumber = (op: number | undefined): number =>
  op !== undefined && op >= OP.ONE && op <= OP.SIXTEEN ? op - OP.ONE + 1 : 0;

/** How many signatures of how many keys a bare multisig script asks for; `undefined` when it is none. */
export function multisigOf(script: Bytes): { readonly required: number; readonly keys: number } | undefined {
  if (script.at(-1) !== OP.CHECKMULTISIG) return undefined;
  const required = smallNumber(script[0]);
  const total = smallNumber(script.at(-2));
  let keys = 0;
  let at = 1;
  while (at < script.length - 2) {
    const instruction = instructionAt(script, at);
    if (!instruction || !isKeyShaped(instruction.data)) return undefined;
    keys++;
    at = instruction.end;
  }
  return at === script.length - 2 && required >= 1 && required <= keys && keys === total
    ? { required, keys }
    : undefined;
}

export function scriptTypeOf(script: Bytes): ScriptType {
  if (isP2SH(script)) return 'scripthash';
  const witness = witnessProgram(script);
  if (witness) {
    const { version, program } = witness;
    if (version === 0) {
      return program.length === 20
        ? 'witness_v0_keyhash'
        : program.length === 32
          ? 'witness_v0_scripthash'
          : 'nonstandard';
    }
    if (version === 1 && program.length === 32) return 'witness_v1_taproot';
    return isP2A(script) ? 'anchor' : 'witness_unknown';
  }
  if (isOpReturn(script)) return isPushOnly(script, 1) ? 'nulldata' : 'nonstandard';
  if (isKeyHash(script)) return 'pubkeyhash';
  if (isKey(script)) return 'pubkey';
  return multisigOf(script) ? 'multisig' : 'nonstandard';
}

/** BIP341 signature hash. (The older forms live beside the interpreter, which alone needs them.) */
import { type Bytes, concat } from '../base/bytes.ts';
import { sha256, taggedHash } from '../crypto/hash.ts';
import { blob, i32le, u32le, u64le } from './reader.ts';
import { outpointBytes, serializeOutput, type Tx, type TxOut } from './tx.ts';

export const SIGHASH = { DEFAULT: 0, ALL: 1, NONE: 2, SINGLE: 3, ANYONECANPAY: 0x80 } as const;

export const isTaprootSighash = (type: number): boolean => type <= 3 || (type >= 0x81 && type <= 0x83);

/** What every input's hash shares, computed once per transaction. */
interface Shared {
  readonly prevouts: Bytes;
  readonly amounts: Bytes;
  readonly scripts: Bytes;
  readonly sequences: Bytes;
  readonly outputs: Bytes;
}

const cache = new WeakMap<Tx, { prevouts: readonly TxOut[]; shared: Shared }>();

function sharedOf(tx: Tx, prevouts: readonly TxOut[]): Shared {
  const known = cache.get(tx);
  if (known && known.prevouts === prevouts) return known.shared;
  const shared = {
    prevouts: sha256(concat(...tx.inputs.map((input) => outpointBytes(input.prevout)))),
    amounts: sha256(concat(...prevouts.map((output) => u64le(output.value)))),
    scripts: sha256(concat(...prevouts.map((output) => blob(output.script)))),
    sequences: sha256(concat(...tx.inputs.map((input) => u32le(input.sequence)))),
    outputs: sha256(concat(...tx.outputs.map(serializeOutput))),
  };
  cache.set(tx, { prevouts, shared });
  return shared;
}

export interface TaprootSighashOptions {
  readonly type?: number;
  /** TapLeaf hash for a script path spend (BIP342); absent for the key path. */
  readonly leafHash?: Bytes;
  /** Opcode position of the last OP_CODESEPARATOR executed. */
  readonly codeSeparator?: number;
  /** The annex with its 0x50 prefix. */
  readonly annex?: Bytes;
}

/**
 * BIP341 message for input `index`; `prevouts` are the outputs spent, one per input in order.
 * `undefined` when the type is invalid or SIGHASH_SINGLE has no matching output.
 */
export function taprootSighash(
  tx: Tx,
  index: number,
  prevouts: readonly TxOut[],
  { type = SIGHASH.DEFAULT, leafHash, codeSeparator = 0xffffffff, annex }: TaprootSighashOptions = {},
): Bytes | undefined {
  if (!isTaprootSighash(type) || prevouts.length !== tx.inputs.length) return undefined;
  const shared = sharedOf(tx, prevouts);
  const anyoneCanPay = (type & SIGHASH.ANYONECANPAY) !== 0;
  const outputType = type & 3;
  const parts: Bytes[] = [Uint8Array.of(0, type), i32le(tx.version), u32le(tx.locktime)];
  if (!anyoneCanPay) parts.push(shared.prevouts, shared.amounts, shared.scripts, shared.sequences);
  if (outputType !== SIGHASH.NONE && outputType !== SIGHASH.SINGLE) parts.push(shared.outputs);
  parts.push(Uint8Array.of((leafHash ? 2 : 0) + (annex ? 1 : 0)));
  const input = tx.inputs[index]!;
  if (anyoneCanPay) {
    parts.push(outpointBytes(input.prevout), serializeOutput(prevouts[index]!), u32le(input.sequence));
  } else {
    parts.push(u32le(index));
  }
  if (annex) parts.push(sha256(blob(annex)));
  if (outputType === SIGHASH.SINGLE) {
    const output = tx.outputs[index];
    if (!output) return undefined;
    parts.push(sha256(serializeOutput(output)));
  }
  if (leafHash) parts.push(leafHash, Uint8Array.of(0), u32le(codeSeparator));
  return taggedHash('TapSighash', ...parts);
}

/** BIP341 signature hash. (The older forms live beside the interpreter, which alone needs them.) */
import { type Bytes, join } from '../base/bytes.ts';
import { sha256, taggedHash } from '../crypto/hash.ts';
import { blob, i32le, u32le, u64le } from './reader.ts';
import { outpointBytes, serializeOutput, type Tx, type TxOut } from './tx.ts';
import { outputHash, txHashes } from './tx-hashes.ts';

export const SIGHASH = { DEFAULT: 0, ALL: 1, NONE: 2, SINGLE: 3, ANYONECANPAY: 0x80 } as const;

export const isTaprootSighash = (type: number): boolean => type <= 3 || (type >= 0x81 && type <= 0x83);

/** What the hashes of all inputs share about the outputs spent. */
interface SpentHashes {
  readonly amounts: Bytes;
  readonly scripts: Bytes;
}

const ofPrevouts = new WeakMap<readonly TxOut[], SpentHashes>();

function spentHashes(prevouts: readonly TxOut[]): SpentHashes {
  let hashes = ofPrevouts.get(prevouts);
  if (!hashes) {
    hashes = {
      amounts: sha256(join(prevouts.map((output) => u64le(output.value)))),
      scripts: sha256(join(prevouts.map((output) => blob(output.script)))),
    };
    ofPrevouts.set(prevouts, hashes);
  }
  return hashes;
}

const ofAnnex = new WeakMap<Bytes, Bytes>();

/** An annex may be large and a tapscript may sign it often. */
function annexHash(annex: Bytes): Bytes {
  let hash = ofAnnex.get(annex);
  if (!hash) {
    hash = sha256(blob(annex));
    ofAnnex.set(annex, hash);
  }
  return hash;
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
  const shared = txHashes(tx);
  const anyoneCanPay = (type & SIGHASH.ANYONECANPAY) !== 0;
  const outputType = type & 3;
  const parts: Bytes[] = [Uint8Array.of(0, type), i32le(tx.version), u32le(tx.locktime)];
  if (!anyoneCanPay) {
    const spent = spentHashes(prevouts);
    parts.push(shared.prevouts, spent.amounts, spent.scripts, shared.sequences);
  }
  if (outputType !== SIGHASH.NONE && outputType !== SIGHASH.SINGLE) parts.push(shared.outputs);
  parts.push(Uint8Array.of((leafHash ? 2 : 0) + (annex ? 1 : 0)));
  const input = tx.inputs[index]!;
  if (anyoneCanPay) {
    parts.push(outpointBytes(input.prevout), serializeOutput(prevouts[index]!), u32le(input.sequence));
  } else {
    parts.push(u32le(index));
  }
  if (annex) parts.push(annexHash(annex));
  if (outputType === SIGHASH.SINGLE) {
    const output = tx.outputs[index];
    if (!output) return undefined;
    parts.push(outputHash(output));
  }
  if (leafHash) parts.push(leafHash, Uint8Array.of(0), u32le(codeSeparator));
  return taggedHash('TapSighash', ...parts);
}

/** The signature hash from before segwit, with all that consensus has kept of it. */
import { type Bytes, concat, equal, join } from '../../base/bytes.ts';
import { sha256d } from '../../crypto/hash.ts';
import { blob, compactSize, i32le, u32le, u64le } from '../reader.ts';
import { instructionAt, OP } from '../script.ts';
import { SIGHASH } from '../sighash.ts';
import { outpointBytes, serializeOutput, type Tx } from '../tx.ts';

/** The "hash" of a SIGHASH_SINGLE without its output: the number one. */
const ONE = Uint8Array.of(1, ...new Uint8Array(31));
/** An output that SIGHASH_SINGLE leaves open: value -1 and no script. */
const BLANK_OUTPUT = concat(u64le(-1n), compactSize(0));

/** Copies `script` without the runs of bytes that `skip` finds at the start of an instruction. */
function cut(script: Bytes, skip: (at: number) => number): Bytes {
  const kept: Bytes[] = [];
  let from = 0;
  for (let at = 0; at < script.length; ) {
    const length = skip(at);
    if (length > 0) {
      kept.push(script.subarray(from, at));
      at += length;
      from = at;
    } else {
      // Whatever follows a broken push is kept as it is.
      at = instructionAt(script, at)?.end ?? script.length;
    }
  }
  return from === 0 ? script : join([...kept, script.subarray(from)]);
}

/** `FindAndDelete`: `script` without `piece` wherever an instruction starts with it. */
export const withoutPiece = (script: Bytes, piece: Bytes): Bytes =>
  cut(script, (at) => (equal(script.subarray(at, at + piece.length), piece) ? piece.length : 0));

const withoutSeparators = (script: Bytes): Bytes => cut(script, (at) => (script[at] === OP.CODESEPARATOR ? 1 : 0));

/**
 * Message for input `index`; `scriptCode` is the script being run, from its last OP_CODESEPARATOR on and without the
 * signature; `type` is 32 bits, of which a signature carries the lowest eight.
 */
export function legacySighash(tx: Tx, index: number, scriptCode: Bytes, type: number): Bytes {
  const anyoneCanPay = (type & SIGHASH.ANYONECANPAY) !== 0;
  const outputType = type & 0x1f;
  const isNone = outputType === SIGHASH.NONE;
  const isSingle = outputType === SIGHASH.SINGLE;
  if (isSingle && index >= tx.outputs.length) return ONE;
  const code = blob(withoutSeparators(scriptCode));
  const inputs = tx.inputs.flatMap((input, i) => {
    if (i === index) return [outpointBytes(input.prevout), code, u32le(input.sequence)];
    if (anyoneCanPay) return [];
    return [outpointBytes(input.prevout), compactSize(0), u32le(isNone || isSingle ? 0 : input.sequence)];
  });
  const covered = isNone ? [] : isSingle ? tx.outputs.slice(0, index + 1) : tx.outputs;
  const outputs = covered.map((output, i) => (isSingle && i !== index ? BLANK_OUTPUT : serializeOutput(output)));
  return sha256d(
    join([
      i32le(tx.version),
      compactSize(anyoneCanPay ? 1 : tx.inputs.length),
      ...inputs,
      compactSize(outputs.length),
      ...outputs,
      u32le(tx.locktime),
      i32le(type),
    ]),
  );
}

/**
 * BIP174 (version 0) with BIP371's taproot fields, as plain data. Every key-value pair that we do not name is kept
 * byte for byte, because Ark carries protocol data in unknown input fields and clients compare what comes back.
 */
import { type Bytes, compare, concat, equal, fromBase64, fromHex, join, toBase64, toHex } from '../base/bytes.ts';
import { blob, DecodeError, Reader, u32le } from './reader.ts';
import { parseTx, readOutput, serializeOutput, serializeTx, serializeWitness, type Tx, type TxOut } from './tx.ts';

const MAGIC = fromHex('70736274ff');

const IN = {
  WITNESS_UTXO: 0x01,
  SIGHASH: 0x03,
  FINAL_WITNESS: 0x08,
  TAP_KEY_SIG: 0x13,
  TAP_SCRIPT_SIG: 0x14,
  TAP_LEAF_SCRIPT: 0x15,
  TAP_INTERNAL_KEY: 0x17,
  TAP_MERKLE_ROOT: 0x18,
} as const;

/** A raw pair; `key` starts with its type byte. */
export interface PsbtPair {
  readonly key: Bytes;
  readonly value: Bytes;
}

export interface TapScriptSig {
  /** x-only. */
  readonly publicKey: Bytes;
  readonly leafHash: Bytes;
  /** 64 bytes, or 65 with the sighash type last. */
  readonly signature: Bytes;
}

export interface TapLeafScript {
  readonly controlBlock: Bytes;
  readonly script: Bytes;
  readonly version: number;
}

export interface PsbtInput {
  readonly witnessUtxo?: TxOut;
  readonly sighashType?: number;
  readonly finalWitness?: readonly Bytes[];
  readonly tapKeySig?: Bytes;
  readonly tapScriptSigs: readonly TapScriptSig[];
  readonly tapLeafScripts: readonly TapLeafScript[];
  readonly tapInternalKey?: Bytes;
  readonly tapMerkleRoot?: Bytes;
  readonly rest: readonly PsbtPair[];
}

export interface Psbt {
  readonly tx: Tx;
  readonly inputs: readonly PsbtInput[];
  /** Raw pairs of each output. */
  readonly outputs: readonly (readonly PsbtPair[])[];
  /** Global pairs besides the unsigned transaction. */
  readonly globals: readonly PsbtPair[];
}

export const EMPTY_INPUT: PsbtInput = { tapScriptSigs: [], tapLeafScripts: [], rest: [] };

/** A PSBT around `tx` with the given input maps (one per input; missing ones are empty). */
export const createPsbt = (tx: Tx, inputs: readonly PsbtInput[] = []): Psbt => ({
  tx,
  inputs: tx.inputs.map((_, i) => inputs[i] ?? EMPTY_INPUT),
  outputs: tx.outputs.map(() => []),
  globals: [],
});

function readMap(reader: Reader): PsbtPair[] {
  const pairs: PsbtPair[] = [];
  const seen = new Set<string>();
  for (;;) {
    const length = reader.compactSize();
    if (length === 0) return pairs;
    const key = reader.bytes(length);
    const id = toHex(key);
    if (seen.has(id)) throw new DecodeError(`duplicate PSBT key ${id.slice(0, 40)}`);
    seen.add(id);
    pairs.push({ key, value: reader.blob() });
  }
}

function parseOutput(bytes: Bytes): TxOut {
  const reader = new Reader(bytes);
  const output = readOutput(reader);
  reader.end();
  return output;
}

function readWitness(bytes: Bytes): Bytes[] {
  const reader = new Reader(bytes);
  const items: Bytes[] = [];
  for (let count = reader.compactSize(); count > 0; count--) items.push(reader.blob());
  reader.end();
  return items;
}

const exactly = (bytes: Bytes, length: number, what: string): Bytes => {
  if (bytes.length !== length) throw new DecodeError(`${what} has ${bytes.length} bytes, not ${length}`);
  return bytes;
};

function toInput(pairs: readonly PsbtPair[]): PsbtInput {
  const input: { -readonly [K in keyof PsbtInput]: PsbtInput[K] } = { ...EMPTY_INPUT };
  const tapScriptSigs: TapScriptSig[] = [];
  const tapLeafScripts: TapLeafScript[] = [];
  const rest: PsbtPair[] = [];
  for (const { key, value } of pairs) {
    const data = key.subarray(1);
    const bare = data.length === 0;
    const type = key[0]!;
    if (bare && type === IN.WITNESS_UTXO) input.witnessUtxo = parseOutput(value);
    else if (bare && type === IN.SIGHASH) input.sighashType = new Reader(exactly(value, 4, 'sighash type')).u32();
    else if (bare && type === IN.FINAL_WITNESS) input.finalWitness = readWitness(value);
    else if (bare && type === IN.TAP_KEY_SIG) input.tapKeySig = value;
    else if (bare && type === IN.TAP_INTERNAL_KEY) input.tapInternalKey = exactly(value, 32, 'tap internal key');
    else if (bare && type === IN.TAP_MERKLE_ROOT) input.tapMerkleRoot = exactly(value, 32, 'tap merkle root');
    else if (type === IN.TAP_SCRIPT_SIG) {
      exactly(data, 64, 'tap script signature key');
      if (value.length !== 64 && value.length !== 65) throw new DecodeError('a Schnorr signature has 64 or 65 bytes');
      tapScriptSigs.push({ publicKey: data.slice(0, 32), leafHash: data.slice(32), signature: value });
    } else if (type === IN.TAP_LEAF_SCRIPT) {
      if (value.length === 0) throw new DecodeError('empty tap leaf script');
      tapLeafScripts.push({
        controlBlock: data.slice(),
        script: value.slice(0, -1),
        version: value[value.length - 1]!,
      });
    } else rest.push({ key, value });
  }
  return { ...input, tapScriptSigs, tapLeafScripts, rest };
}

/** Parses a version 0 PSBT, base64 or bytes. Throws {@link DecodeError} or `TypeError`. */
export function parsePsbt(raw: Bytes | string): Psbt {
  const reader = new Reader(typeof raw === 'string' ? fromBase64(raw) : raw);
  if (!equal(reader.bytes(MAGIC.length), MAGIC)) throw new DecodeError('not a PSBT');
  const all = readMap(reader);
  const unsigned = all.find(({ key }) => key.length === 1 && key[0] === 0);
  if (!unsigned) throw new DecodeError('PSBT without unsigned transaction');
  const tx = parseTx(unsigned.value);
  if (tx.inputs.some((input) => input.scriptSig.length > 0 || input.witness.length > 0)) {
    throw new DecodeError('the transaction of a PSBT must be unsigned');
  }
  const inputs = tx.inputs.map(() => toInput(readMap(reader)));
  const outputs = tx.outputs.map(() => readMap(reader));
  reader.end();
  return { tx, inputs, outputs, globals: all.filter((pair) => pair !== unsigned) };
}

const pair = (type: number, value: Bytes, keyData: Bytes = new Uint8Array(0)): PsbtPair => ({
  key: concat(Uint8Array.of(type), keyData),
  value,
});

export { serializeWitness } from './tx.ts';

export const parseWitness = readWitness;

function fromInput(input: PsbtInput): PsbtPair[] {
  const pairs: PsbtPair[] = [];
  if (input.witnessUtxo) pairs.push(pair(IN.WITNESS_UTXO, serializeOutput(input.witnessUtxo)));
  if (input.sighashType !== undefined) pairs.push(pair(IN.SIGHASH, u32le(input.sighashType)));
  if (input.finalWitness) pairs.push(pair(IN.FINAL_WITNESS, serializeWitness(input.finalWitness)));
  if (input.tapKeySig) pairs.push(pair(IN.TAP_KEY_SIG, input.tapKeySig));
  for (const sig of input.tapScriptSigs) {
    pairs.push(pair(IN.TAP_SCRIPT_SIG, sig.signature, concat(sig.publicKey, sig.leafHash)));
  }
  for (const leaf of input.tapLeafScripts) {
    pairs.push(pair(IN.TAP_LEAF_SCRIPT, concat(leaf.script, Uint8Array.of(leaf.version)), leaf.controlBlock));
  }
  if (input.tapInternalKey) pairs.push(pair(IN.TAP_INTERNAL_KEY, input.tapInternalKey));
  if (input.tapMerkleRoot) pairs.push(pair(IN.TAP_MERKLE_ROOT, input.tapMerkleRoot));
  pairs.push(...input.rest);
  return pairs.sort((a, b) => compare(a.key, b.key));
}

const writeMap = (pairs: readonly PsbtPair[]): Bytes =>
  join([...pairs.flatMap(({ key, value }) => [blob(key), blob(value)]), Uint8Array.of(0)]);

export function serializePsbt(psbt: Psbt): Bytes {
  return join([
    MAGIC,
    writeMap([pair(0, serializeTx(psbt.tx, 'stripped')), ...psbt.globals]),
    ...psbt.inputs.map((input) => writeMap(fromInput(input))),
    ...psbt.outputs.map(writeMap),
  ]);
}

export const psbtBase64 = (psbt: Psbt): string => toBase64(serializePsbt(psbt));

/** The same PSBT with input `index` changed. */
export const withInput = (psbt: Psbt, index: number, change: Partial<PsbtInput>): Psbt => ({
  ...psbt,
  inputs: psbt.inputs.map((input, i) => (i === index ? { ...input, ...change } : input)),
});

/** Adds a tapscript signature, replacing one by the same key over the same leaf. */
export const withTapScriptSig = (psbt: Psbt, index: number, sig: TapScriptSig): Psbt =>
  withInput(psbt, index, {
    tapScriptSigs: [
      ...psbt.inputs[index]!.tapScriptSigs.filter(
        (other) => !equal(other.publicKey, sig.publicKey) || !equal(other.leafHash, sig.leafHash),
      ),
      sig,
    ],
  });

/** The outputs spent, in order, when every input names its own; else `undefined`. */
export function prevoutsOf(psbt: Psbt): readonly TxOut[] | undefined {
  const prevouts = psbt.inputs.map((input) => input.witnessUtxo);
  return prevouts.every((output) => output !== undefined) ? prevouts : undefined;
}

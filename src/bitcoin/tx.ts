/** Transactions as plain data, their serialization (BIP144), ids and sizes. */
import {
  type Bytes,
  concat,
  equal,
  fromHex,
  isTxid,
  join,
  type Outpoint,
  reversed,
  type Txid,
  toHex,
} from '../base/bytes.ts';
import { sha256d } from '../crypto/hash.ts';
import { blob, compactSize, DecodeError, i32le, Reader, u32le, u64le } from './reader.ts';

export interface TxIn {
  readonly prevout: Outpoint;
  readonly scriptSig: Bytes;
  readonly sequence: number;
  /** Empty for an input without witness. */
  readonly witness: readonly Bytes[];
}

export interface TxOut {
  /** Satoshi. A raw bigint and not `Sats`: consensus has to be able to hold a wrong one to refuse it. */
  readonly value: bigint;
  readonly script: Bytes;
}

export interface Tx {
  readonly version: number;
  readonly inputs: readonly TxIn[];
  readonly outputs: readonly TxOut[];
  readonly locktime: number;
}

export const SEQUENCE_FINAL = 0xffffffff;
/** Final for replacement purposes but lets the transaction's locktime count (BIP65). */
export const SEQUENCE_LOCKTIME = 0xfffffffe;
export const NULL_TXID = '0'.repeat(64) as Txid;

const NO_BYTES = new Uint8Array(0);

/** An input spending `prevout` with nothing signed yet. */
export const txIn = (prevout: Outpoint, sequence: number = SEQUENCE_FINAL): TxIn => ({
  prevout,
  sequence,
  scriptSig: NO_BYTES,
  witness: [],
});

export const txidBytes = (txid: Txid): Bytes => reversed(fromHex(txid));

export function txidFromBytes(bytes: Bytes): Txid {
  const text = toHex(reversed(bytes));
  if (!isTxid(text)) throw new DecodeError('a txid has 32 bytes');
  return text;
}

export const outpointBytes = (outpoint: Outpoint): Bytes => concat(txidBytes(outpoint.txid), u32le(outpoint.vout));

export const isNullOutpoint = (outpoint: Outpoint): boolean =>
  outpoint.txid === NULL_TXID && outpoint.vout === 0xffffffff;

/** True of the transaction that creates coins: one input, spending nothing. */
export const isCoinbase = (tx: Tx): boolean => tx.inputs.length === 1 && isNullOutpoint(tx.inputs[0]!.prevout);

export const hasWitness = (tx: Tx): boolean => tx.inputs.some((input) => input.witness.length > 0);

export const serializeOutput = (output: TxOut): Bytes => concat(u64le(output.value), blob(output.script));

export const sameOutput = (a: TxOut | undefined, b: TxOut): boolean =>
  a !== undefined && a.value === b.value && equal(a.script, b.script);

export const serializeWitness = (items: readonly Bytes[]): Bytes =>
  join([compactSize(items.length), ...items.map(blob)]);

/** BIP144: a zero where the input count stands, then flag 1. */
const SEGWIT_MARK = Uint8Array.of(0, 1);

/** BIP144. Without witness (`'stripped'`) it is what the txid commits to. */
export function serializeTx(tx: Tx, form: 'full' | 'stripped' = 'full'): Bytes {
  const segwit = form === 'full' && hasWitness(tx);
  return join([
    i32le(tx.version),
    segwit ? SEGWIT_MARK : NO_BYTES,
    compactSize(tx.inputs.length),
    ...tx.inputs.flatMap((input) => [outpointBytes(input.prevout), blob(input.scriptSig), u32le(input.sequence)]),
    compactSize(tx.outputs.length),
    ...tx.outputs.map(serializeOutput),
    ...(segwit ? tx.inputs.map((input) => serializeWitness(input.witness)) : []),
    u32le(tx.locktime),
  ]);
}

/** Reads what {@link serializeOutput} wrote. Throws {@link DecodeError}. */
export const readOutput = (reader: Reader): TxOut => ({ value: reader.i64(), script: reader.blob() });

/** Reads one transaction from `reader`. Throws {@link DecodeError}. */
export function readTx(reader: Reader): Tx {
  const version = reader.i32();
  const segwit = reader.peek() === 0 && reader.peek(1) === 1;
  if (segwit) reader.bytes(2);
  const inputCount = reader.compactSize();
  const bare: { prevout: Outpoint; scriptSig: Bytes; sequence: number }[] = [];
  for (let i = 0; i < inputCount; i++) {
    const txid = txidFromBytes(reader.bytes(32));
    bare.push({ prevout: { txid, vout: reader.u32() }, scriptSig: reader.blob(), sequence: reader.u32() });
  }
  const outputCount = reader.compactSize();
  const outputs: TxOut[] = [];
  for (let i = 0; i < outputCount; i++) outputs.push(readOutput(reader));
  const inputs = bare.map((input): TxIn => {
    const witness: Bytes[] = [];
    if (segwit) for (let count = reader.compactSize(); count > 0; count--) witness.push(reader.blob());
    return { ...input, witness };
  });
  if (segwit && inputs.every((input) => input.witness.length === 0)) throw new DecodeError('superfluous witness');
  return { version, inputs, outputs, locktime: reader.u32() };
}

/** Parses one whole transaction, hex or bytes. Throws {@link DecodeError} or `TypeError`. */
export function parseTx(raw: Bytes | string): Tx {
  const reader = new Reader(typeof raw === 'string' ? fromHex(raw) : raw);
  const tx = readTx(reader);
  reader.end();
  return tx;
}

export const txHex = (tx: Tx): string => toHex(serializeTx(tx));

const ids = new WeakMap<Tx, Txid>();

/** Transactions are immutable data, so the id is computed once per object. */
export function txidOf(tx: Tx): Txid {
  let id = ids.get(tx);
  if (!id) {
    id = txidFromBytes(sha256d(serializeTx(tx, 'stripped')));
    ids.set(tx, id);
  }
  return id;
}

export const wtxidOf = (tx: Tx): Txid => txidFromBytes(sha256d(serializeTx(tx)));

/** BIP141 weight units. */
export const weightOf = (tx: Tx): number => serializeTx(tx, 'stripped').length * 3 + serializeTx(tx).length;

/** BIP141 virtual bytes, rounded up. */
export const vsizeOf = (tx: Tx): number => Math.ceil(weightOf(tx) / 4);

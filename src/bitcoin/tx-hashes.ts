/** SHA256 over the lists of a transaction, which BIP143, BIP341 and BIP119 all build their hashes from. */
import { type Bytes, join } from '../base/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { u32le } from './reader.ts';
import { outpointBytes, serializeOutput, type Tx, type TxOut } from './tx.ts';

/** Each a single SHA256 of the joined serializations. */
export interface TxHashes {
  readonly prevouts: Bytes;
  readonly sequences: Bytes;
  readonly outputs: Bytes;
}

const ofTx = new WeakMap<Tx, TxHashes>();

/** Computed once per transaction object, so that many inputs cost no more than one. */
export function txHashes(tx: Tx): TxHashes {
  let hashes = ofTx.get(tx);
  if (!hashes) {
    hashes = {
      prevouts: sha256(join(tx.inputs.map((input) => outpointBytes(input.prevout)))),
      sequences: sha256(join(tx.inputs.map((input) => u32le(input.sequence)))),
      outputs: sha256(join(tx.outputs.map(serializeOutput))),
    };
    ofTx.set(tx, hashes);
  }
  return hashes;
}

const ofOutput = new WeakMap<TxOut, Bytes>();

/** SHA256 of one serialized output, computed once per object. */
export function outputHash(output: TxOut): Bytes {
  let hash = ofOutput.get(output);
  if (!hash) {
    hash = sha256(serializeOutput(output));
    ofOutput.set(output, hash);
  }
  return hash;
}

import { type Bytes, concat, join } from '../base/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { blob, i32le, u32le } from './reader.ts';
import type { Tx } from './tx.ts';
import { txHashes } from './tx-hashes.ts';

const scriptSigs = new WeakMap<Tx, Bytes>();

/** Nothing at all when every scriptSig is empty, which is how segwit transactions stay short. */
function scriptSigsHash(tx: Tx): Bytes {
  let hash = scriptSigs.get(tx);
  if (!hash) {
    const isEmpty = tx.inputs.every((input) => input.scriptSig.length === 0);
    hash = isEmpty ? new Uint8Array(0) : sha256(join(tx.inputs.map((input) => blob(input.scriptSig))));
    scriptSigs.set(tx, hash);
  }
  return hash;
}

/** BIP119 `DefaultCheckTemplateVerifyHash`: what `tx` is, spent at input `index`, but for the coins it spends. */
export function templateHash(tx: Tx, index: number): Bytes {
  const { sequences, outputs } = txHashes(tx);
  return sha256(
    concat(
      i32le(tx.version),
      u32le(tx.locktime),
      scriptSigsHash(tx),
      u32le(tx.inputs.length),
      sequences,
      u32le(tx.outputs.length),
      outputs,
      u32le(index),
    ),
  );
}

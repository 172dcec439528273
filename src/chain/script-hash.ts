import { type Bytes, toHex } from '../base/bytes.ts';
import { sha256 } from '../crypto/hash.ts';

/** SHA256 of an output script in hex: what Electrum and Esplora call a script by. */
export type ScriptHash = string & { readonly __brand: 'ScriptHash' };

const known = new WeakMap<Bytes, ScriptHash>();

/** Computed once per array, since an output's script is looked up when it is made, spent and undone. */
export function scriptHashOf(script: Bytes): ScriptHash {
  let hash = known.get(script);
  if (!hash) {
    hash = toHex(sha256(script)) as ScriptHash;
    known.set(script, hash);
  }
  return hash;
}

export const isScriptHash = (text: string): text is ScriptHash => /^[0-9a-f]{64}$/.test(text);

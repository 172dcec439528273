import { ripemd160 as ripemd, sha1 as sha1Hash } from '@noble/hashes/legacy.js';
import { sha256 as sha } from '@noble/hashes/sha2.js';
import { type Bytes, concat, utf8 } from '../base/bytes.ts';

export const sha256 = (bytes: Bytes): Bytes => sha(bytes);
export const sha256d = (bytes: Bytes): Bytes => sha(sha(bytes));
export const ripemd160 = (bytes: Bytes): Bytes => ripemd(bytes);
/** Broken for collisions; scripts may still ask for it. */
export const sha1 = (bytes: Bytes): Bytes => sha1Hash(bytes);
export const hash160 = (bytes: Bytes): Bytes => ripemd(sha(bytes));

const midstates = new Map<string, Bytes>();

/** BIP340: `sha256(sha256(tag) ‖ sha256(tag) ‖ parts…)`. */
export function taggedHash(tag: string, ...parts: readonly Bytes[]): Bytes {
  let prefix = midstates.get(tag);
  if (!prefix) {
    const tagHash = sha(utf8(tag));
    prefix = concat(tagHash, tagHash);
    midstates.set(tag, prefix);
  }
  return sha(concat(prefix, ...parts));
}

/** BIP341/342: leaves, trees, control blocks, output keys. */
import { type Bytes, compare, concat, equal, fromHex } from '../base/bytes.ts';
import { taggedHash } from '../crypto/hash.ts';
import type { Secp } from '../crypto/secp.ts';
import { blob } from './reader.ts';

export const LEAF_VERSION = 0xc0;

/** BIP341 `H`: a point nobody knows the discrete logarithm of; x-only. */
export const NUMS_KEY: Bytes = fromHex('50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0');

export const leafHash = (script: Bytes, version: number = LEAF_VERSION): Bytes =>
  taggedHash('TapLeaf', Uint8Array.of(version), blob(script));

export const branchHash = (a: Bytes, b: Bytes): Bytes =>
  compare(a, b) < 0 ? taggedHash('TapBranch', a, b) : taggedHash('TapBranch', b, a);

export const tapTweak = (internal: Bytes, merkleRoot: Bytes = new Uint8Array(0)): Bytes =>
  taggedHash('TapTweak', internal, merkleRoot);

/** A script tree flattened: its root, and for every leaf the script with its merkle path (nearest sibling first). */
export interface TapTree {
  readonly root: Bytes;
  readonly leaves: readonly { readonly script: Bytes; readonly hash: Bytes; readonly path: readonly Bytes[] }[];
}

/**
 * Assembles leaves as btcd's `AssembleTaprootScriptTree` does, which is the grouping Ark clients expect: pair
 * left to right, merge an odd last leaf into the last pair, then join branches first in first out.
 * Throws on an empty list.
 */
export function assembleTapTree(scripts: readonly Bytes[]): TapTree {
  if (scripts.length === 0) throw new RangeError('a script tree needs a leaf');
  const hashes = scripts.map((script) => leafHash(script));
  const paths: Bytes[][] = scripts.map(() => []);
  type Branch = { hash: Bytes; members: number[] };
  const join = (left: Branch, right: Branch): Branch => {
    for (const member of left.members) paths[member]!.push(right.hash);
    for (const member of right.members) paths[member]!.push(left.hash);
    return { hash: branchHash(left.hash, right.hash), members: [...left.members, ...right.members] };
  };
  const leaf = (index: number): Branch => ({ hash: hashes[index]!, members: [index] });
  const queue: Branch[] = [];
  for (let i = 0; i < scripts.length; i += 2) {
    const alone = i === scripts.length - 1;
    const last = queue[queue.length - 1];
    if (!alone) queue.push(join(leaf(i), leaf(i + 1)));
    else if (last) queue[queue.length - 1] = join(last, leaf(i));
    else queue.push(leaf(i));
  }
  while (queue.length > 1) queue.push(join(queue.shift()!, queue.shift()!));
  const leaves = scripts.map((script, i) => ({ script, hash: hashes[i]!, path: paths[i]! }));
  return { root: queue[0]!.hash, leaves };
}

export interface OutputKey {
  readonly xonly: Bytes;
  readonly parity: 0 | 1;
}

/** Output key of `internal` committed to `merkleRoot`. Throws when the tweak leads nowhere (probability 2^-128). */
export function outputKey(secp: Secp, internal: Bytes, merkleRoot?: Bytes): OutputKey {
  const tweaked = secp.tweakXonly(internal, tapTweak(internal, merkleRoot));
  if (!tweaked) throw new RangeError('not a taproot internal key');
  return tweaked;
}

export const controlBlock = (
  internal: Bytes,
  parity: 0 | 1,
  path: readonly Bytes[],
  version: number = LEAF_VERSION,
): Bytes => concat(Uint8Array.of(version | parity), internal, ...path);

/** BIP341: a control block is a leaf version, an internal key and at most 128 branches. */
export const isControlSize = (length: number): boolean =>
  length >= 33 && length <= 33 + 32 * 128 && (length - 33) % 32 === 0;

/** Merkle root that a control block claims for `script`; `undefined` when its length is impossible (BIP341). */
export function rootOfControlBlock(control: Bytes, script: Bytes): Bytes | undefined {
  if (!isControlSize(control.length)) return undefined;
  let hash = leafHash(script, control[0]! & 0xfe);
  for (let at = 33; at < control.length; at += 32) hash = branchHash(hash, control.subarray(at, at + 32));
  return hash;
}

/** True when `control` proves that `script` is a leaf of the P2TR output key `xonly` (BIP341). */
export function isCommitted(secp: Secp, control: Bytes, script: Bytes, xonly: Bytes): boolean {
  const root = rootOfControlBlock(control, script);
  if (!root) return false;
  const internal = control.subarray(1, 33);
  const tweaked = secp.tweakXonly(internal, tapTweak(internal, root));
  return tweaked !== undefined && equal(tweaked.xonly, xonly) && tweaked.parity === (control[0]! & 1);
}

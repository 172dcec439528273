/**
 * The one door to secp256k1. Two backends stand behind it: the pure reference (`noble.ts`) and libsecp256k1 as
 * WASM, loaded by `runtime/` and handed in. Callers never know which; a differential test holds them equal.
 */
import type { Bytes } from '../base/bytes.ts';

/** A MuSig2 aggregate, ready to sign under: opaque to everybody but the backend that made it. */
export interface KeyAgg {
  /** x-only aggregate key, after the tweak if one was given. */
  readonly xonly: Bytes;
  /** x-only aggregate key before the tweak: a taproot internal key. */
  readonly internal: Bytes;
  readonly handle: unknown;
}

/** A MuSig2 signing session: one message, one aggregate nonce, one key aggregate. */
export interface MusigSession {
  readonly handle: unknown;
}

export interface NoncePair {
  /** Never stored, never logged, used once. */
  readonly secret: Bytes;
  /** 66 bytes: two compressed points. */
  readonly public: Bytes;
}

export interface Secp {
  /** Compressed public key (33 bytes) of a 32-byte secret key. Throws on an invalid secret. */
  publicKey(secret: Bytes): Bytes;
  isPublicKey(compressed: Bytes): boolean;
  isXonly(key: Bytes): boolean;
  /** BIP340. `aux` is 32 bytes of fresh randomness. */
  schnorrSign(message: Bytes, secret: Bytes, aux: Bytes): Bytes;
  /** BIP340; false, never a throw, for malformed keys or signatures. */
  schnorrVerify(signature: Bytes, message: Bytes, xonly: Bytes): boolean;
  /** ECDSA over a 32-byte hash, low-S compact 64 bytes (RFC 6979). */
  ecdsaSign(hash: Bytes, secret: Bytes): Bytes;
  /** ECDSA compact signature; high S is accepted (consensus), malformed input is false. */
  ecdsaVerify(signature: Bytes, hash: Bytes, publicKey: Bytes): boolean;
  /** BIP341 `lift_x(P) + tweak·G`. `undefined` when it is no valid key. */
  tweakXonly(xonly: Bytes, tweak: Bytes): { readonly xonly: Bytes; readonly parity: 0 | 1 } | undefined;
  /** BIP341 secret: `even(secret) + tweak`. */
  tweakSecret(secret: Bytes, tweak: Bytes): Bytes;
  /**
   * BIP327 KeyAgg over `keys` in the order given (sort first), with one optional x-only (taproot) tweak. A tweak that
   * depends on the aggregate itself is given as a function of it, so that nothing is aggregated twice.
   */
  musigKeyAgg(keys: readonly Bytes[], tweak?: Bytes | ((internal: Bytes) => Bytes)): KeyAgg;
  /** `random` is 32 fresh bytes, never used before. */
  musigNonce(random: Bytes, publicKey: Bytes, secret: Bytes): NoncePair;
  /** Throws when a nonce is malformed. */
  musigAggregateNonces(publicNonces: readonly Bytes[]): Bytes;
  musigSession(keys: KeyAgg, aggregateNonce: Bytes, message: Bytes): MusigSession;
  musigSign(session: MusigSession, keys: KeyAgg, nonce: NoncePair, secret: Bytes): Bytes;
  /** False, never a throw, for a malformed or wrong partial signature. */
  musigVerify(session: MusigSession, keys: KeyAgg, partial: Bytes, publicNonce: Bytes, publicKey: Bytes): boolean;
  musigAggregate(session: MusigSession, partials: readonly Bytes[]): Bytes;
}

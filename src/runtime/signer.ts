/**
 * Where secrets live: named keys, and MuSig2 nonces from the moment they are drawn until the one message they sign.
 * Nonces are in memory only, so no crash, backup or rollback can bring one back.
 */
import type { Bytes } from '../base/bytes.ts';
import { invariant } from '../base/errors.ts';
import { tapTweak } from '../bitcoin/taproot.ts';
import type { KeyAgg, MusigSession, NoncePair, Secp } from '../crypto/secp.ts';
import type { Entropy } from './entropy.ts';

export interface Signer<Name extends string> {
  /** Compressed public key. */
  publicKey(key: Name): Bytes;
  /** BIP340 signature over a 32-byte hash. `taproot: 'bip86'` signs for the key-path output of the key (BIP86). */
  sign(key: Name, hash: Bytes, taproot?: 'bare' | 'bip86'): Bytes;
  /** Draws a nonce for one signature, known as `slot` from here on. Throws when the slot is taken. */
  drawNonce(key: Name, slot: string): Bytes;
  /** Signs with the nonce of `slot` and destroys it, before anything can fail. Throws when there is none (any more). */
  signPartial(key: Name, slot: string, session: MusigSession, keys: KeyAgg): Bytes;
  /** Destroys the unused nonces of every slot that begins with `prefix`. */
  forgetNonces(prefix: string): void;
}

/** `secrets` are 32-byte secret keys; an invalid one throws here and not later. */
export function createSigner<Name extends string>(
  secp: Secp,
  entropy: Entropy,
  secrets: Readonly<Record<Name, Bytes>>,
): Signer<Name> {
  const names = Object.keys(secrets) as Name[];
  const publicKeys = new Map(names.map((name) => [name, secp.publicKey(secrets[name])]));
  const tweaked = new Map<Name, Bytes>();
  const nonces = new Map<string, NoncePair>();

  const bip86 = (key: Name): Bytes => {
    let secret = tweaked.get(key);
    if (!secret) {
      secret = secp.tweakSecret(secrets[key], tapTweak(publicKeys.get(key)!.slice(1)));
      tweaked.set(key, secret);
    }
    return secret;
  };

  return {
    publicKey: (key) => publicKeys.get(key)!,
    sign: (key, hash, taproot = 'bare') =>
      secp.schnorrSign(hash, taproot === 'bip86' ? bip86(key) : secrets[key], entropy.bytes(32)),
    drawNonce(key, slot) {
      invariant(!nonces.has(slot), `nonce slot ${slot} is taken`);
      const pair = secp.musigNonce(entropy.bytes(32), publicKeys.get(key)!, secrets[key]);
      nonces.set(slot, pair);
      return pair.public;
    },
    signPartial(key, slot, session, keys) {
      const pair = nonces.get(slot);
      invariant(pair, `no unused nonce in slot ${slot}`);
      nonces.delete(slot);
      const partial = secp.musigSign(session, keys, pair, secrets[key]);
      pair.secret.fill(0);
      return partial;
    },
    forgetNonces(prefix) {
      for (const [slot, pair] of nonces) {
        if (!slot.startsWith(prefix)) continue;
        pair.secret.fill(0);
        nonces.delete(slot);
      }
    },
  };
}

/** libsecp256k1-zkp compiled to WASM behind the {@link Secp} door: about ten times the reference's speed. */
import zkp from '@vulpemventures/secp256k1-zkp';
import { noble } from '../crypto/noble.ts';
import type { KeyAgg, MusigSession, Secp } from '../crypto/secp.ts';

const cacheOf = (keys: KeyAgg): Uint8Array => keys.handle as Uint8Array;
const sessionOf = (session: MusigSession): Uint8Array => session.handle as Uint8Array;
const attempt = (check: () => boolean): boolean => {
  try {
    return check();
  } catch {
    return false;
  }
};

/** The module reads as many bytes as it expects and asks not how many there are. */
function exactly(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw new TypeError(`${bytes.length} bytes where ${length} are due`);
  return bytes;
}
const b32 = (bytes: Uint8Array): Uint8Array => exactly(bytes, 32);
const b64 = (bytes: Uint8Array): Uint8Array => exactly(bytes, 64);
const nonceOf = (bytes: Uint8Array): Uint8Array => exactly(bytes, 66);

/** Loads the WASM module (a few milliseconds). */
export async function loadSecp(): Promise<Secp> {
  const { ecc, musig } = await zkp.default();
  const isPoint = (key: Uint8Array): boolean => attempt(() => ecc.isPoint(exactly(key, 33)));
  return {
    publicKey(secret) {
      const key = ecc.pointFromScalar(b32(secret), true);
      if (!key) throw new TypeError('not a secret key');
      return key;
    },
    isPublicKey: isPoint,
    isXonly: (key) => isPoint(Uint8Array.of(2, ...key)),
    schnorrSign: (message, secret, aux) => ecc.signSchnorr(b32(message), b32(secret), b32(aux)),
    schnorrVerify: (signature, message, xonly) => attempt(() => ecc.verifySchnorr(message, b32(xonly), b64(signature))),
    ecdsaSign: (hash, secret) => ecc.sign(b32(hash), b32(secret)),
    ecdsaVerify: (signature, hash, publicKey) =>
      attempt(() => ecc.verify(b32(hash), exactly(publicKey, 33), b64(signature))),
    tweakXonly(xonly, tweak) {
      try {
        const tweaked = ecc.xOnlyPointAddTweak(xonly, tweak);
        return tweaked ? { xonly: tweaked.xOnlyPubkey, parity: tweaked.parity } : undefined;
      } catch {
        return undefined;
      }
    },
    tweakSecret: noble.tweakSecret,
    musigKeyAgg(keys, tweakOrRule) {
      const { aggPubkey, keyaggCache } = musig.pubkeyAgg(keys.map((key) => exactly(key, 33)));
      const tweak = typeof tweakOrRule === 'function' ? tweakOrRule(aggPubkey) : tweakOrRule;
      if (!tweak) return { xonly: aggPubkey, internal: aggPubkey, handle: keyaggCache };
      const tweaked = musig.pubkeyXonlyTweakAdd(keyaggCache, b32(tweak), true);
      return { xonly: tweaked.pubkey.slice(1), internal: aggPubkey, handle: tweaked.keyaggCache };
    },
    musigNonce(random, publicKey) {
      const pair = musig.nonceGen(b32(random), exactly(publicKey, 33));
      return { secret: pair.secNonce, public: pair.pubNonce };
    },
    musigAggregateNonces: (publicNonces) => musig.nonceAgg(publicNonces.map(nonceOf)),
    musigSession: (keys, aggregateNonce, message) => ({
      handle: musig.nonceProcess(nonceOf(aggregateNonce), b32(message), cacheOf(keys)),
    }),
    musigSign: (session, keys, nonce, secret) =>
      musig.partialSign(nonce.secret, b32(secret), cacheOf(keys), sessionOf(session)),
    musigVerify: (session, keys, partial, publicNonce, publicKey) =>
      attempt(() =>
        musig.partialVerify(
          b32(partial),
          nonceOf(publicNonce),
          exactly(publicKey, 33),
          cacheOf(keys),
          sessionOf(session),
        ),
      ),
    musigAggregate: (session, partials) => musig.partialSigAgg(sessionOf(session), partials.map(b32)),
  };
}

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

/** Loads the WASM module (a few milliseconds). */
export async function loadSecp(): Promise<Secp> {
  const { ecc, musig } = await zkp.default();
  return {
    publicKey(secret) {
      const key = ecc.pointFromScalar(secret, true);
      if (!key) throw new TypeError('not a secret key');
      return key;
    },
    isPublicKey: (key) => key.length === 33 && attempt(() => ecc.isPoint(key)),
    isXonly: (key) => key.length === 32 && attempt(() => ecc.isPoint(Uint8Array.of(2, ...key))),
    schnorrSign: (message, secret, aux) => ecc.signSchnorr(message, secret, aux),
    schnorrVerify: (signature, message, xonly) =>
      signature.length === 64 && xonly.length === 32 && attempt(() => ecc.verifySchnorr(message, xonly, signature)),
    ecdsaSign: (hash, secret) => ecc.sign(hash, secret),
    ecdsaVerify: (signature, hash, publicKey) => attempt(() => ecc.verify(hash, publicKey, signature)),
    tweakXonly(xonly, tweak) {
      try {
        const tweaked = ecc.xOnlyPointAddTweak(xonly, tweak);
        return tweaked ? { xonly: tweaked.xOnlyPubkey, parity: tweaked.parity } : undefined;
      } catch {
        return undefined;
      }
    },
    tweakSecret: noble.tweakSecret,
    musigKeyAgg(keys, tweak) {
      const { aggPubkey, keyaggCache } = musig.pubkeyAgg([...keys]);
      if (!tweak) return { xonly: aggPubkey, internal: aggPubkey, handle: keyaggCache };
      const tweaked = musig.pubkeyXonlyTweakAdd(keyaggCache, tweak, true);
      return { xonly: tweaked.pubkey.slice(1), internal: aggPubkey, handle: tweaked.keyaggCache };
    },
    musigNonce(random, publicKey) {
      const pair = musig.nonceGen(random, publicKey);
      return { secret: pair.secNonce, public: pair.pubNonce };
    },
    musigAggregateNonces: (publicNonces) => musig.nonceAgg([...publicNonces]),
    musigSession: (keys, aggregateNonce, message) => ({
      handle: musig.nonceProcess(aggregateNonce, message, cacheOf(keys)),
    }),
    musigSign: (session, keys, nonce, secret) =>
      musig.partialSign(nonce.secret, secret, cacheOf(keys), sessionOf(session)),
    musigVerify: (session, keys, partial, publicNonce, publicKey) =>
      attempt(() => musig.partialVerify(partial, publicNonce, publicKey, cacheOf(keys), sessionOf(session))),
    musigAggregate: (session, partials) => musig.partialSigAgg(sessionOf(session), [...partials]),
  };
}

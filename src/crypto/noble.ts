/** The reference backend: pure TypeScript over `@noble/curves` and `@scure/btc-signer`. */
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';
import {
  type KeyAggregate,
  keyAggExport,
  keyAggregate,
  nonceAggregate,
  nonceGen,
  Session,
} from '@scure/btc-signer/musig2.js';
import { type Bytes, concat, equal } from '../base/bytes.ts';
import type { KeyAgg, MusigSession, NoncePair, Secp } from './secp.ts';

const { Point } = secp256k1;
const order = Point.Fn.ORDER;
const toNumber = (bytes: Bytes): bigint => Point.Fn.fromBytes(bytes, true);
const attempt = (check: () => boolean): boolean => {
  try {
    return check();
  } catch {
    return false;
  }
};

/** The BIP327 library keeps the keys and the tweak inside its session, so the handle carries them along. */
interface Aggregate {
  readonly aggregate: KeyAggregate;
  readonly keys: readonly Bytes[];
  readonly tweak: Bytes | undefined;
}
interface Running {
  readonly session: Session;
  readonly keys: readonly Bytes[];
}
const aggregateOf = (keys: KeyAgg): Aggregate => keys.handle as Aggregate;
/**
 * The library's own check of one partial signature. Its public form asks for the nonces of all signers, but only to
 * add them up again, which the session has done before us.
 */
interface Equation {
  partialSigVerifyInternal(partial: Bytes, publicNonce: Bytes, publicKey: Bytes): boolean;
}
const equationOf = (session: Session): Equation => session as unknown as Equation;
const runningOf = (session: MusigSession): Running => session.handle as Running;

export const noble: Secp = {
  publicKey: (secret) => secp256k1.getPublicKey(secret, true),
  isPublicKey: (key) => key.length === 33 && attempt(() => Boolean(Point.fromBytes(key))),
  isXonly: (key) => key.length === 32 && attempt(() => Boolean(Point.fromBytes(concat(Uint8Array.of(2), key)))),
  schnorrSign: (message, secret, aux) => schnorr.sign(message, secret, aux),
  schnorrVerify: (signature, message, xonly) => attempt(() => schnorr.verify(signature, message, xonly)),
  ecdsaSign: (hash, secret) => secp256k1.sign(hash, secret, { prehash: false, lowS: true }),
  ecdsaVerify: (signature, hash, publicKey) =>
    attempt(() => secp256k1.verify(signature, hash, publicKey, { prehash: false, lowS: false })),

  tweakXonly(xonly, tweak) {
    try {
      const scalar = Point.Fn.fromBytes(tweak);
      const lifted = Point.fromBytes(concat(Uint8Array.of(2), xonly));
      const point = scalar === 0n ? lifted : lifted.add(Point.BASE.multiply(scalar));
      const bytes = point.toBytes(true);
      return { xonly: bytes.slice(1), parity: bytes[0] === 3 ? 1 : 0 };
    } catch {
      return undefined;
    }
  },

  tweakSecret(secret, tweak) {
    const isOdd = secp256k1.getPublicKey(secret, true)[0] === 3;
    const even = isOdd ? order - toNumber(secret) : toNumber(secret);
    return Point.Fn.toBytes(Point.Fn.add(even, Point.Fn.fromBytes(tweak)));
  },

  musigKeyAgg(keys, tweakOrRule) {
    const list = [...keys];
    const plain = keyAggregate(list);
    const internal = keyAggExport(plain);
    const tweak = typeof tweakOrRule === 'function' ? tweakOrRule(internal) : tweakOrRule;
    const aggregate = tweak ? keyAggregate(list, [tweak], [true]) : plain;
    const handle: Aggregate = { aggregate, keys: list, tweak };
    return { xonly: keyAggExport(aggregate), internal, handle };
  },

  musigNonce(random, publicKey, secret): NoncePair {
    const pair = nonceGen(publicKey, secret, undefined, undefined, undefined, random);
    return { secret: pair.secret, public: pair.public };
  },

  musigAggregateNonces: (publicNonces) => nonceAggregate([...publicNonces]),

  musigSession(keys, aggregateNonce, message) {
    const { keys: list, tweak } = aggregateOf(keys);
    const session = tweak
      ? new Session(aggregateNonce, [...list], message, [tweak], [true])
      : new Session(aggregateNonce, [...list], message);
    const handle: Running = { session, keys: list };
    return { handle };
  },

  // The library erases the nonce it signs with; it gets a copy, the caller owns the original's single use.
  musigSign: (session, _keys, nonce, secret) =>
    runningOf(session).session.sign(Uint8Array.from(nonce.secret), secret, true),

  musigVerify(session, _keys, partial, publicNonce, publicKey) {
    const { session: running, keys } = runningOf(session);
    if (!keys.some((key) => equal(key, publicKey))) return false;
    return attempt(() => equationOf(running).partialSigVerifyInternal(partial, publicNonce, publicKey));
  },

  musigAggregate: (session, partials) => runningOf(session).session.partialSigAgg([...partials]),
};

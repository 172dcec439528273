import assert from 'node:assert/strict';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { type Bytes, concat, fromHex, reversed, toHex } from '../../src/base/bytes.ts';
import { noble } from '../../src/crypto/noble.ts';
import type { KeyAgg, NoncePair, Secp } from '../../src/crypto/secp.ts';
import { loadSecp } from '../../src/runtime/secp-wasm.ts';
import { parseVectors, vectorTest } from '../support/vectors.ts';

/** A backend, and how it holds the secret nonces that the standard writes as `k1 ‖ k2 ‖ public key`. */
interface Backend {
  readonly secp: Secp;
  readonly nonce: (standard: Bytes) => NoncePair;
}

const NO_PUBLIC = new Uint8Array(66);

/** libsecp256k1 keeps a marker, the scalars, and the key as two little-endian coordinates. */
function moduleNonce(standard: Bytes): NoncePair {
  const key = secp256k1.Point.fromBytes(standard.subarray(64)).toBytes(false);
  const coordinates = concat(reversed(key.subarray(1, 33)), reversed(key.subarray(33)));
  return { secret: concat(fromHex('220edcf1'), standard.subarray(0, 64), coordinates), public: NO_PUBLIC };
}

const backends = async (): Promise<readonly Backend[]> => [
  { secp: noble, nonce: (standard) => ({ secret: standard, public: NO_PUBLIC }) },
  { secp: await loadSecp(), nonce: moduleNonce },
];

const pick = (list: readonly string[], indices: readonly number[]): Bytes[] =>
  indices.map((index) => fromHex(list[index]!));

interface Tweaks {
  readonly tweak_indices?: readonly number[];
  readonly is_xonly?: readonly boolean[];
}
/** The door knows at most one tweak, and that x-only. */
const isReached = ({ tweak_indices = [], is_xonly = [] }: Tweaks): boolean =>
  tweak_indices.length === 0 || (tweak_indices.length === 1 && is_xonly[0] === true);

const aggregate = (
  secp: Secp,
  keys: readonly Bytes[],
  tweaks: readonly string[],
  { tweak_indices = [] }: Tweaks,
): KeyAgg =>
  tweak_indices.length > 0 ? secp.musigKeyAgg(keys, fromHex(tweaks[tweak_indices[0]!]!)) : secp.musigKeyAgg(keys);

interface KeyAggVectors {
  readonly pubkeys: readonly string[];
  readonly tweaks: readonly string[];
  readonly valid_test_cases: readonly { readonly key_indices: readonly number[]; readonly expected: string }[];
  readonly error_test_cases: readonly (Tweaks & { readonly key_indices: readonly number[] })[];
}

vectorTest('BIP327: key aggregation', 'bip-0327/key_agg_vectors.json', async () => {
  const vectors = parseVectors<KeyAggVectors>('bip-0327/key_agg_vectors.json');
  for (const { secp } of await backends()) {
    for (const { key_indices, expected } of vectors.valid_test_cases) {
      const { xonly, internal } = secp.musigKeyAgg(pick(vectors.pubkeys, key_indices));
      assert.equal(toHex(xonly).toUpperCase(), expected);
      assert.deepEqual(internal, xonly);
    }
    for (const failing of vectors.error_test_cases.filter(isReached)) {
      const keys = pick(vectors.pubkeys, failing.key_indices);
      assert.throws(() => aggregate(secp, keys, vectors.tweaks, failing));
    }
  }
});

interface NonceAggVectors {
  readonly pnonces: readonly string[];
  readonly valid_test_cases: readonly { readonly pnonce_indices: readonly number[]; readonly expected: string }[];
  readonly error_test_cases: readonly { readonly pnonce_indices: readonly number[] }[];
}

vectorTest('BIP327: nonce aggregation', 'bip-0327/nonce_agg_vectors.json', async () => {
  const vectors = parseVectors<NonceAggVectors>('bip-0327/nonce_agg_vectors.json');
  for (const { secp } of await backends()) {
    for (const { pnonce_indices, expected } of vectors.valid_test_cases) {
      const nonces = pick(vectors.pnonces, pnonce_indices);
      assert.equal(toHex(secp.musigAggregateNonces(nonces)).toUpperCase(), expected);
    }
    for (const { pnonce_indices } of vectors.error_test_cases) {
      assert.throws(() => secp.musigAggregateNonces(pick(vectors.pnonces, pnonce_indices)));
    }
  }
});

interface Signer {
  readonly key_indices: readonly number[];
  readonly signer_index: number;
}
interface SignVectors {
  readonly sk: string;
  readonly pubkeys: readonly string[];
  readonly secnonces: readonly string[];
  readonly pnonces: readonly string[];
  readonly aggnonces: readonly string[];
  readonly msgs: readonly string[];
  readonly valid_test_cases: readonly (Signer & {
    readonly nonce_indices: readonly number[];
    readonly aggnonce_index: number;
    readonly msg_index: number;
    readonly expected: string;
  })[];
  readonly sign_error_test_cases: readonly {
    readonly key_indices: readonly number[];
    readonly aggnonce_index: number;
    readonly msg_index: number;
    readonly secnonce_index: number;
    readonly comment: string;
  }[];
  readonly verify_fail_test_cases: readonly VerifyCase[];
  readonly verify_error_test_cases: readonly VerifyCase[];
}
interface VerifyCase extends Signer {
  readonly sig: string;
  readonly nonce_indices: readonly number[];
  readonly msg_index: number;
}

vectorTest('BIP327: partial signatures', 'bip-0327/sign_verify_vectors.json', async () => {
  const vectors = parseVectors<SignVectors>('bip-0327/sign_verify_vectors.json');
  const secret = fromHex(vectors.sk);
  for (const { secp, nonce } of await backends()) {
    for (const given of vectors.valid_test_cases) {
      const message = fromHex(vectors.msgs[given.msg_index]!);
      // The module signs hashes only, as do we.
      if (message.length !== 32) continue;
      const keys = secp.musigKeyAgg(pick(vectors.pubkeys, given.key_indices));
      const nonces = pick(vectors.pnonces, given.nonce_indices);
      const aggregateNonce = secp.musigAggregateNonces(nonces);
      assert.equal(toHex(aggregateNonce).toUpperCase(), vectors.aggnonces[given.aggnonce_index]);
      const session = secp.musigSession(keys, aggregateNonce, message);
      const partial = secp.musigSign(session, keys, nonce(fromHex(vectors.secnonces[0]!)), secret);
      assert.equal(toHex(partial).toUpperCase(), given.expected);
      const [key] = pick(vectors.pubkeys, [given.key_indices[given.signer_index]!]);
      assert.ok(secp.musigVerify(session, keys, partial, nonces[given.signer_index]!, key!));
    }
    for (const given of vectors.sign_error_test_cases) {
      // The standard leaves it open whether a stranger to the aggregate may sign.
      if (given.comment.includes('optional')) continue;
      assert.throws(() => {
        const keys = secp.musigKeyAgg(pick(vectors.pubkeys, given.key_indices));
        const aggregateNonce = fromHex(vectors.aggnonces[given.aggnonce_index]!);
        const session = secp.musigSession(keys, aggregateNonce, fromHex(vectors.msgs[given.msg_index]!));
        secp.musigSign(session, keys, nonce(fromHex(vectors.secnonces[given.secnonce_index]!)), secret);
      }, given.comment);
    }
    for (const given of [...vectors.verify_fail_test_cases, ...vectors.verify_error_test_cases]) {
      const verify = (): boolean => {
        const nonces = pick(vectors.pnonces, given.nonce_indices);
        const keys = secp.musigKeyAgg(pick(vectors.pubkeys, given.key_indices));
        const message = fromHex(vectors.msgs[given.msg_index]!);
        const session = secp.musigSession(keys, secp.musigAggregateNonces(nonces), message);
        const [key] = pick(vectors.pubkeys, [given.key_indices[given.signer_index]!]);
        return secp.musigVerify(session, keys, fromHex(given.sig), nonces[given.signer_index]!, key!);
      };
      // A malformed key or nonce is noticed where it is added up.
      if (vectors.verify_fail_test_cases.includes(given)) assert.ok(!verify());
      else assert.throws(verify);
    }
  }
});

interface TweakVectors {
  readonly sk: string;
  readonly pubkeys: readonly string[];
  readonly secnonce: string;
  readonly pnonces: readonly string[];
  readonly tweaks: readonly string[];
  readonly msg: string;
  readonly valid_test_cases: readonly (Signer &
    Tweaks & { readonly nonce_indices: readonly number[]; readonly expected: string })[];
}

vectorTest('BIP327: signing under a tweaked key', 'bip-0327/tweak_vectors.json', async () => {
  const vectors = parseVectors<TweakVectors>('bip-0327/tweak_vectors.json');
  const reached = vectors.valid_test_cases.filter(isReached);
  assert.equal(reached.length, 1);
  for (const { secp, nonce } of await backends()) {
    for (const given of reached) {
      const keys = aggregate(secp, pick(vectors.pubkeys, given.key_indices), vectors.tweaks, given);
      const nonces = pick(vectors.pnonces, given.nonce_indices);
      const session = secp.musigSession(keys, secp.musigAggregateNonces(nonces), fromHex(vectors.msg));
      const partial = secp.musigSign(session, keys, nonce(fromHex(vectors.secnonce)), fromHex(vectors.sk));
      assert.equal(toHex(partial).toUpperCase(), given.expected);
      const [key] = pick(vectors.pubkeys, [given.key_indices[given.signer_index]!]);
      assert.ok(secp.musigVerify(session, keys, partial, nonces[given.signer_index]!, key!));
    }
  }
});

interface SigAggCase extends Tweaks {
  readonly aggnonce: string;
  readonly nonce_indices: readonly number[];
  readonly key_indices: readonly number[];
  readonly psig_indices: readonly number[];
}
interface SigAggVectors {
  readonly pubkeys: readonly string[];
  readonly pnonces: readonly string[];
  readonly tweaks: readonly string[];
  readonly psigs: readonly string[];
  readonly msg: string;
  readonly valid_test_cases: readonly (SigAggCase & { readonly expected: string })[];
  readonly error_test_cases: readonly SigAggCase[];
}

vectorTest('BIP327: aggregating partial signatures', 'bip-0327/sig_agg_vectors.json', async () => {
  const vectors = parseVectors<SigAggVectors>('bip-0327/sig_agg_vectors.json');
  const message = fromHex(vectors.msg);
  for (const { secp } of await backends()) {
    const sessionOf = (given: SigAggCase, tweaks: Tweaks) => {
      const keys = aggregate(secp, pick(vectors.pubkeys, given.key_indices), vectors.tweaks, tweaks);
      const nonce = secp.musigAggregateNonces(pick(vectors.pnonces, given.nonce_indices));
      assert.equal(toHex(nonce).toUpperCase(), given.aggnonce);
      return { keys, session: secp.musigSession(keys, nonce, message) };
    };
    const reached = vectors.valid_test_cases.filter(isReached);
    assert.equal(reached.length, 2);
    for (const given of reached) {
      const { keys, session } = sessionOf(given, given);
      const signature = secp.musigAggregate(session, pick(vectors.psigs, given.psig_indices));
      assert.equal(toHex(signature).toUpperCase(), given.expected);
      assert.ok(secp.schnorrVerify(signature, message, keys.xonly));
    }
    // What is wrong with these does not depend on the tweaks.
    for (const given of vectors.error_test_cases) {
      const { session } = sessionOf(given, {});
      assert.throws(() => secp.musigAggregate(session, pick(vectors.psigs, given.psig_indices)));
    }
  }
});

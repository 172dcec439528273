import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { type Bytes, compare, equal } from '../../../src/base/bytes.ts';
import { sha256 } from '../../../src/crypto/hash.ts';
import { noble } from '../../../src/crypto/noble.ts';
import type { KeyAgg, MusigSession, NoncePair, Secp } from '../../../src/crypto/secp.ts';
import { loadSecp } from '../../../src/runtime/secp-wasm.ts';

const wasm = await loadSecp();
const BACKENDS: Readonly<Record<string, Secp>> = { noble, wasm };

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const bytes32 = bytes(32);
/** Hashes are below the group's order but for one in 2^128. */
const secretKey = bytes32.map(sha256);
/** Mostly what nobody should send: wrong sizes, no points, numbers too large. */
const anything = fc.oneof(
  fc.uint8Array({ maxLength: 70 }),
  bytes(33).map((key) => Uint8Array.of(2 | (key[0]! & 1), ...key.subarray(1))),
  fc.constantFrom(...[32, 33, 64, 66].flatMap((n) => [new Uint8Array(n), new Uint8Array(n).fill(255)])),
  bytes32,
  bytes(64),
);

const outcome = <T>(run: () => T): { value: T } | 'thrown' => {
  try {
    return { value: run() };
  } catch {
    return 'thrown';
  }
};
const sameOutcome = <T>(run: (secp: Secp) => T): void =>
  assert.deepEqual(
    outcome(() => run(wasm)),
    outcome(() => run(noble)),
  );
const flipped = (original: Bytes, at: number): Bytes =>
  original.map((byte, i) => (i === at % original.length ? byte ^ 1 : byte));

suite('both backends agree', () => {
  test('on keys and tweaks', () => {
    fc.assert(
      fc.property(secretKey, bytes32, (secret, tweak) => {
        sameOutcome((secp) => secp.publicKey(secret));
        const xonly = noble.publicKey(secret).slice(1);
        sameOutcome((secp) => secp.tweakXonly(xonly, tweak));
        sameOutcome((secp) => secp.tweakSecret(secret, tweak));
      }),
      { numRuns: 25 },
    );
  });

  test('on signatures, and on who refuses them once altered', () => {
    fc.assert(
      fc.property(secretKey, bytes32, bytes32, fc.nat(63), (secret, message, aux, at) => {
        const key = noble.publicKey(secret);
        sameOutcome((secp) => secp.schnorrSign(message, secret, aux));
        sameOutcome((secp) => secp.ecdsaSign(message, secret));
        const schnorr = noble.schnorrSign(message, secret, aux);
        const ecdsa = noble.ecdsaSign(message, secret);
        for (const secp of [noble, wasm]) {
          assert.ok(secp.schnorrVerify(schnorr, message, key.slice(1)));
          assert.ok(!secp.schnorrVerify(flipped(schnorr, at), message, key.slice(1)));
          assert.ok(secp.ecdsaVerify(ecdsa, message, key));
          assert.ok(!secp.ecdsaVerify(flipped(ecdsa, at), message, key));
          assert.ok(!secp.ecdsaVerify(ecdsa, message, flipped(key, 0)));
        }
      }),
      { numRuns: 10 },
    );
  });

  test('that consensus takes a high S', () => {
    const secret = sha256(new Uint8Array(1));
    const message = sha256(new Uint8Array(2));
    const low = noble.ecdsaSign(message, secret);
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const s = order - BigInt(`0x${Buffer.from(low.slice(32)).toString('hex')}`);
    const high = Uint8Array.of(...low.slice(0, 32), ...Buffer.from(s.toString(16).padStart(64, '0'), 'hex'));
    for (const secp of [noble, wasm]) assert.ok(secp.ecdsaVerify(high, message, secp.publicKey(secret)));
  });

  test('on what is no key, signature or nonce', () => {
    fc.assert(
      fc.property(anything, anything, anything, (a, b, c) => {
        sameOutcome((secp) => secp.isPublicKey(a));
        sameOutcome((secp) => secp.isXonly(a));
        sameOutcome((secp) => secp.publicKey(a));
        sameOutcome((secp) => secp.tweakXonly(a, b));
        sameOutcome((secp) => secp.tweakSecret(a, b));
        sameOutcome((secp) => secp.ecdsaVerify(a, b, c));
        sameOutcome((secp) => secp.schnorrVerify(a, b, c));
        sameOutcome((secp) => secp.musigKeyAgg([a]).xonly);
        sameOutcome((secp) => secp.musigAggregateNonces([a, b]));
      }),
      { numRuns: 300 },
    );
  });

  test('on aggregates of keys in the order given, repeated ones included', () => {
    const key = secretKey.map((secret) => wasm.publicKey(secret));
    fc.assert(
      fc.property(
        fc.array(key, { minLength: 1, maxLength: 4 }),
        fc.option(bytes32, { nil: undefined }),
        (keys, tweak) => {
          for (const list of [keys, [...keys, keys[0]!]]) {
            sameOutcome((secp) => {
              const { xonly, internal } = secp.musigKeyAgg(list, tweak);
              return { xonly, internal };
            });
          }
        },
      ),
      { numRuns: 15 },
    );
  });
});

suite('a MuSig2 session whose signers use different backends', () => {
  const secrets = [1, 2, 3, 4].map((seed) => sha256(Uint8Array.of(seed)));
  const backendOf = (signer: number): Secp => (signer % 2 === 0 ? noble : wasm);
  const keys = secrets.map((secret) => wasm.publicKey(secret)).sort(compare);
  const secretOf = (key: Bytes): Bytes => secrets.find((secret) => equal(wasm.publicKey(secret), key))!;
  const message = sha256(Uint8Array.of(9));

  interface Ceremony {
    readonly nonces: readonly NoncePair[];
    readonly partials: readonly Bytes[];
    readonly views: readonly { secp: Secp; aggregate: KeyAgg; session: MusigSession }[];
  }

  function ceremony(tweak: Bytes | undefined): Ceremony {
    const nonces = keys.map((key, i) => backendOf(i).musigNonce(sha256(Uint8Array.of(40, i)), key, secretOf(key)));
    const views = Object.values(BACKENDS).map((secp) => {
      const aggregate = secp.musigKeyAgg(keys, tweak);
      const nonce = secp.musigAggregateNonces(nonces.map((pair) => pair.public));
      return { secp, aggregate, session: secp.musigSession(aggregate, nonce, message) };
    });
    const partials = keys.map((key, i) => {
      const { secp, aggregate, session } = views.find((view) => view.secp === backendOf(i))!;
      return secp.musigSign(session, aggregate, nonces[i]!, secretOf(key));
    });
    return { nonces, partials, views };
  }

  for (const tweak of [undefined, sha256(Uint8Array.of(7))]) {
    test(`makes one valid signature${tweak ? ' under a tweaked key' : ''}`, () => {
      const { nonces, partials, views } = ceremony(tweak);
      const signatures = views.map(({ secp, aggregate, session }) => {
        for (const [i, key] of keys.entries()) {
          assert.ok(secp.musigVerify(session, aggregate, partials[i]!, nonces[i]!.public, key));
        }
        const signature = secp.musigAggregate(session, partials);
        for (const judge of [noble, wasm]) assert.ok(judge.schnorrVerify(signature, message, aggregate.xonly));
        return signature;
      });
      assert.deepEqual(signatures[0], signatures[1]);
    });
  }

  test('names the partial signature that is wrong, and nobody else', () => {
    const { nonces, partials, views } = ceremony(sha256(Uint8Array.of(7)));
    const stranger = wasm.publicKey(sha256(Uint8Array.of(99)));
    for (const { secp, aggregate, session } of views) {
      const verify = (partial: Bytes, nonce: Bytes, key: Bytes) =>
        secp.musigVerify(session, aggregate, partial, nonce, key);
      for (const [i, key] of keys.entries()) {
        const other = (i + 1) % keys.length;
        assert.ok(!verify(flipped(partials[i]!, 31), nonces[i]!.public, key));
        assert.ok(!verify(partials[other]!, nonces[i]!.public, key));
        assert.ok(!verify(partials[i]!, nonces[other]!.public, key));
        assert.ok(!verify(partials[i]!, nonces[i]!.public, keys[other]!));
        assert.ok(!verify(partials[i]!, nonces[i]!.public, stranger));
      }
      for (const junk of [new Uint8Array(0), new Uint8Array(31), new Uint8Array(32).fill(255), new Uint8Array(66)]) {
        assert.ok(!verify(junk, nonces[0]!.public, keys[0]!));
        assert.ok(!verify(partials[0]!, junk, keys[0]!));
        assert.ok(!verify(partials[0]!, nonces[0]!.public, junk));
      }
    }
  });

  test('never touches the nonces that the caller holds, nor signs with another key than they were made for', () => {
    for (const secp of [noble, wasm]) {
      const [key] = keys as [Bytes, ...Bytes[]];
      const nonce = secp.musigNonce(sha256(Uint8Array.of(50)), key, secretOf(key));
      const before = nonce.secret.slice();
      const aggregate = secp.musigKeyAgg([key]);
      const session = secp.musigSession(aggregate, secp.musigAggregateNonces([nonce.public]), message);
      assert.throws(() => secp.musigSign(session, aggregate, nonce, secretOf(keys[1]!)));
      secp.musigSign(session, aggregate, nonce, secretOf(key));
      assert.deepEqual(nonce.secret, before);
    }
  });
});

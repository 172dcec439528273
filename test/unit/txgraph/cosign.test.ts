import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '../../../src/base/bytes.ts';
import { InvariantError } from '../../../src/base/errors.ts';
import { p2tr } from '../../../src/bitcoin/script.ts';
import { leafHash } from '../../../src/bitcoin/taproot.ts';
import { noble } from '../../../src/crypto/noble.ts';
import type { Secp } from '../../../src/crypto/secp.ts';
import { createManualEntropy } from '../../../src/runtime/entropy.ts';
import { loadSecp } from '../../../src/runtime/secp-wasm.ts';
import { createSigner } from '../../../src/runtime/signer.ts';
import {
  combine,
  isPartialValid,
  isPublicNonce,
  keyAggregator,
  messageOf,
  nodesCosignedBy,
  openSession,
} from '../../../src/txgraph/cosign.ts';
import { planTree, rootTree } from '../../../src/txgraph/plan.ts';
import { FUNDING, output } from './support.ts';

const wasm = await loadSecp();
const secretOf = (scalar: number): Uint8Array => new Uint8Array(32).fill(0).with(31, scalar);
const ROOT = leafHash(Uint8Array.of(0x51));

for (const [name, secp] of [
  ['noble', noble],
  ['libsecp256k1', wasm],
] as const satisfies readonly (readonly [string, Secp])[]) {
  test(`a graph is cosigned node by node, and a bad partial signature names its key (${name})`, () => {
    const names = ['a', 'b', 'operator'] as const;
    const secrets = { a: secretOf(6), b: secretOf(9), operator: secretOf(7) };
    const signer = createSigner(secp, createManualEntropy('cosign'), secrets);
    const id = (who: (typeof names)[number]): string => toHex(signer.publicKey(who));
    const aggregator = keyAggregator(secp, ROOT);
    const leaf = (who: 'a' | 'b') => ({ outputs: [output(700)], cosigners: [id(who), id('operator')] });
    const plan = planTree([leaf('a'), leaf('b')], 2, (cosigners) => p2tr(aggregator.of(cosigners).xonly));
    const graph = rootTree(plan, FUNDING);
    assert.deepEqual(nodesCosignedBy(graph, id('a')).length, 2);
    for (const node of graph.nodes) {
      const party = names.filter((who) => node.cosigners.includes(id(who)));
      const nonces = Object.fromEntries(party.map((who) => [id(who), signer.drawNonce(who, `${node.txid}/${who}`)]));
      const open = openSession(secp, aggregator, node, nonces);
      const partials = Object.fromEntries(
        party.map((who) => [id(who), signer.signPartial(who, `${node.txid}/${who}`, open.session, open.keys)]),
      );
      for (const [key, partial] of Object.entries(partials)) {
        assert.ok(isPartialValid(secp, open, key, partial));
        assert.ok(!isPartialValid(secp, open, key, partial.with(31, partial[31]! ^ 1)));
        const another = Object.keys(partials).find((other) => other !== key)!;
        assert.ok(!isPartialValid(secp, open, another, partial));
        assert.ok(!isPartialValid(secp, open, toHex(secp.publicKey(secretOf(99))), partial));
      }
      const signature = combine(secp, open, partials);
      assert.ok(secp.schnorrVerify(signature, messageOf(node), node.prevout.script.subarray(2)));
    }
  });
}

test('keys are aggregated in any order to the same, once, and with the tweak of the merkle root', () => {
  let aggregations = 0;
  const counting: Secp = {
    ...wasm,
    musigKeyAgg(...args) {
      aggregations++;
      return wasm.musigKeyAgg(...args);
    },
  };
  const keys = [3, 4, 5].map((scalar) => toHex(wasm.publicKey(secretOf(scalar))));
  const aggregator = keyAggregator(counting, ROOT);
  const first = aggregator.of(keys);
  const once = aggregations;
  assert.equal(aggregator.of(keys.toReversed()), first);
  assert.equal(aggregations, once);
  assert.deepEqual(first.xonly, keyAggregator(noble, ROOT).of(keys).xonly);
  assert.notDeepEqual(first.xonly, keyAggregator(noble, leafHash(Uint8Array.of(0x52))).of(keys).xonly);
  assert.throws(() => aggregator.of([`02${'ff'.repeat(32)}`]));
});

test('a public nonce is two points', () => {
  const point = wasm.publicKey(secretOf(3));
  const nonce = Uint8Array.of(...point, ...point);
  assert.ok(isPublicNonce(wasm, nonce));
  assert.ok(!isPublicNonce(wasm, nonce.subarray(1)));
  assert.ok(!isPublicNonce(wasm, nonce.with(0, 4)));
  assert.ok(!isPublicNonce(wasm, fromHex('00'.repeat(66))));
});

test('a nonce signs once: not twice, not after it was forgotten, and its slot is not drawn over', () => {
  const signer = createSigner(wasm, createManualEntropy('once'), { key: secretOf(6) });
  const keys = wasm.musigKeyAgg([signer.publicKey('key'), wasm.publicKey(secretOf(7))]);
  const other = wasm.musigNonce(new Uint8Array(32).fill(5), wasm.publicKey(secretOf(7)), secretOf(7));
  const sessionFor = (nonce: Uint8Array, message: number) =>
    wasm.musigSession(keys, wasm.musigAggregateNonces([nonce, other.public]), new Uint8Array(32).fill(message));
  const nonce = signer.drawNonce('key', 'batch:node');
  assert.throws(() => signer.drawNonce('key', 'batch:node'), InvariantError);
  signer.signPartial('key', 'batch:node', sessionFor(nonce, 1), keys);
  assert.throws(() => signer.signPartial('key', 'batch:node', sessionFor(nonce, 2), keys), InvariantError);
  const second = signer.drawNonce('key', 'batch:node');
  assert.notDeepEqual(second, nonce);
  const kept = signer.drawNonce('key', 'other:node');
  signer.forgetNonces('batch:');
  assert.throws(() => signer.signPartial('key', 'batch:node', sessionFor(second, 1), keys), InvariantError);
  assert.equal(signer.signPartial('key', 'other:node', sessionFor(kept, 1), keys).length, 32);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VtxoScript } from '@arkade-os/sdk';
import { type Bytes, concat, toHex } from '../../../src/base/bytes.ts';
import { OP, push, script } from '../../../src/bitcoin/script.ts';
import {
  assembleTapTree,
  branchHash,
  controlBlock,
  isCommitted,
  isControlSize,
  leafHash,
  NUMS_KEY,
  outputKey,
  rootOfControlBlock,
} from '../../../src/bitcoin/taproot.ts';
import { noble } from '../../../src/crypto/noble.ts';
import { loadSecp } from '../../../src/runtime/secp-wasm.ts';

const secp = await loadSecp();
const leaves = (count: number): Bytes[] =>
  Array.from({ length: count }, (_, i) =>
    script(push(noble.publicKey(new Uint8Array(32).fill(i + 1)).slice(1)), OP.CHECKSIG),
  );

test('every leaf of a tree of any size is proven by its own control block, and by no other', () => {
  for (const count of [1, 2, 3, 4, 5, 7, 8, 11]) {
    const tree = assembleTapTree(leaves(count));
    const { xonly, parity } = outputKey(secp, NUMS_KEY, tree.root);
    const controls = tree.leaves.map((leaf) => controlBlock(NUMS_KEY, parity, leaf.path));
    for (const [i, leaf] of tree.leaves.entries()) {
      assert.deepEqual(rootOfControlBlock(controls[i]!, leaf.script), tree.root);
      assert.ok(isCommitted(secp, controls[i]!, leaf.script, xonly));
      assert.ok(!isCommitted(secp, controls[i]!, script(OP.ONE), xonly));
      const wrongParity = controls[i]!.map((byte, at) => (at === 0 ? byte ^ 1 : byte));
      assert.ok(!isCommitted(secp, wrongParity, leaf.script, xonly));
      const other = tree.leaves[(i + 1) % count]!;
      if (count > 1) assert.ok(!isCommitted(secp, controls[i]!, other.script, xonly));
    }
  }
  assert.throws(() => assembleTapTree([]), RangeError);
});

test('trees and output keys are those of the Arkade SDK', () => {
  for (const count of [1, 2, 3, 4, 5, 6, 7, 9]) {
    const scripts = leaves(count);
    const theirs = new VtxoScript(scripts);
    const { xonly } = outputKey(secp, NUMS_KEY, assembleTapTree(scripts).root);
    assert.equal(toHex(xonly), toHex(theirs.tweakedPublicKey), `${count} leaves`);
  }
});

test('the hash of a branch does not depend on the order of its sides', () => {
  const [a, b] = leaves(2).map((leaf) => leafHash(leaf)) as [Bytes, Bytes];
  assert.deepEqual(branchHash(a, b), branchHash(b, a));
  assert.notDeepEqual(leafHash(script(OP.ONE)), leafHash(script(OP.ONE), 0xc2));
});

test('BIP341: a control block has at most 128 branches', () => {
  const sizes = [0, 32, 33, 34, 64, 65, 33 + 32 * 128, 33 + 32 * 129];
  assert.deepEqual(sizes.filter(isControlSize), [33, 65, 33 + 32 * 128]);
  assert.equal(rootOfControlBlock(new Uint8Array(34), script(OP.ONE)), undefined);
  assert.ok(!isCommitted(secp, new Uint8Array(0), script(OP.ONE), NUMS_KEY));
});

test('an internal key that is no point leads nowhere', () => {
  const offCurve = concat(new Uint8Array(31), Uint8Array.of(5));
  assert.ok(!secp.isXonly(offCurve));
  assert.throws(() => outputKey(secp, offCurve), RangeError);
  assert.ok(!isCommitted(secp, controlBlock(offCurve, 0, []), script(OP.ONE), NUMS_KEY));
});

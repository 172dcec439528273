import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  finalize,
  isLeafOf,
  leafFields,
  leafOfVtxo,
  revealedLeaf,
  secretSigner,
  signedWeight,
  signLeaf,
  signLeaves,
} from '../../../../src/ark/protocol/leaf-spend.ts';
import { noteVtxo } from '../../../../src/ark/protocol/note.ts';
import { conditionPair, withPairs } from '../../../../src/ark/protocol/psbt-fields.ts';
import { concat } from '../../../../src/base/bytes.ts';
import { sats } from '../../../../src/base/units.ts';
import { STANDARD_FLAGS, verifyTx } from '../../../../src/bitcoin/interpreter/verify.ts';
import { createPsbt, EMPTY_INPUT, type Psbt, type PsbtInput, withInput } from '../../../../src/bitcoin/psbt.ts';
import { p2tr } from '../../../../src/bitcoin/script.ts';
import { SIGHASH, taprootSighash } from '../../../../src/bitcoin/sighash.ts';
import { controlBlock, leafHash, outputKey } from '../../../../src/bitcoin/taproot.ts';
import { type TxOut, txIn, weightOf } from '../../../../src/bitcoin/tx.ts';
import { vtxo } from './sdk-wallet.ts';
import { AUX, codeOf, outpoint, owner, secp, signer, stranger } from './support.ts';

const [collaborative, exit] = vtxo.scripts.map((script) => leafOfVtxo(vtxo, script)!);
const tx = (sequence = 0xffffffff) => ({
  version: 3,
  inputs: [txIn(outpoint(1), sequence)],
  outputs: [{ value: 900n, script: p2tr(stranger.xonly) }],
  locktime: 0,
});
const spent: TxOut = { value: 1000n, script: vtxo.script };
const isValid = (psbt: Psbt, prevout = spent): boolean =>
  verifyTx(secp, finalize(psbt), [prevout], STANDARD_FLAGS) === undefined;
const withLeaf = (leaf = collaborative!): PsbtInput => ({ ...EMPTY_INPUT, witnessUtxo: spent, ...leafFields(leaf) });

test('an exit is signed by the owner alone and waits for its delay', () => {
  const signed = (sequence: number) => signLeaves(secp, createPsbt(tx(sequence), [withLeaf(exit)]), owner.secret, AUX);
  assert.ok(isValid(signed(20)));
  assert.ok(!isValid(signed(19)));
});

test('the collaborative leaf takes both signatures, in whatever order they came', () => {
  const psbt = createPsbt(tx(), [withLeaf()]);
  for (const keys of [
    [owner, signer],
    [signer, owner],
  ]) {
    const signed = keys.reduce((half, { secret }) => signLeaves(secp, half, secret, AUX, SIGHASH.ALL), psbt);
    assert.ok(isValid(signed));
    const weight = weightOf(finalize(signLeaves(secp, signLeaves(secp, psbt, owner.secret, AUX), signer.secret, AUX)));
    assert.equal(signedWeight(psbt), weight);
  }
  const half = signLeaves(secp, psbt, owner.secret, AUX);
  assert.equal(
    codeOf(() => finalize(half)),
    'INVALID_SIGNATURE',
  );
  assert.deepEqual(signLeaves(secp, psbt, stranger.secret, AUX), psbt, 'a key nobody asks for signs nothing');
});

test('a key path, a note and a final witness are finalized as they are', () => {
  const keyed = { value: 1000n, script: p2tr(owner.xonly) };
  const tapKeySig = secp.schnorrSign(taprootSighash(tx(), 0, [keyed])!, owner.secret, AUX);
  const byKey = createPsbt(tx(), [{ ...EMPTY_INPUT, witnessUtxo: keyed, tapKeySig }]);
  assert.ok(isValid(byKey, keyed));
  const finalWitness = finalize(byKey).inputs[0]!.witness;
  assert.ok(isValid(createPsbt(tx(), [{ ...EMPTY_INPUT, finalWitness }]), keyed));

  const preimage = new Uint8Array(32).fill(9);
  const note = noteVtxo(secp, { preimage, value: sats(1000) });
  const fields = leafFields({ script: note.leaf, controlBlock: note.controlBlock });
  const byNote = createPsbt(tx(), [withPairs({ ...EMPTY_INPUT, ...fields }, conditionPair([preimage]))]);
  assert.ok(isValid(byNote, { value: 1000n, script: note.script }));
  assert.equal(
    codeOf(() => finalize(createPsbt(tx()))),
    'INVALID_SIGNATURE',
  );
});

test('a leaf belongs to an output only under the key that nobody knows', () => {
  assert.ok(isLeafOf(secp, collaborative!, vtxo.script));
  assert.ok(!isLeafOf(secp, collaborative!, p2tr(owner.xonly)));
  assert.ok(!isLeafOf(secp, collaborative!, vtxo.outputKey), 'a key is no script');
  const { script } = collaborative!;
  const { xonly, parity } = outputKey(secp, owner.xonly, leafHash(script));
  const own = { script, hash: leafHash(script), controlBlock: controlBlock(owner.xonly, parity, []) };
  assert.ok(!isLeafOf(secp, own, p2tr(xonly)));
  for (const short of [0, 1, 32]) {
    const cut = { ...collaborative!, controlBlock: collaborative!.controlBlock.slice(0, short) };
    assert.ok(!isLeafOf(secp, cut, vtxo.script));
  }
  const odd = { ...collaborative!, controlBlock: concat(Uint8Array.of(0x50), collaborative!.controlBlock.slice(1)) };
  assert.ok(!isLeafOf(secp, odd, vtxo.script));
});

test('a PSBT input reveals one leaf of version 0xc0', () => {
  const [field] = leafFields(collaborative!).tapLeafScripts;
  assert.deepEqual(revealedLeaf({ ...EMPTY_INPUT, tapLeafScripts: [field!] })?.hash, collaborative!.hash);
  assert.equal(revealedLeaf(EMPTY_INPUT), undefined);
  assert.equal(revealedLeaf({ ...EMPTY_INPUT, tapLeafScripts: [field!, field!] }), undefined);
  assert.equal(revealedLeaf({ ...EMPTY_INPUT, tapLeafScripts: [{ ...field!, version: 0xc2 }] }), undefined);
});

test('a sighash that commits to nothing there is cannot be signed', () => {
  const two = { ...tx(), inputs: [txIn(outpoint(1)), txIn(outpoint(2))] };
  const psbt = createPsbt(two, [withLeaf(), withLeaf()]);
  const by = secretSigner(secp, owner.secret, AUX);
  assert.throws(() => signLeaf(psbt, 1, [spent, spent], collaborative!, by, SIGHASH.SINGLE), RangeError);
  const unnamed = withInput(psbt, 0, {});
  const { witnessUtxo: _, ...rest } = unnamed.inputs[0]!;
  assert.throws(() => signLeaves(secp, { ...unnamed, inputs: [rest, rest] }, owner.secret, AUX), RangeError);
});

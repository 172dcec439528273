import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DefaultVtxo, DelegateVtxo, VHTLC, VtxoScript } from '@arkade-os/sdk';
import fc from 'fast-check';
import {
  checkVtxoScript,
  controlBlockFor,
  defaultVtxo,
  delegateVtxo,
  exitClosures,
  isForfeitClosure,
  smallestExitDelay,
  subDustKey,
  subDustScript,
  vtxoScript,
} from '../../../../src/ark/protocol/vtxo.ts';
import { type Bytes, fromHex, toHex } from '../../../../src/base/bytes.ts';
import { type Closure, encodeClosure } from '../../../../src/bitcoin/closure.ts';
import { isCommitted } from '../../../../src/bitcoin/taproot.ts';
import { relativeTimelock } from '../../../../src/bitcoin/timelock.ts';
import { checkpointTapscript, codeOf, delegate, exitDelay, flip, owner, receiver, secp, signer } from './support.ts';

const form = 'checksig' as const;
const both = [owner.xonly, signer.xonly];

test('the default VTXO is the one the SDK makes', () => {
  const vtxo = defaultVtxo(secp, owner.xonly, signer.xonly, exitDelay);
  assert.deepEqual(vtxo.scripts.map(toHex), [
    `20${toHex(owner.xonly)}ad20${toHex(signer.xonly)}ac`,
    `0114b27520${toHex(owner.xonly)}ac`,
  ]);
  assert.equal(toHex(vtxo.script), '5120cececbcecd585fee7782716640155063cde69ec465d8dcce022037ca446ab398');
  const sdk = new DefaultVtxo.Script({
    pubKey: owner.xonly,
    serverPubKey: signer.xonly,
    csvTimelock: { type: 'blocks', value: 20n },
  });
  assert.deepEqual(vtxo.script, Uint8Array.from(sdk.pkScript));
});

test('a delay in seconds and a delegate leaf give the scripts of the SDK', () => {
  const seconds = defaultVtxo(secp, owner.xonly, signer.xonly, relativeTimelock(86528));
  assert.equal(toHex(seconds.scripts[1]!), `03a90040b27520${toHex(owner.xonly)}ac`);
  const delegated = delegateVtxo(secp, owner.xonly, delegate.xonly, signer.xonly, exitDelay);
  assert.equal(toHex(delegated.script), '51207c2dbbecbbc24afc6caee6147e667fdc9edc9a65d5b59a5e70dfd303fcee4912');
  const sdk = new DelegateVtxo.Script({
    pubKey: owner.xonly,
    serverPubKey: signer.xonly,
    delegatePubKey: delegate.xonly,
    csvTimelock: { type: 'blocks', value: 20n },
  });
  assert.deepEqual(delegated.script, Uint8Array.from(sdk.pkScript));
});

const vhtlc = new VHTLC.Script({
  sender: owner.xonly,
  receiver: receiver.xonly,
  server: signer.xonly,
  preimageHash: new Uint8Array(20).fill(7),
  refundLocktime: 1000n,
  unilateralClaimDelay: { type: 'blocks', value: 10n },
  unilateralRefundDelay: { type: 'blocks', value: 12n },
  unilateralRefundWithoutReceiverDelay: { type: 'blocks', value: 13n },
});

test('a VHTLC of six leaves is read, and all of its control blocks hold', () => {
  const vtxo = vtxoScript(
    secp,
    vhtlc.scripts.map((leaf) => Uint8Array.from(leaf)),
  );
  assert.equal(toHex(vtxo.script), '512081b9661a8cc3a0285cb53d4b2d4d5b5ccd9e7f3a535253bc9981b47cf222d6eb');
  const kinds = vtxo.closures.map(({ kind }) => kind);
  assert.deepEqual(kinds, ['condition', 'multisig', 'cltv', 'condition-csv', 'csv', 'csv']);
  assert.deepEqual(vtxo.closures.map(isForfeitClosure), [true, true, true, false, false, false]);
  assert.equal(exitClosures(vtxo).length, 3);
  assert.deepEqual(smallestExitDelay(vtxo), { type: 'blocks', value: 10 });
  for (const leaf of vtxo.scripts) {
    assert.ok(isCommitted(secp, controlBlockFor(vtxo, leaf)!, leaf, vtxo.outputKey));
  }
  assert.equal(controlBlockFor(vtxo, checkpointTapscript), undefined);
});

test('trees of any size hash as the SDK hashes them', () => {
  const leafOf = (n: number): Bytes =>
    encodeClosure({ kind: 'csv', timelock: { type: 'blocks', value: n + 1 }, keys: [owner.xonly], form });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), (count) => {
      const scripts = Array.from({ length: count }, (_, n) => leafOf(n));
      assert.deepEqual(vtxoScript(secp, scripts).script, Uint8Array.from(new VtxoScript(scripts).pkScript));
    }),
  );
});

test('a script with a foreign leaf, a key off the curve, or no leaf is refused', () => {
  const offCurve = encodeClosure({ kind: 'multisig', keys: [new Uint8Array(32).fill(0xff), signer.xonly], form });
  const [claim] = vhtlc.scripts;
  for (const scripts of [[], [fromHex('51')], [Uint8Array.from(claim!), flip(claim!, 22)], [offCurve]]) {
    assert.equal(
      codeOf(() => vtxoScript(secp, scripts)),
      'INVALID_VTXO_SCRIPT',
    );
  }
});

test('the server relies only on scripts that give it its due', () => {
  const rules = { signers: [signer.xonly], minExitDelay: exitDelay, allowBlockType: true };
  const exit: Closure = { kind: 'csv', timelock: exitDelay, keys: [owner.xonly], form };
  const collaborative: Closure = { kind: 'multisig', keys: both, form };
  const check = (closures: readonly Closure[], change: Partial<typeof rules> = {}) =>
    checkVtxoScript(vtxoScript(secp, closures.map(encodeClosure)), { ...rules, ...change });

  check([collaborative, exit]);
  check([collaborative, exit], { signers: [receiver.xonly, signer.xonly] });
  check([exit]);
  const shorter: Closure = { ...exit, timelock: relativeTimelock(19) };
  const seconds: Closure = { ...exit, timelock: relativeTimelock(20 * 600 - ((20 * 600) % 512) + 512) };
  const cltv: Closure = { kind: 'cltv', locktime: 1000, keys: both, form };
  const timed: Closure = { ...cltv, locktime: 1_700_000_000 };
  check([collaborative, timed, seconds], { allowBlockType: false });

  const refused: Record<string, () => void> = {
    'no exit': () => check([collaborative]),
    'a short exit': () => check([collaborative, shorter]),
    'a short exit beside a long one': () => check([collaborative, exit, shorter]),
    'a short exit in seconds': () => check([collaborative, { ...exit, timelock: relativeTimelock(1024) }]),
    'a leaf without the server': () => check([collaborative, { ...collaborative, keys: [owner.xonly] }, exit]),
    'a locked leaf without the server': () => check([{ ...cltv, keys: [owner.xonly] }, exit]),
    'a server key that no longer counts': () => check([collaborative, exit], { signers: [receiver.xonly] }),
    'an exit in blocks': () => check([collaborative, exit], { allowBlockType: false }),
    'a locktime in blocks': () => check([collaborative, cltv, seconds], { allowBlockType: false }),
  };
  for (const [name, work] of Object.entries(refused)) assert.equal(codeOf(work), 'INVALID_VTXO_SCRIPT', name);
});

test('a sub-dust output names the key of its VTXO', () => {
  assert.deepEqual(subDustKey(subDustScript(owner.xonly)), owner.xonly);
  assert.equal(toHex(subDustScript(owner.xonly)).slice(0, 4), '6a20');
  assert.equal(subDustKey(subDustScript(owner.xonly).slice(0, 33)), undefined);
});

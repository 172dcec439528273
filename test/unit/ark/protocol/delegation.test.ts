import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  completeDelegatedForfeit,
  DELEGATED_SIGHASH,
  type DelegationRequest,
  type DelegationRules,
  parseDelegation,
} from '../../../../src/ark/protocol/delegation.ts';
import { parseForfeit } from '../../../../src/ark/protocol/forfeit.ts';
import { buildIntentProof } from '../../../../src/ark/protocol/intent.ts';
import { printIntentMessage } from '../../../../src/ark/protocol/intent-message.ts';
import { leafFields, leafOfVtxo, secretSigner, signLeaf, signLeaves } from '../../../../src/ark/protocol/leaf-spend.ts';
import { delegateVtxo } from '../../../../src/ark/protocol/vtxo.ts';
import { fromBase64, outpointKey, toBase64, toHex } from '../../../../src/base/bytes.ts';
import { ANCHOR, TRUC_VERSION } from '../../../../src/bitcoin/package.ts';
import { createPsbt, EMPTY_INPUT, prevoutsOf, psbtBase64 } from '../../../../src/bitcoin/psbt.ts';
import { p2tr, p2wpkh } from '../../../../src/bitcoin/script.ts';
import { SIGHASH } from '../../../../src/bitcoin/sighash.ts';
import { txIn } from '../../../../src/bitcoin/tx.ts';
import {
  AUX,
  codeOf,
  delegate,
  exitDelay,
  outpoint,
  owner,
  receiver,
  refusesOrAccepts,
  secp,
  signer,
} from './support.ts';

const vtxo = delegateVtxo(secp, owner.xonly, delegate.xonly, signer.xonly, exitDelay);
const coin = { outpoint: outpoint(0x11), amount: 10_000n, script: vtxo.script, tapTree: vtxo.scripts };
const leaf = leafOfVtxo(vtxo, vtxo.scripts[2]!)!;
const rules: DelegationRules = {
  delegate: toHex(delegate.compressed),
  signers: [signer.xonly],
  forfeitScript: p2wpkh(new Uint8Array(20).fill(0x33)),
  dust: 330n,
  fee: 0n,
  feeScript: p2tr(delegate.xonly),
};

function signed(): DelegationRequest {
  const message = printIntentMessage({
    type: 'register',
    onchainOutputIndexes: [],
    validAt: 5,
    expireAt: 0,
    cosignersPublicKeys: [rules.delegate],
  });
  const proof = buildIntentProof(message, [{ ...coin, leaf }], [{ value: 10_000n, script: p2tr(receiver.xonly) }]);
  const tx = {
    version: TRUC_VERSION,
    inputs: [txIn(coin.outpoint)],
    outputs: [{ value: 10_330n, script: rules.forfeitScript }, ANCHOR],
    locktime: 0,
  };
  const spending = { ...EMPTY_INPUT, ...leafFields(leaf), witnessUtxo: { value: 10_000n, script: vtxo.script } };
  const psbt = createPsbt(tx, [spending]);
  const own = secretSigner(secp, owner.secret, AUX);
  const forfeit = signLeaf(psbt, 0, prevoutsOf(psbt)!, leaf, own, DELEGATED_SIGHASH);
  return {
    message,
    proof: psbtBase64(signLeaves(secp, proof, owner.secret, AUX, SIGHASH.ALL)),
    forfeits: [psbtBase64(forfeit)],
  };
}

test('what an owner signed ahead becomes a forfeit that the server takes, connector second', () => {
  const { forfeits, coins, leafOutputs, validAt } = parseDelegation(secp, signed(), rules);
  assert.equal(validAt, 5);
  assert.deepEqual(leafOutputs, [{ value: 10_000n, script: p2tr(receiver.xonly) }, ANCHOR]);
  const connector = { outpoint: outpoint(0x22), value: 330n, script: p2tr(signer.xonly) };
  const whole = completeDelegatedForfeit(
    forfeits.get(outpointKey(coins[0]!.outpoint))!,
    connector,
    secretSigner(secp, delegate.secret, AUX),
  );
  const forfeit = parseForfeit(secp, psbtBase64(whole), {
    vtxos: [{ outpoint: coin.outpoint, value: coin.amount, script: coin.script }],
    connectors: [connector],
    forfeitScript: rules.forfeitScript,
    signers: [signer.xonly],
    tip: { height: 1, medianTime: 1 },
  });
  assert.equal(forfeit.vtxoIndex, 0);
  assert.deepEqual(forfeit.signerKey, signer.xonly);
});

test('a forfeit without the delegate’s signature, or for a connector of other worth, is none', () => {
  const { forfeits } = parseDelegation(secp, signed(), rules);
  const [forfeit] = [...forfeits.values()];
  const dear = { outpoint: outpoint(0x22), value: 331n, script: p2tr(signer.xonly) };
  const cheap = { ...dear, value: 330n };
  const by = (secret: Uint8Array) => secretSigner(secp, secret, AUX);
  const attempt = (connector: typeof dear, secret: Uint8Array) => () =>
    parseForfeit(secp, psbtBase64(completeDelegatedForfeit(forfeit!, connector, by(secret))), {
      vtxos: [{ outpoint: coin.outpoint, value: coin.amount, script: coin.script }],
      connectors: [connector],
      forfeitScript: rules.forfeitScript,
      signers: [signer.xonly],
      tip: { height: 1, medianTime: 1 },
    });
  attempt(cheap, delegate.secret)();
  assert.equal(codeOf(attempt(dear, delegate.secret)), 'INVALID_FORFEIT_TXS');
  assert.equal(codeOf(attempt(cheap, receiver.secret)), 'INVALID_FORFEIT_TXS');
});

test('no mangled proof or forfeit is taken for something else, and nothing but refusals is thrown', () => {
  const good = signed();
  const mangled = (text: string) =>
    fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => {
      const bytes = Uint8Array.from(fromBase64(text));
      bytes[at % bytes.length]! ^= byte;
      return toBase64(bytes);
    });
  fc.assert(
    fc.property(mangled(good.proof), mangled(good.forfeits[0]!), fc.boolean(), (proof, forfeit, both) => {
      refusesOrAccepts(() => {
        const request = both ? { ...good, proof, forfeits: [forfeit] } : { ...good, forfeits: [forfeit] };
        const { leafOutputs, forfeits } = parseDelegation(secp, request, rules);
        assert.deepEqual(leafOutputs, [{ value: 10_000n, script: p2tr(receiver.xonly) }, ANCHOR]);
        assert.equal(forfeits.size, 1);
      });
    }),
    { numRuns: 300 },
  );
});

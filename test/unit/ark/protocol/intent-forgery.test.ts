import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIntentProof } from '../../../../src/ark/protocol/intent.ts';
import { leafOfVtxo, signLeaves } from '../../../../src/ark/protocol/leaf-spend.ts';
import { tapTreePair, withPairs } from '../../../../src/ark/protocol/psbt-fields.ts';
import { defaultVtxo } from '../../../../src/ark/protocol/vtxo.ts';
import { type Psbt, type PsbtInput, psbtBase64, withInput } from '../../../../src/bitcoin/psbt.ts';
import { p2tr } from '../../../../src/bitcoin/script.ts';
import { SIGHASH } from '../../../../src/bitcoin/sighash.ts';
import type { Tx } from '../../../../src/bitcoin/tx.ts';
import { MESSAGE, output, parse, SIGNERS, sdkCoin, sdkProof } from './sdk-intents.ts';
import { vtxo } from './sdk-wallet.ts';
import { AUX, codeOf, exitDelay, flip, outpoint, owner, secp, signer, stranger } from './support.ts';

const withTx = (psbt: Psbt, change: Partial<Tx>): Psbt => ({ ...psbt, tx: { ...psbt.tx, ...change } });

test('every single change to a signed proof is refused', async () => {
  const coins = [sdkCoin(0x11, 10_000n), sdkCoin(0x12, 500n)];
  const good = await sdkProof(MESSAGE, coins, [output, output, output]);
  parse(good);
  const { inputs, outputs } = good.tx;
  const map = good.inputs[1]!;
  const [sig] = map.tapScriptSigs;
  const [leaf] = map.tapLeafScripts;
  const input = (change: Partial<PsbtInput>, index = 1): Psbt => withInput(good, index, change);
  const exitLeaf = leafOfVtxo(vtxo, vtxo.scripts[1]!)!;
  const resigned = (psbt: Psbt, type: number): Psbt => {
    const bare = { ...psbt, inputs: psbt.inputs.map((one) => ({ ...one, tapScriptSigs: [] })) };
    return signLeaves(secp, bare, owner.secret, AUX, type);
  };
  const wrongTree = defaultVtxo(secp, stranger.xonly, signer.xonly, exitDelay);

  const cases: Readonly<Record<string, readonly [Psbt | string, string]>> = {
    'no PSBT': ['invalid', 'INVALID_INTENT_PSBT'],
    'no coins': [
      psbtBase64({ ...withTx(good, { inputs: inputs.slice(0, 1) }), inputs: good.inputs.slice(0, 1) }),
      'INVALID_INTENT_PSBT',
    ],
    'a coin taken away': [
      { ...withTx(good, { inputs: inputs.slice(0, 2) }), inputs: good.inputs.slice(0, 2) },
      'INVALID_INTENT_PROOF',
    ],
    'a coin added': [
      {
        ...withTx(good, { inputs: [...inputs, { ...inputs[2]!, prevout: outpoint(0x13) }] }),
        inputs: [...good.inputs, good.inputs[2]!],
      },
      'INVALID_INTENT_PROOF',
    ],
    'a coin twice': [
      resigned(
        { ...withTx(good, { inputs: [...inputs, inputs[2]!] }), inputs: [...good.inputs, good.inputs[2]!] },
        SIGHASH.ALL,
      ),
      'INVALID_INTENT_PROOF',
    ],
    'coins swapped': [
      {
        ...withTx(good, { inputs: [inputs[0]!, inputs[2]!, inputs[1]!] }),
        inputs: [good.inputs[0]!, good.inputs[2]!, good.inputs[1]!],
      },
      'INVALID_INTENT_PROOF',
    ],
    'another version': [resigned(withTx(good, { version: 3 }), SIGHASH.ALL), 'INVALID_INTENT_PROOF'],
    'a locktime': [resigned(withTx(good, { locktime: 1 }), SIGHASH.ALL), 'INVALID_INTENT_PROOF'],
    'no outputs': [resigned({ ...withTx(good, { outputs: [] }), outputs: [] }, SIGHASH.ALL), 'INVALID_INTENT_PROOF'],
    'another sequence': [
      withTx(good, { inputs: inputs.map((one, i) => (i === 1 ? { ...one, sequence: 5 } : one)) }),
      'INVALID_INTENT_PROOF',
    ],
    'an output that pays more': [
      withTx(good, { outputs: [{ ...outputs[0]!, value: 10_001n }, ...outputs.slice(1)] }),
      'INVALID_INTENT_PROOF',
    ],
    'an output that takes': [
      resigned(withTx(good, { outputs: [{ ...outputs[0]!, value: -1n }, ...outputs.slice(1)] }), SIGHASH.ALL),
      'INVALID_INTENT_PROOF',
    ],
    'an output to somebody else': [
      withTx(good, { outputs: [{ ...outputs[0]!, script: p2tr(stranger.xonly) }, ...outputs.slice(1)] }),
      'INVALID_INTENT_PROOF',
    ],
    'input 0 spends another output': [
      resigned(
        withTx(good, {
          inputs: inputs.map((one, i) => (i === 0 ? { ...one, prevout: { ...one.prevout, vout: 1 } } : one)),
        }),
        SIGHASH.ALL,
      ),
      'INVALID_INTENT_PROOF',
    ],
    'input 0 has a value': [
      resigned(input({ witnessUtxo: { value: 1n, script: vtxo.script } }, 0), SIGHASH.ALL),
      'INVALID_INTENT_PROOF',
    ],
    'input 0 spends another script': [
      resigned(input({ witnessUtxo: { value: 0n, script: p2tr(stranger.xonly) } }, 0), SIGHASH.ALL),
      'INVALID_INTENT_PROOF',
    ],
    'input 0 is signed by another leaf': [
      resigned(input({ tapLeafScripts: [{ ...exitLeaf, version: 0xc0 }] }, 0), SIGHASH.ALL),
      'INVALID_INTENT_PROOF',
    ],
    'input 0 is not signed': [input({ tapScriptSigs: [] }, 0), 'INVALID_INTENT_PROOF'],
    'no witness UTXO': [
      {
        ...good,
        inputs: good.inputs.map((one, i) => (i === 1 ? { ...one, witnessUtxo: undefined } : one)) as PsbtInput[],
      },
      'INVALID_PSBT_INPUT',
    ],
    'another amount': [input({ witnessUtxo: { value: 10_001n, script: vtxo.script } }), 'INVALID_INTENT_PROOF'],
    'an impossible amount': [input({ witnessUtxo: { value: -1n, script: vtxo.script } }), 'INVALID_PSBT_INPUT'],
    'another script': [input({ witnessUtxo: { value: 10_000n, script: p2tr(stranger.xonly) } }), 'INVALID_PSBT_INPUT'],
    'no leaf': [input({ tapLeafScripts: [] }), 'INVALID_PSBT_INPUT'],
    'two leaves': [input({ tapLeafScripts: [leaf!, { ...exitLeaf, version: 0xc0 }] }), 'INVALID_PSBT_INPUT'],
    'another leaf version': [input({ tapLeafScripts: [{ ...leaf!, version: 0xc2 }] }), 'INVALID_PSBT_INPUT'],
    'another leaf': [input({ tapLeafScripts: [{ ...exitLeaf, version: 0xc0 }] }), 'INVALID_INTENT_PROOF'],
    'a leaf of somebody else': [
      input({ tapLeafScripts: [{ ...leaf!, script: wrongTree.scripts[0]! }] }),
      'INVALID_PSBT_INPUT',
    ],
    'a control block with the other parity': [
      input({ tapLeafScripts: [{ ...leaf!, controlBlock: flip(leaf!.controlBlock) }] }),
      'INVALID_PSBT_INPUT',
    ],
    'a control block with another path': [
      input({ tapLeafScripts: [{ ...leaf!, controlBlock: flip(leaf!.controlBlock, 40) }] }),
      'INVALID_PSBT_INPUT',
    ],
    'the tap tree of somebody else': [
      input({ rest: withPairs(map, tapTreePair(wrongTree.scripts)).rest }),
      'INVALID_PSBT_INPUT',
    ],
    'a malformed tap tree': [
      input({ rest: map.rest.map((pair) => ({ ...pair, value: pair.value.slice(1) })) }),
      'INVALID_PSBT_INPUT',
    ],
    'a signature bit': [
      input({ tapScriptSigs: [{ ...sig!, signature: flip(sig!.signature, 10) }] }),
      'INVALID_INTENT_PROOF',
    ],
    'no signature': [input({ tapScriptSigs: [] }), 'INVALID_INTENT_PROOF'],
    'a key path signature instead': [input({ tapScriptSigs: [], tapKeySig: sig!.signature }), 'INVALID_INTENT_PROOF'],
    'the signature under another name': [
      input({ tapScriptSigs: [{ ...sig!, publicKey: stranger.xonly }] }),
      'INVALID_INTENT_PROOF',
    ],
    'one more signature, of a stranger': [
      input({ tapScriptSigs: [sig!, { ...sig!, publicKey: stranger.xonly }] }),
      'INVALID_INTENT_PROOF',
    ],
    'one more signature, of the server and wrong': [
      input({ tapScriptSigs: [sig!, { ...sig!, publicKey: signer.xonly }] }),
      'INVALID_INTENT_PROOF',
    ],
    'a signature over another leaf': [
      input({ tapScriptSigs: [{ ...sig!, leafHash: exitLeaf.hash }] }),
      'INVALID_INTENT_PROOF',
    ],
    'sighash NONE': [resigned(good, SIGHASH.NONE), 'INVALID_INTENT_PROOF'],
    'sighash SINGLE': [resigned(good, SIGHASH.SINGLE), 'INVALID_INTENT_PROOF'],
    'sighash ALL|ANYONECANPAY': [resigned(good, SIGHASH.ALL | SIGHASH.ANYONECANPAY), 'INVALID_INTENT_PROOF'],
    'sighash DEFAULT written out': [
      input({ tapScriptSigs: [{ ...sig!, signature: Uint8Array.of(...sig!.signature.slice(0, 64), 0) }] }),
      'INVALID_INTENT_PROOF',
    ],
  };
  for (const [name, [psbt, code]] of Object.entries(cases)) {
    const text = typeof psbt === 'string' ? psbt : psbtBase64(psbt);
    assert.equal(
      codeOf(() => parseIntentProof(secp, text, MESSAGE, SIGNERS)),
      code,
      name,
    );
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildOffchainTx, CSVMultisigTapscript, VtxoScript } from '@arkade-os/sdk';
import fc from 'fast-check';
import { leafOfVtxo, signLeaves } from '../../../../src/ark/protocol/leaf-spend.ts';
import { conditionPair, tapTreePair, withPairs } from '../../../../src/ark/protocol/psbt-fields.ts';
import { parseSubmission, type SubmittedTxs } from '../../../../src/ark/protocol/submission.ts';
import { defaultVtxo } from '../../../../src/ark/protocol/vtxo.ts';
import { type Bytes, fromHex, toBase64, toHex } from '../../../../src/base/bytes.ts';
import { encodeClosure } from '../../../../src/bitcoin/closure.ts';
import { type Psbt, type PsbtInput, parsePsbt, psbtBase64, withInput } from '../../../../src/bitcoin/psbt.ts';
import { p2tr } from '../../../../src/bitcoin/script.ts';
import { SIGHASH } from '../../../../src/bitcoin/sighash.ts';
import type { Tx, TxOut } from '../../../../src/bitcoin/tx.ts';
import { coin, csvTimelock, pays, rules, sdkVtxo, send, unroll, vtxo } from './sdk-wallet.ts';
import { AUX, codeOf, exitDelay, flip, outpoint, owner, refusesOrAccepts, secp, signer, stranger } from './support.ts';

test('every single change to a signed payment is refused', async () => {
  const { txs } = await send([coin(0x11, 10_000), coin(0x12, 500)], [pays(9_000n), pays(1_500n, vtxo.script)]);
  parseSubmission(secp, txs, rules);
  const ark = parsePsbt(txs.signedArkTx);
  const [first, second] = txs.checkpointTxs.map((tx) => parsePsbt(tx)) as [Psbt, Psbt];
  const map = ark.inputs[0]!;
  const [sig] = map.tapScriptSigs;
  const [leaf] = map.tapLeafScripts;
  const spentLeaf = first.inputs[0]!.tapLeafScripts[0]!;
  const exitLeaf = { ...leafOfVtxo(vtxo, vtxo.scripts[1]!)!, version: 0xc0 };
  const strange = defaultVtxo(secp, stranger.xonly, signer.xonly, exitDelay);

  const arkTx = (psbt: Psbt | string): SubmittedTxs => ({
    ...txs,
    signedArkTx: typeof psbt === 'string' ? psbt : psbtBase64(psbt),
  });
  const tx = (change: Partial<Tx>): Psbt => ({ ...ark, tx: { ...ark.tx, ...change } });
  const resigned = (psbt: Psbt, type: number = SIGHASH.DEFAULT): Psbt =>
    signLeaves(
      secp,
      { ...psbt, inputs: psbt.inputs.map((one) => ({ ...one, tapScriptSigs: [] })) },
      owner.secret,
      AUX,
      type,
    );
  const input = (change: Partial<PsbtInput>) => arkTx(withInput(ark, 0, change));
  const checkpoints = (...list: (Psbt | string)[]): SubmittedTxs => ({
    ...txs,
    checkpointTxs: list.map((psbt) => (typeof psbt === 'string' ? psbt : psbtBase64(psbt))),
  });
  const checkpoint = (change: Partial<PsbtInput>) => checkpoints(withInput(first, 0, change), second);
  const checkpointTx = (change: Partial<Tx>) => checkpoints({ ...first, tx: { ...first.tx, ...change } }, second);
  const outputs = (change: (list: readonly TxOut[]) => readonly TxOut[]): Psbt => {
    const changed = change(ark.tx.outputs);
    return resigned({ ...tx({ outputs: changed }), outputs: changed.map(() => []) });
  };
  const [inputA, inputB] = ark.tx.inputs;
  const without = (psbt: Psbt): Psbt => {
    const { witnessUtxo: _, ...rest } = psbt.inputs[0]!;
    return { ...psbt, inputs: [rest, ...psbt.inputs.slice(1)] };
  };

  const cases: Readonly<Record<string, readonly [SubmittedTxs, string]>> = {
    'no PSBT': [{ signedArkTx: 'invalid', checkpointTxs: ['invalid'] }, 'INVALID_ARK_PSBT'],
    'no checkpoint PSBT': [checkpoints('invalid', second), 'INVALID_CHECKPOINT_PSBT'],
    'a checkpoint missing': [checkpoints(first), 'CHECKPOINT_MISMATCH'],
    'a checkpoint too many': [checkpoints(first, second, second), 'CHECKPOINT_MISMATCH'],
    'a checkpoint twice': [checkpoints(first, first), 'INVALID_PSBT_INPUT'],
    'a checkpoint nobody spends': [
      checkpoints(first, {
        ...second,
        tx: { ...second.tx, inputs: [{ ...second.tx.inputs[0]!, prevout: outpoint(0x13) }] },
      }),
      'CHECKPOINT_MISMATCH',
    ],
    'a checkpoint that spends nothing': [
      checkpoints({ ...first, tx: { ...first.tx, inputs: [] }, inputs: [] }, second),
      'INVALID_PSBT_MISSING_INPUT',
    ],
    'a checkpoint with two inputs': [
      checkpoints(
        {
          ...first,
          tx: { ...first.tx, inputs: [...first.tx.inputs, { ...first.tx.inputs[0]!, prevout: outpoint(0x14) }] },
          inputs: [...first.inputs, first.inputs[0]!],
        },
        second,
      ),
      'CHECKPOINT_MISMATCH',
    ],
    'a checkpoint of another version': [checkpointTx({ version: 2 }), 'CHECKPOINT_MISMATCH'],
    'a checkpoint that pays less': [
      checkpointTx({ outputs: [{ ...first.tx.outputs[0]!, value: 9_999n }, first.tx.outputs[1]!] }),
      'CHECKPOINT_MISMATCH',
    ],
    'a checkpoint without witness UTXO': [checkpoints(without(first), second), 'INVALID_PSBT_INPUT'],
    'a checkpoint of another amount': [
      checkpoint({ witnessUtxo: { value: 10_001n, script: vtxo.script } }),
      'CHECKPOINT_MISMATCH',
    ],
    'a checkpoint of an impossible amount': [
      checkpoint({ witnessUtxo: { value: -1n, script: vtxo.script } }),
      'INVALID_PSBT_INPUT',
    ],
    'a checkpoint of another script': [
      checkpoint({ witnessUtxo: { value: 10_000n, script: strange.script } }),
      'INVALID_PSBT_INPUT',
    ],
    'a checkpoint without leaf': [checkpoint({ tapLeafScripts: [] }), 'INVALID_PSBT_INPUT'],
    'a checkpoint with two leaves': [checkpoint({ tapLeafScripts: [spentLeaf, exitLeaf] }), 'INVALID_PSBT_INPUT'],
    'a checkpoint by the exit leaf': [checkpoint({ tapLeafScripts: [exitLeaf] }), 'INVALID_PSBT_INPUT'],
    'a checkpoint by a foreign leaf': [
      checkpoint({ tapLeafScripts: [{ ...spentLeaf, script: strange.scripts[0]! }] }),
      'INVALID_PSBT_INPUT',
    ],
    'a checkpoint with another control block': [
      checkpoint({ tapLeafScripts: [{ ...spentLeaf, controlBlock: flip(spentLeaf.controlBlock) }] }),
      'INVALID_PSBT_INPUT',
    ],
    'a checkpoint without tap tree': [checkpoint({ rest: [] }), 'INVALID_PSBT_INPUT'],
    'a checkpoint with another tap tree': [
      checkpoint({ rest: withPairs(first.inputs[0]!, tapTreePair(strange.scripts)).rest }),
      'INVALID_PSBT_INPUT',
    ],
    'a checkpoint with an unsound tap tree': [
      checkpoint({ rest: withPairs(first.inputs[0]!, tapTreePair([vtxo.scripts[0]!])).rest }),
      'INVALID_VTXO_SCRIPT',
    ],

    'no input': [arkTx({ ...tx({ inputs: [] }), inputs: [] }), 'INVALID_PSBT_MISSING_INPUT'],
    'an input twice': [
      arkTx(resigned({ ...tx({ inputs: [inputA!, inputA!] }), inputs: [map, map] })),
      'INVALID_PSBT_INPUT',
    ],
    'inputs swapped': [arkTx(tx({ inputs: [inputB!, inputA!] })), 'INVALID_PSBT_INPUT'],
    'inputs swapped whole, not signed anew': [
      arkTx({ ...tx({ inputs: [inputB!, inputA!] }), inputs: [ark.inputs[1]!, ark.inputs[0]!] }),
      'INVALID_SIGNATURE',
    ],
    'an input that spends no checkpoint': [
      arkTx(tx({ inputs: [{ ...inputA!, prevout: outpoint(0x15) }, inputB!] })),
      'CHECKPOINT_MISMATCH',
    ],
    'an input that spends the anchor': [
      arkTx(resigned(tx({ inputs: [{ ...inputA!, prevout: { ...inputA!.prevout, vout: 1 } }, inputB!] }))),
      'ARK_TX_MISMATCH',
    ],
    'another sequence': [
      arkTx(resigned(tx({ inputs: [{ ...inputA!, sequence: 0xfffffffe }, inputB!] }))),
      'ARK_TX_MISMATCH',
    ],
    'a locktime': [arkTx(resigned(tx({ locktime: 5 }))), 'ARK_TX_MISMATCH'],
    'another version': [arkTx(resigned(tx({ version: 2 }))), 'ARK_TX_MISMATCH'],
    'an output that pays more': [
      arkTx(outputs(([a, ...rest]) => [{ ...a!, value: 9_001n }, ...rest])),
      'ARK_TX_MISMATCH',
    ],
    'an output that burns': [arkTx(outputs(([a, ...rest]) => [{ ...a!, value: 8_999n }, ...rest])), 'ARK_TX_MISMATCH'],
    'a negative output': [
      arkTx(outputs(([a, b, ...rest]) => [{ ...a!, value: -500n }, { ...b!, value: 11_000n }, ...rest])),
      'AMOUNT_TOO_LOW',
    ],
    'an output to somebody else': [
      arkTx(tx({ outputs: [{ ...ark.tx.outputs[0]!, script: p2tr(stranger.xonly) }, ...ark.tx.outputs.slice(1)] })),
      'INVALID_SIGNATURE',
    ],
    'no anchor': [arkTx(outputs((list) => list.slice(0, -1))), 'MALFORMED_ARK_TX'],
    'two anchors': [arkTx(outputs((list) => [...list, list.at(-1)!])), 'MALFORMED_ARK_TX'],
    'the anchor first': [arkTx(outputs((list) => [list.at(-1)!, ...list.slice(0, -1)])), 'MALFORMED_ARK_TX'],
    'an anchor with a value': [
      arkTx(outputs(([a, b, c]) => [{ ...a!, value: 8_500n }, b!, { ...c!, value: 500n }])),
      'MALFORMED_ARK_TX',
    ],
    'no witness UTXO': [arkTx(without(ark)), 'INVALID_PSBT_INPUT'],
    'another amount': [input({ witnessUtxo: { ...map.witnessUtxo!, value: 10_001n } }), 'INVALID_PSBT_INPUT'],
    'another script': [input({ witnessUtxo: { ...map.witnessUtxo!, script: vtxo.script } }), 'INVALID_PSBT_INPUT'],
    'no leaf': [input({ tapLeafScripts: [] }), 'INVALID_PSBT_INPUT'],
    'the leaf of the VTXO and not of the checkpoint': [input({ tapLeafScripts: [spentLeaf] }), 'INVALID_PSBT_INPUT'],
    'another control block': [
      input({ tapLeafScripts: [{ ...leaf!, controlBlock: flip(leaf!.controlBlock) }] }),
      'INVALID_PSBT_INPUT',
    ],
    'a malformed condition': [
      input({ rest: [...map.rest, { ...conditionPair([]), value: fromHex('05') }] }),
      'INVALID_ARK_PSBT',
    ],
    'no signature': [input({ tapScriptSigs: [] }), 'ARK_TX_INPUT_NOT_SIGNED'],
    'only a signature of the server': [
      input({ tapScriptSigs: [{ ...sig!, publicKey: signer.xonly }] }),
      'ARK_TX_INPUT_NOT_SIGNED',
    ],
    'a signature bit': [
      input({ tapScriptSigs: [{ ...sig!, signature: flip(sig!.signature, 40) }] }),
      'INVALID_SIGNATURE',
    ],
    'the signature of another input': [input({ tapScriptSigs: ark.inputs[1]!.tapScriptSigs }), 'INVALID_SIGNATURE'],
    'a signature under another name': [
      input({ tapScriptSigs: [{ ...sig!, publicKey: stranger.xonly }] }),
      'INVALID_SIGNATURE',
    ],
    'one more signature, of a stranger': [
      input({ tapScriptSigs: [sig!, { ...sig!, publicKey: stranger.xonly }] }),
      'INVALID_SIGNATURE',
    ],
    'one more signature, of the server and wrong': [
      input({ tapScriptSigs: [sig!, { ...sig!, publicKey: signer.xonly }] }),
      'INVALID_SIGNATURE',
    ],
    'a signature over the exit leaf': [
      input({ tapScriptSigs: [{ ...sig!, leafHash: exitLeaf.hash }] }),
      'INVALID_SIGNATURE',
    ],
    'sighash NONE': [arkTx(resigned(ark, SIGHASH.NONE)), 'INVALID_SIGNATURE'],
    'sighash SINGLE': [arkTx(resigned(ark, SIGHASH.SINGLE)), 'INVALID_SIGNATURE'],
    'sighash ALL|ANYONECANPAY': [arkTx(resigned(ark, SIGHASH.ALL | SIGHASH.ANYONECANPAY)), 'INVALID_SIGNATURE'],
  };
  for (const [name, [changed, code]] of Object.entries(cases)) {
    assert.equal(
      codeOf(() => parseSubmission(secp, changed, rules)),
      code,
      name,
    );
  }
  parseSubmission(secp, arkTx(resigned(ark, SIGHASH.ALL)), rules);
  parseSubmission(secp, checkpoints(second, first), rules);
});

test('what e2e tests read out of a refusal is there', () => {
  assert.throws(() => parseSubmission(secp, { signedArkTx: 'invalid', checkpointTxs: ['invalid'] }, rules), {
    code: 'INVALID_ARK_PSBT',
    data: { tx: 'invalid' },
  });
});

test('an ark tx that is too heavy is refused', async () => {
  const { txs } = await send([coin(0x11, 10_000)], [pays(10_000n)]);
  assert.equal(
    codeOf(() => parseSubmission(secp, txs, { ...rules, maxTxWeight: 600 })),
    'TX_TOO_LARGE',
  );
});

test('what else the client writes into its PSBT is not kept', async () => {
  const { txs } = await send([coin(0x11, 10_000)], [pays(10_000n)]);
  const ark = parsePsbt(txs.signedArkTx);
  const junk = { key: fromHex('fc01'), value: fromHex('02') };
  const poisoned = withInput(ark, 0, { finalWitness: [fromHex('00')], tapKeySig: new Uint8Array(64), rest: [junk] });
  const signedArkTx = psbtBase64({ ...poisoned, globals: [junk], outputs: ark.outputs.map(() => [junk]) });
  assert.deepEqual(parseSubmission(secp, { ...txs, signedArkTx }, rules).arkTx, ark);
});

test('a checkpoint that no node would relay is refused, since the server could never broadcast it', () => {
  const conditionOfSize = (size: number) => fromHex(`${'5175'.repeat(size / 2)}51`);
  const attempt = (size: number) => {
    const leafScript = encodeClosure({
      kind: 'condition',
      condition: conditionOfSize(size),
      keys: [owner.xonly, signer.xonly],
      form: 'checksig',
    });
    const script = new VtxoScript([leafScript, sdkVtxo.scripts[1]!]);
    const { arkTx, checkpoints } = buildOffchainTx([coin(0x11, 10_000, script)], [pays(10_000n)], unroll);
    const signedArkTx = psbtBase64(signLeaves(secp, parsePsbt(arkTx.toPSBT()), owner.secret, AUX));
    const checkpointTxs = checkpoints.map((tx) => toBase64(tx.toPSBT()));
    return () => parseSubmission(secp, { signedArkTx, checkpointTxs }, rules);
  };
  assert.equal(attempt(38_000)().inputs.length, 1);
  assert.equal(codeOf(attempt(38_600)), 'TX_TOO_LARGE');
});

test('a leaf with a delay spends nothing, even with the server key in it', async () => {
  const csv = CSVMultisigTapscript.encode({ timelock: csvTimelock, pubkeys: [owner.xonly, signer.xonly] });
  const script = new VtxoScript([sdkVtxo.scripts[0]!, csv.script]);
  const { txs } = await send([coin(0x11, 10_000, script, script.leaves[1]!)], [pays(10_000n)]);
  assert.equal(
    codeOf(() => parseSubmission(secp, txs, rules)),
    'INVALID_PSBT_INPUT',
  );
});

test('a leaf that only the server could sign, or with two of its keys, spends nothing', () => {
  const attempt = (keys: readonly Bytes[], signers: readonly Bytes[]) => {
    const leafScript = fromHex(keys.map((key, i) => `20${toHex(key)}${i === keys.length - 1 ? 'ac' : 'ad'}`).join(''));
    const script = new VtxoScript([leafScript, sdkVtxo.scripts[1]!]);
    const { arkTx, checkpoints } = buildOffchainTx([coin(0x11, 10_000, script)], [pays(10_000n)], unroll);
    const psbt = parsePsbt(arkTx.toPSBT());
    const signedArkTx = psbtBase64(signLeaves(secp, psbt, owner.secret, AUX));
    const checkpointTxs = checkpoints.map((tx) => toBase64(tx.toPSBT()));
    return () => parseSubmission(secp, { signedArkTx, checkpointTxs }, { ...rules, signers });
  };
  assert.equal(codeOf(attempt([signer.xonly], [signer.xonly])), 'ARK_TX_INPUT_NOT_SIGNED');
  const two = attempt([owner.xonly, signer.xonly, stranger.xonly], [signer.xonly, stranger.xonly]);
  assert.equal(codeOf(two), 'INVALID_PSBT_INPUT');
});

test('whatever is done to the bytes, there is an answer', async () => {
  const { txs } = await send([coin(0x11, 10_000)], [pays(10_000n)]);
  const texts = [txs.signedArkTx, ...txs.checkpointTxs] as [string, string];
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1 }), fc.nat(), fc.nat(255), (which, at, byte) => {
      const raw = Uint8Array.from(atob(texts[which]!), (char) => char.charCodeAt(0));
      raw[at % raw.length] = byte;
      const changed = toBase64(raw);
      const [signedArkTx, checkpoint] = which === 0 ? [changed, texts[1]] : [texts[0], changed];
      refusesOrAccepts(() => parseSubmission(secp, { signedArkTx, checkpointTxs: [checkpoint] }, rules));
    }),
    { numRuns: 500 },
  );
});

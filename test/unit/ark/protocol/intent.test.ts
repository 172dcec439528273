import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ArkNote,
  ConditionWitness,
  DefaultVtxo,
  Intent,
  SingleKey,
  VHTLC,
  type VtxoScript,
  VtxoTaprootTree,
} from '@arkade-os/sdk';
import fc from 'fast-check';
import { printExtension } from '../../../../src/ark/protocol/extension.ts';
import { buildIntentProof, type IntentProof, parseIntentProof, toSpend } from '../../../../src/ark/protocol/intent.ts';
import { leafOfVtxo, signLeaves } from '../../../../src/ark/protocol/leaf-spend.ts';
import { noteVtxo } from '../../../../src/ark/protocol/note.ts';
import { conditionPair, tapTreePair, withPairs } from '../../../../src/ark/protocol/psbt-fields.ts';
import { defaultVtxo, vtxoScript } from '../../../../src/ark/protocol/vtxo.ts';
import { type Bytes, fromHex, outpointKey, toHex } from '../../../../src/base/bytes.ts';
import { sats } from '../../../../src/base/units.ts';
import { type Psbt, type PsbtInput, parsePsbt, psbtBase64, withInput } from '../../../../src/bitcoin/psbt.ts';
import { p2tr } from '../../../../src/bitcoin/script.ts';
import { SIGHASH } from '../../../../src/bitcoin/sighash.ts';
import { tapTweak } from '../../../../src/bitcoin/taproot.ts';
import { type Tx, txidOf } from '../../../../src/bitcoin/tx.ts';
import { ripemd160, sha256 } from '../../../../src/crypto/hash.ts';
import {
  AUX,
  codeOf,
  exitDelay,
  flip,
  key,
  outpoint,
  owner,
  receiver,
  refusesOrAccepts,
  secp,
  signer,
  stranger,
} from './support.ts';

const MESSAGE = `{"type":"register","onchain_output_indexes":[],"valid_at":0,"expire_at":0,"cosigners_public_keys":["${toHex(key(6).compressed)}"]}`;
const vtxo = defaultVtxo(secp, owner.xonly, signer.xonly, exitDelay);
const sdkVtxo = new DefaultVtxo.Script({
  pubKey: owner.xonly,
  serverPubKey: signer.xonly,
  csvTimelock: { type: 'blocks', value: 20n },
});
const SIGNERS = [signer.xonly];

const sdkCoin = (byte: number, amount: bigint, script: VtxoScript = sdkVtxo, leaf = script.leaves[0]!) => ({
  txid: fromHex(outpoint(byte).txid),
  index: 0,
  witnessUtxo: { script: script.pkScript, amount },
  tapLeafScript: [leaf],
  unknown: [VtxoTaprootTree.encode(script.encode())],
});
const identity = SingleKey.fromPrivateKey(owner.secret);
const output = { amount: 10_000n, script: vtxo.script };

async function sdkProof(message = MESSAGE, coins = [sdkCoin(0x11, 10_000n)], outputs = [output]): Promise<Psbt> {
  return parsePsbt((await identity.sign(Intent.create(message, coins, outputs))).toPSBT());
}
const parse = (psbt: Psbt, message = MESSAGE, signers: readonly Bytes[] = SIGNERS): IntentProof =>
  parseIntentProof(secp, psbtBase64(psbt), message, signers);

test('the made-up transaction and the proof have the ids of the SDK', async () => {
  assert.equal(
    txidOf(toSpend(MESSAGE, vtxo.script)),
    '9d39e71265390231375d8bec24289f8a9a26311b49921234daf7c859e0d66ad1',
  );
  const proof = parse(await sdkProof());
  assert.equal(proof.txid, 'd1bdd10495a4dc87a2c3b1098275298441a256f9e9c719c617c47ddb96d9ab82');
});

test('a proof that the SDK signed is accepted and read', async () => {
  const coins = [sdkCoin(0x11, 10_000n), sdkCoin(0x12, 500n), sdkCoin(0x13, 7n)];
  const proof = parse(await sdkProof(MESSAGE, coins));
  assert.deepEqual(
    proof.coins.map(({ outpoint, amount }) => [outpointKey(outpoint), amount]),
    [0x11, 0x12, 0x13].map((byte, i) => [outpointKey(outpoint(byte)), [10_000n, 500n, 7n][i]]),
  );
  const [coin] = proof.coins;
  assert.deepEqual(coin!.script, vtxo.script);
  assert.deepEqual(coin!.tapTree, vtxo);
  assert.equal(coin!.leaf.closure?.kind, 'multisig');
  assert.deepEqual(proof.outputs, [{ value: 10_000n, script: vtxo.script }]);
  assert.equal(proof.extension, undefined);
});

test('a proof without outputs asks for none', async () => {
  const message = Intent.encodeMessage({ type: 'delete', expire_at: 0 });
  assert.deepEqual(parse(await sdkProof(message, undefined, []), message).outputs, []);
});

test('the proof we build is the one the SDK builds, and its signatures count', async () => {
  const coin = {
    outpoint: outpoint(0x11),
    amount: 10_000n,
    script: vtxo.script,
    leaf: leafOfVtxo(vtxo, vtxo.scripts[0]!)!,
    tapTree: vtxo.scripts,
  };
  const built = buildIntentProof(MESSAGE, [coin], [{ value: 10_000n, script: vtxo.script }]);
  const sdk = await sdkProof();
  assert.equal(txidOf(built.tx), txidOf(sdk.tx));
  assert.deepEqual(built.globals, sdk.globals);
  for (const type of [SIGHASH.DEFAULT, SIGHASH.ALL]) parse(signLeaves(secp, built, owner.secret, AUX, type));
  const proofOnly = buildIntentProof(MESSAGE, [coin]);
  assert.deepEqual(parse(signLeaves(secp, proofOnly, owner.secret, AUX)).outputs, []);
});

test('an exit leaf proves ownership too, with no signature of the server', async () => {
  const proof = parse(
    await sdkProof(MESSAGE, [{ ...sdkCoin(0x11, 10_000n, sdkVtxo, sdkVtxo.leaves[1]!), sequence: 20 } as never]),
  );
  assert.deepEqual([proof.coins[0]!.leaf.closure?.kind, proof.coins[0]!.sequence], ['csv', 20]);
});

const preimage = new Uint8Array(32).fill(0x42);
const htlc = new VHTLC.Script({
  sender: receiver.xonly,
  receiver: owner.xonly,
  server: signer.xonly,
  preimageHash: ripemd160(sha256(preimage)),
  refundLocktime: 1000n,
  unilateralClaimDelay: { type: 'blocks', value: 20n },
  unilateralRefundDelay: { type: 'blocks', value: 22n },
  unilateralRefundWithoutReceiverDelay: { type: 'blocks', value: 23n },
});

test('a hash-locked leaf wants its preimage', async () => {
  const claim = (items: readonly Bytes[] | undefined) => {
    const coin = sdkCoin(0x11, 10_000n, htlc, htlc.claim());
    return items ? { ...coin, unknown: [...coin.unknown, ConditionWitness.encode([...items])] } : coin;
  };
  const proof = parse(await sdkProof(MESSAGE, [claim([preimage])]));
  assert.deepEqual(proof.coins[0]!.condition, [preimage]);
  assert.equal(proof.coins[0]!.leaf.closure?.kind, 'condition');
  for (const items of [undefined, [], [flip(preimage)], [preimage, preimage], [new Uint8Array(81)]]) {
    const psbt = await sdkProof(MESSAGE, [claim(items)]);
    assert.equal(
      codeOf(() => parse(psbt)),
      'INVALID_INTENT_PROOF',
    );
  }
});

test('a note is redeemed by its preimage alone, beside coins that are signed for', async () => {
  const note = new ArkNote(preimage, 5000);
  const withNote = Intent.create(MESSAGE, [note as never, sdkCoin(0x11, 10_000n)], [output]);
  const psbt = parsePsbt((await identity.sign(withNote, [2])).toPSBT());
  const proof = parse(psbt);
  assert.deepEqual(
    proof.coins.map(({ leaf }) => leaf.closure?.kind),
    [undefined, 'multisig'],
  );
  assert.deepEqual(proof.coins[0]!.outpoint, noteVtxo(secp, { preimage, value: sats(5000) }).outpoint);
  assert.equal(proof.coins[0]!.tapTree, undefined);
  const spoil = (items: readonly Bytes[]): Psbt =>
    withInput(psbt, 1, { rest: withPairs(psbt.inputs[1]!, conditionPair(items)).rest });
  for (const items of [[], [flip(preimage)], [preimage, preimage]]) {
    assert.equal(
      codeOf(() => parse(spoil(items))),
      'INVALID_INTENT_PROOF',
    );
  }
});

test('an extension is read, and only a sound one with no value and no assets', async () => {
  const other = { amount: 0n, script: printExtension([{ type: 9, data: fromHex('0102') }]) };
  const read = async (...extensions: { amount: bigint; script: Bytes }[]) => {
    const psbt = await sdkProof(MESSAGE, undefined, [output, ...extensions]);
    return () => parse(psbt);
  };
  const proof = (await read(other))();
  assert.deepEqual(proof.extension, [{ type: 9, data: fromHex('0102') }]);
  assert.equal(proof.outputs.length, 2);
  assert.equal(codeOf(await read(other, other)), 'INVALID_INTENT_PSBT');
  assert.equal(codeOf(await read({ ...other, amount: 1n })), 'INVALID_INTENT_PSBT');
  assert.equal(codeOf(await read({ amount: 0n, script: fromHex('6a0341524b') })), 'INVALID_INTENT_PROOF');
  assert.equal(codeOf(await read({ amount: 0n, script: fromHex('6a0641524b000100') })), 'ASSET_VALIDATION_FAILED');
});

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
    'input 0 reveals no leaf': [input({ tapLeafScripts: [] }, 0), 'INVALID_INTENT_PROOF'],
    'input 0 reveals another leaf': [
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

test('a proof binds its message to the letter', async () => {
  const psbt = await sdkProof();
  for (const message of [MESSAGE.replace(':0', ':1'), `${MESSAGE} `, '', '\ud800']) {
    assert.match(
      codeOf(() => parse(psbt, message)),
      /^INVALID_INTENT_(PROOF|MESSAGE)$/,
    );
  }
});

test('the server is excused from signing, nobody else, and never everybody', async () => {
  const psbt = await sdkProof();
  assert.equal(
    codeOf(() => parse(psbt, MESSAGE, [])),
    'INVALID_INTENT_PROOF',
  );
  assert.equal(
    codeOf(() => parse(psbt, MESSAGE, [receiver.xonly])),
    'INVALID_INTENT_PROOF',
  );
  parse(psbt, MESSAGE, [receiver.xonly, signer.xonly]);
  assert.equal(
    codeOf(() => parse(psbt, MESSAGE, [owner.xonly, signer.xonly])),
    'INVALID_INTENT_PROOF',
  );
});

test('a key path that somebody knows is no VTXO, whatever its leaves say', () => {
  const leaf = leafOfVtxo(vtxo, vtxo.scripts[0]!)!;
  const own = vtxoScript(secp, vtxo.scripts);
  const controlBlock = Uint8Array.from(leaf.controlBlock);
  controlBlock.set(owner.xonly, 1);
  const tweaked = secp.tweakXonly(owner.xonly, tapTweak(owner.xonly, own.root))!;
  controlBlock[0] = 0xc0 | tweaked.parity;
  const coin = {
    outpoint: outpoint(0x11),
    amount: 1000n,
    script: p2tr(tweaked.xonly),
    leaf: { ...leaf, controlBlock },
    tapTree: vtxo.scripts,
  };
  const signed = signLeaves(secp, buildIntentProof(MESSAGE, [coin]), owner.secret, AUX);
  assert.equal(
    codeOf(() => parse(signed)),
    'INVALID_PSBT_INPUT',
  );
});

test('a proof that is too heavy is refused before anything is verified', async () => {
  const psbt = await sdkProof();
  const weigh = (limit: number) => () => parseIntentProof(secp, psbtBase64(psbt), MESSAGE, SIGNERS, limit);
  weigh(2000)();
  assert.equal(codeOf(weigh(500)), 'TX_TOO_LARGE');
});

test('whatever is done to the bytes, there is an answer', async () => {
  const bytes = parsePsbt(psbtBase64(await sdkProof()));
  const raw = Uint8Array.from(atob(psbtBase64(bytes)), (char) => char.charCodeAt(0));
  fc.assert(
    fc.property(fc.nat(raw.length - 1), fc.nat(255), (at, byte) => {
      const copy = Uint8Array.from(raw);
      copy[at] = byte;
      refusesOrAccepts(() => parseIntentProof(secp, btoa(String.fromCharCode(...copy)), MESSAGE, SIGNERS));
    }),
    { numRuns: 500 },
  );
  fc.assert(fc.property(fc.string(), (text) => refusesOrAccepts(() => parseIntentProof(secp, text, MESSAGE, SIGNERS))));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildForfeitTx,
  CLTVMultisigTapscript,
  ConditionWitness,
  DelegateVtxo,
  setArkPsbtField,
  type TapLeafScript,
  type Transaction,
  VtxoScript,
} from '@arkade-os/sdk';
import fc from 'fast-check';
import {
  buildForfeit,
  type Coin,
  completeForfeit,
  type ForfeitRules,
  parseForfeit,
} from '../../../../src/ark/protocol/forfeit.ts';
import { leafFields, leafOfVtxo, secretSigner, signLeaf, signLeaves } from '../../../../src/ark/protocol/leaf-spend.ts';
import { defaultVtxo, vtxoScript } from '../../../../src/ark/protocol/vtxo.ts';
import { type Bytes, fromHex, toBase64 } from '../../../../src/base/bytes.ts';
import { csvMultisig, encodeClosure, multisig } from '../../../../src/bitcoin/closure.ts';
import { STANDARD_FLAGS, verifyTx } from '../../../../src/bitcoin/interpreter/verify.ts';
import { ANCHOR } from '../../../../src/bitcoin/package.ts';
import {
  createPsbt,
  EMPTY_INPUT,
  type Psbt,
  type PsbtInput,
  parsePsbt,
  prevoutsOf,
  psbtBase64,
  withInput,
} from '../../../../src/bitcoin/psbt.ts';
import { p2tr } from '../../../../src/bitcoin/script.ts';
import { SIGHASH, taprootSighash } from '../../../../src/bitcoin/sighash.ts';
import { type Tx, type TxOut, txIn, txidOf } from '../../../../src/bitcoin/tx.ts';
import { csvTimelock, htlc, identityOf, preimage, sdkVtxo, vtxo } from './sdk-wallet.ts';
import {
  AUX,
  codeOf,
  delegate,
  exitDelay,
  flip,
  type Key,
  outpoint,
  owner,
  receiver,
  refusesOrAccepts,
  secp,
  signer,
  stranger,
} from './support.ts';

const forfeitScript = fromHex(`0014${'33'.repeat(20)}`);
const wallet = stranger;
const coinOf = (byte: number, value: bigint, script: Bytes): Coin => ({ outpoint: outpoint(byte), value, script });
const connector = coinOf(0x22, 330n, p2tr(wallet.xonly));
const plain = coinOf(0x11, 10_000n, vtxo.script);
const rulesFor = (coin: Coin): ForfeitRules => ({
  vtxos: [coinOf(0x10, 1n, vtxo.script), coin],
  connectors: [coinOf(0x21, 330n, connector.script), connector],
  forfeitScript,
  signers: [signer.xonly],
  tip: { height: 1000, medianTime: 1_700_000_000 },
});

const sdkInput = ({ outpoint, value, script }: Coin) => ({
  txid: fromHex(outpoint.txid),
  index: outpoint.vout,
  witnessUtxo: { amount: value, script },
});
const sdkForfeit = (coin: Coin, leaf: TapLeafScript): Transaction =>
  buildForfeitTx([{ ...sdkInput(coin), tapLeafScript: [leaf] }, sdkInput(connector)], forfeitScript);

async function signed(tx: Transaction, keys: readonly Key[] = [owner], index = 0): Promise<string> {
  let all = tx;
  for (const key of keys) all = await identityOf(key).sign(all, [index]);
  return toBase64(all.toPSBT());
}

/** Completes a forfeit with the keys of the server and lets the script rules judge it. */
function isBroadcastable(text: string, rules: ForfeitRules): boolean {
  const forfeit = parseForfeit(secp, text, rules);
  const connectorWitness = (tx: Tx, index: number, prevouts: readonly TxOut[]) => [
    secp.schnorrSign(taprootSighash(tx, index, prevouts)!, wallet.secret, AUX),
  ];
  const tx = completeForfeit(forfeit, { signer: secretSigner(secp, signer.secret, AUX), connectorWitness });
  return verifyTx(secp, tx, prevoutsOf(forfeit.psbt)!, STANDARD_FLAGS) === undefined;
}

test('the forfeit transaction is that of the SDK', () => {
  const tx = buildForfeit({ vtxo: plain, connector, forfeitScript });
  assert.equal(txidOf(tx), '8dc01d3163ee3d7b55c8d7eb8f76669f3296f62ec050a861afe66283ba2e8891');
  assert.equal(tx.outputs[0]!.value, 10_330n);
  assert.equal(sdkForfeit(plain, sdkVtxo.leaves[0]!).id, txidOf(tx));
});

test('a forfeit that the SDK signed is accepted and can be broadcast, inputs in either order', async () => {
  const first = await signed(sdkForfeit(plain, sdkVtxo.leaves[0]!));
  const forfeit = parseForfeit(secp, first, rulesFor(plain));
  assert.deepEqual([forfeit.vtxo, forfeit.connector, forfeit.vtxoIndex], [plain, connector, 0]);
  assert.deepEqual(forfeit.signerKey, signer.xonly);
  assert.ok(isBroadcastable(first, rulesFor(plain)));

  const inputs = [sdkInput(connector), { ...sdkInput(plain), tapLeafScript: [sdkVtxo.leaves[0]!] }];
  const second = await signed(buildForfeitTx(inputs, forfeitScript), [owner], 1);
  assert.equal(parseForfeit(secp, second, rulesFor(plain)).vtxoIndex, 1);
  assert.ok(isBroadcastable(second, rulesFor(plain)));
});

test('a delegate completes what the owner signed before there was a connector', async () => {
  const script = new DelegateVtxo.Script({
    pubKey: owner.xonly,
    serverPubKey: signer.xonly,
    delegatePubKey: delegate.xonly,
    csvTimelock,
  });
  const coin = coinOf(0x11, 10_000n, Uint8Array.from(script.pkScript));
  const leaf = leafOfVtxo(
    vtxoScript(
      secp,
      script.scripts.map((one) => Uint8Array.from(one)),
    ),
    Uint8Array.from(script.scripts[2]!),
  )!;
  const whole = buildForfeit({ vtxo: coin, connector, forfeitScript });
  const vtxoMap: PsbtInput = { ...EMPTY_INPUT, witnessUtxo: coin, ...leafFields(leaf) };
  const alone = createPsbt({ ...whole, inputs: whole.inputs.slice(0, 1) }, [vtxoMap]);
  const anyoneCanPay = SIGHASH.ALL | SIGHASH.ANYONECANPAY;
  const byOwner = signLeaf(alone, 0, [coin], leaf, secretSigner(secp, owner.secret, AUX), anyoneCanPay);
  const joined: Psbt = {
    ...byOwner,
    tx: { ...byOwner.tx, inputs: [...byOwner.tx.inputs, txIn(connector.outpoint)] },
    inputs: [...byOwner.inputs, { ...EMPTY_INPUT, witnessUtxo: connector }],
  };
  const byBoth = signLeaves(secp, joined, delegate.secret, AUX);
  assert.ok(isBroadcastable(psbtBase64(byBoth), rulesFor(coin)));
  assert.equal(
    codeOf(() => parseForfeit(secp, psbtBase64(joined), rulesFor(coin))),
    'INVALID_FORFEIT_TXS',
  );
});

test('a hash-locked VTXO is forfeited with its preimage', async () => {
  const coin = coinOf(0x11, 10_000n, Uint8Array.from(htlc.pkScript));
  const claim = async (items?: readonly Bytes[]) => {
    const tx = sdkForfeit(coin, htlc.claim());
    if (items) setArkPsbtField(tx, 0, ConditionWitness, [...items]);
    return signed(tx, [receiver]);
  };
  assert.ok(isBroadcastable(await claim([preimage]), rulesFor(coin)));
  for (const items of [undefined, [], [flip(preimage)]]) {
    const text = await claim(items);
    assert.equal(
      codeOf(() => parseForfeit(secp, text, rulesFor(coin))),
      'INVALID_FORFEIT_TXS',
    );
  }
});

test('a locked leaf forfeits once it is mature, and without any relative lock', async () => {
  const pubkeys = [owner.xonly, signer.xonly];
  const script = new VtxoScript([
    CLTVMultisigTapscript.encode({ absoluteTimelock: 900n, pubkeys }).script,
    sdkVtxo.scripts[1]!,
  ]);
  const coin = coinOf(0x11, 10_000n, Uint8Array.from(script.pkScript));
  const forfeit = async (locktime: number, sequence: number, connectorSequence = 0xffffffff) => {
    const vtxoInput = { ...sdkInput(coin), tapLeafScript: [script.leaves[0]!], sequence };
    const inputs = [vtxoInput, { ...sdkInput(connector), sequence: connectorSequence }];
    return signed(buildForfeitTx(inputs, forfeitScript, locktime));
  };
  const good = await forfeit(900, 0xfffffffe);
  assert.equal(parseForfeit(secp, good, rulesFor(coin)).psbt.tx.locktime, 900);
  assert.ok(isBroadcastable(good, rulesFor(coin)));
  assert.ok(isBroadcastable(await forfeit(900, 0xfffffffd), rulesFor(coin)));
  const early = { ...rulesFor(coin), tip: { height: 899, medianTime: 2_000_000_000 } };
  assert.equal(
    codeOf(() => parseForfeit(secp, good, early)),
    'FORFEIT_CLOSURE_LOCKED',
  );
  const built = buildForfeit({ vtxo: coin, connector, forfeitScript, locktime: 900 });
  assert.equal(txidOf(built), txidOf(parsePsbt(good).tx));

  const bad = [
    await forfeit(0, 0xfffffffe),
    await forfeit(901, 0xfffffffe),
    await forfeit(900, 0xffffffff),
    await forfeit(900, 900),
    await forfeit(900, 0xfffffffe, 0xfffffffe),
  ];
  for (const text of bad)
    assert.equal(
      codeOf(() => parseForfeit(secp, text, rulesFor(coin))),
      'INVALID_FORFEIT_TXS',
    );
});

test('only a leaf without delay, of an owner and one key of the server, forfeits', () => {
  const forfeit = (leafScript: Bytes, signers = [signer.xonly]) => {
    const leaf = leafOfVtxo(vtxoScript(secp, [leafScript]), leafScript)!;
    const coin = coinOf(0x11, 10_000n, vtxoScript(secp, [leafScript]).script);
    const map: PsbtInput = { ...EMPTY_INPUT, witnessUtxo: coin, ...leafFields(leaf) };
    const connectorMap = { ...EMPTY_INPUT, witnessUtxo: connector };
    const psbt = createPsbt(buildForfeit({ vtxo: coin, connector, forfeitScript }), [map, connectorMap]);
    const text = psbtBase64(signLeaves(secp, psbt, owner.secret, AUX));
    return () => parseForfeit(secp, text, { ...rulesFor(coin), signers });
  };
  const both = [owner.xonly, signer.xonly];
  assert.equal(forfeit(encodeClosure(multisig(...both)))().leaf.closure.kind, 'multisig');
  const bad = [
    forfeit(encodeClosure(csvMultisig(exitDelay, ...both))),
    forfeit(encodeClosure(multisig(owner.xonly))),
    forfeit(encodeClosure(multisig(signer.xonly))),
    forfeit(encodeClosure(multisig(...both, stranger.xonly)), [signer.xonly, stranger.xonly]),
  ];
  for (const work of bad) assert.equal(codeOf(work), 'INVALID_FORFEIT_TXS');

  const long = (size: number): Bytes =>
    encodeClosure({
      kind: 'condition',
      condition: fromHex(`${'5175'.repeat(size / 2)}51`),
      keys: both,
      form: 'checksig',
    });
  assert.equal(forfeit(long(38_000))().leaf.closure.kind, 'condition');
  assert.equal(codeOf(forfeit(long(38_600))), 'INVALID_FORFEIT_TXS', 'too heavy to be relayed');
});

test('every single change to a signed forfeit is refused', async () => {
  const good = parsePsbt(await signed(sdkForfeit(plain, sdkVtxo.leaves[0]!)));
  const rules = rulesFor(plain);
  parseForfeit(secp, psbtBase64(good), rules);
  const [a, b] = good.tx.inputs;
  const [paid, anchor] = good.tx.outputs;
  const map = good.inputs[0]!;
  const [sig] = map.tapScriptSigs;
  const [leaf] = map.tapLeafScripts;
  const strange = defaultVtxo(secp, stranger.xonly, signer.xonly, exitDelay);
  const exitLeaf = { ...leafOfVtxo(vtxo, vtxo.scripts[1]!)!, version: 0xc0 };

  const tx = (change: Partial<Tx>): Psbt => ({ ...good, tx: { ...good.tx, ...change } });
  const outputs = (...list: TxOut[]): Psbt => ({ ...tx({ outputs: list }), outputs: list.map(() => []) });
  const input = (change: Partial<PsbtInput>): Psbt => withInput(good, 0, change);
  /** Signed anew, so that nothing but the change itself is wrong. */
  const resigned = (psbt: Psbt, type?: number): Psbt =>
    signLeaves(
      secp,
      { ...psbt, inputs: psbt.inputs.map((one) => ({ ...one, tapScriptSigs: [] })) },
      owner.secret,
      AUX,
      type,
    );

  const cases: Readonly<Record<string, Psbt | string>> = {
    'no PSBT': 'invalid',
    'another version': resigned(tx({ version: 2 })),
    'a locktime': resigned(tx({ locktime: 1 })),
    'a relative lock': resigned(tx({ inputs: [{ ...a!, sequence: 144 }, b!] })),
    'a replaceable VTXO input': resigned(tx({ inputs: [{ ...a!, sequence: 0xfffffffe }, b!] })),
    'a relative lock of the connector': resigned(tx({ inputs: [a!, { ...b!, sequence: 144 }] })),
    'one input': resigned({ ...tx({ inputs: [a!] }), inputs: [map] }),
    'three inputs': resigned({
      ...tx({ inputs: [a!, b!, txIn(outpoint(0x21))] }),
      inputs: [...good.inputs, { ...EMPTY_INPUT, witnessUtxo: connector }],
    }),
    'an unknown VTXO': resigned(tx({ inputs: [{ ...a!, prevout: outpoint(0x12) }, b!] })),
    'an unknown connector': resigned(tx({ inputs: [a!, { ...b!, prevout: outpoint(0x23) }] })),
    'two VTXOs': resigned(tx({ inputs: [a!, { ...b!, prevout: outpoint(0x10) }] })),
    'two connectors': resigned(tx({ inputs: [{ ...a!, prevout: outpoint(0x21) }, b!] })),
    'less for the server': resigned(outputs({ ...paid!, value: 10_329n }, anchor!)),
    'more for the server': resigned(outputs({ ...paid!, value: 10_331n }, anchor!)),
    'somebody else paid': resigned(outputs({ ...paid!, script: p2tr(stranger.xonly) }, anchor!)),
    'no anchor': resigned(outputs(paid!)),
    'two anchors': resigned(outputs(paid!, anchor!, ANCHOR)),
    'an anchor with a value': resigned(outputs(paid!, { ...anchor!, value: 1n })),
    'the anchor first': resigned(outputs(anchor!, paid!)),
    'no leaf': input({ tapLeafScripts: [] }),
    'two leaves': input({ tapLeafScripts: [leaf!, exitLeaf] }),
    'another leaf version': input({ tapLeafScripts: [{ ...leaf!, version: 0xc2 }] }),
    'the exit leaf': resigned(input({ tapLeafScripts: [exitLeaf] })),
    'the leaf of another VTXO': input({ tapLeafScripts: [{ ...leaf!, script: strange.scripts[0]! }] }),
    'another control block': input({ tapLeafScripts: [{ ...leaf!, controlBlock: flip(leaf!.controlBlock, 50) }] }),
    'no signature': input({ tapScriptSigs: [] }),
    'a signature bit': input({ tapScriptSigs: [{ ...sig!, signature: flip(sig!.signature, 33) }] }),
    'a signature of somebody else': input({ tapScriptSigs: [{ ...sig!, publicKey: stranger.xonly }] }),
    'one more signature': input({ tapScriptSigs: [sig!, { ...sig!, publicKey: stranger.xonly }] }),
    'a signature over another leaf': input({ tapScriptSigs: [{ ...sig!, leafHash: exitLeaf.hash }] }),
    'a signature for another amount': resigned(input({ witnessUtxo: { ...map.witnessUtxo!, value: 10_001n } })),
    'sighash NONE': resigned(good, SIGHASH.NONE),
    'sighash SINGLE': resigned(good, SIGHASH.SINGLE),
    'sighash NONE|ANYONECANPAY': resigned(good, SIGHASH.NONE | SIGHASH.ANYONECANPAY),
    'sighash SINGLE|ANYONECANPAY': resigned(good, SIGHASH.SINGLE | SIGHASH.ANYONECANPAY),
  };
  for (const [name, psbt] of Object.entries(cases)) {
    const text = typeof psbt === 'string' ? psbt : psbtBase64(psbt);
    assert.equal(
      codeOf(() => parseForfeit(secp, text, rules)),
      'INVALID_FORFEIT_TXS',
      name,
    );
  }
  for (const type of [SIGHASH.ALL, SIGHASH.ALL | SIGHASH.ANYONECANPAY]) {
    assert.ok(isBroadcastable(psbtBase64(resigned(good, type)), rules));
  }
  const { witnessUtxo: _, ...nameless } = map;
  assert.ok(
    isBroadcastable(psbtBase64({ ...good, inputs: [nameless, good.inputs[1]!] }), rules),
    'amounts come from us',
  );
});

test('whatever is done to the bytes, there is an answer', async () => {
  const raw = await signed(sdkForfeit(plain, sdkVtxo.leaves[0]!));
  const bytes = Uint8Array.from(atob(raw), (char) => char.charCodeAt(0));
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
      const copy = Uint8Array.from(bytes);
      copy[at] = byte;
      refusesOrAccepts(() => parseForfeit(secp, toBase64(copy), rulesFor(plain)));
    }),
    { numRuns: 500 },
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assertSubmittedArkTxid,
  buildOffchainTx,
  CLTVMultisigTapscript,
  ConditionWitness,
  DelegateVtxo,
  matchServerCheckpoints,
  setArkPsbtField,
  type TapLeafScript,
  Transaction,
  VtxoScript,
  verifyTapscriptSignatures,
} from '@arkade-os/sdk';
import { printExtension } from '../../../../src/ark/protocol/extension.ts';
import { finalize, leafOfVtxo, signLeaves } from '../../../../src/ark/protocol/leaf-spend.ts';
import { buildArkTx, buildCheckpoint } from '../../../../src/ark/protocol/offchain.ts';
import { cosign, parseFinalCheckpoint, parseSubmission } from '../../../../src/ark/protocol/submission.ts';
import { subDustScript } from '../../../../src/ark/protocol/vtxo.ts';
import { type Bytes, fromHex, outpointKey, toBase64, toHex } from '../../../../src/base/bytes.ts';
import { type Psbt, type PsbtInput, parsePsbt, psbtBase64, withInput } from '../../../../src/bitcoin/psbt.ts';
import { P2A_SCRIPT, p2wpkh } from '../../../../src/bitcoin/script.ts';
import { SIGHASH } from '../../../../src/bitcoin/sighash.ts';
import { txHex, txidOf } from '../../../../src/bitcoin/tx.ts';
import {
  coin,
  csvTimelock,
  htlc,
  identityOf,
  isValid,
  pays,
  preimage,
  rules,
  type Sent,
  sdkVtxo,
  send,
  serverSigner,
  target,
  unroll,
  vtxo,
} from './sdk-wallet.ts';
import {
  AUX,
  checkpointTapscript,
  codeOf,
  delegate,
  flip,
  type Key,
  outpoint,
  owner,
  receiver,
  secp,
  signer,
  stranger,
} from './support.ts';

async function complete({ arkTx, checkpoints, txs }: Sent, signers: readonly Key[] = [owner], tip = rules.tip) {
  const submission = parseSubmission(secp, txs, { ...rules, tip });
  const cosigned = cosign(submission, serverSigner);
  const response = { arkTxid: submission.arkTxid, finalArkTx: psbtBase64(cosigned.arkTx) };
  assertSubmittedArkTxid(response, arkTx, 'submit');
  const matched = matchServerCheckpoints(cosigned.checkpoints.map(psbtBase64), [...checkpoints], 'submit');
  const finalArkTx = Transaction.fromPSBT(Uint8Array.from(atob(response.finalArkTx), (char) => char.charCodeAt(0)));
  for (const i of checkpoints.keys()) verifyTapscriptSignatures(finalArkTx, i, [toHex(signer.xonly)]);
  for (const [i, { server }] of matched.entries()) {
    verifyTapscriptSignatures(server, 0, [toHex(signer.xonly)]);
    const { condition } = submission.inputs[i]!.checkpoint.output;
    let signed = server.clone();
    // As clients of hash locks do: a condition that came back already would be there twice.
    if (condition) setArkPsbtField(signed, 0, ConditionWitness, [...condition]);
    for (const key of signers) signed = await identityOf(key).sign(signed);
    const final = parseFinalCheckpoint(secp, cosigned.checkpoints[i]!, toBase64(signed.toPSBT()), condition);
    assert.ok(isValid(final), 'the checkpoint is valid on chain');
  }
  assert.ok(isValid(cosigned.arkTx), 'the ark tx is valid on chain');
  return submission;
}

test('a payment of the SDK is accepted, cosigned, finalized, and valid on chain', async () => {
  const sent = await send([coin(0x11, 10_000), coin(0x12, 500)], [pays(9_000n), pays(1_500n, vtxo.script)]);
  const submission = await complete(sent);
  assert.equal(submission.arkTxid, sent.arkTx.id);
  assert.deepEqual(
    submission.inputs.map(({ outpoint, value, checkpointTxid }) => [outpointKey(outpoint), value, checkpointTxid]),
    [0x11, 0x12].map((byte, i) => [outpointKey(outpoint(byte)), [10_000n, 500n][i], sent.checkpoints[i]!.id]),
  );
  assert.deepEqual(submission.inputs[0]!.vtxo, vtxo);
  assert.deepEqual(submission.inputs[0]!.signerKey, signer.xonly);
  assert.deepEqual(submission.outputs, [
    { vout: 0, amount: 9_000n, script: target.script, isSubDust: false },
    { vout: 1, amount: 1_500n, script: vtxo.script, isSubDust: false },
  ]);
});

test('checkpoints have the bytes of the protocol', () => {
  const leaf = leafOfVtxo(vtxo, vtxo.scripts[0]!)!;
  const { psbt } = buildCheckpoint(secp, checkpointTapscript, { outpoint: outpoint(0x11), value: 10_000n, vtxo, leaf });
  assert.equal(txidOf(psbt.tx), '66136fdf7636786aa7485f0180e836c6c9f7a07b7ccad00c0df7967df06c83e0');
  const script = '51208398a17284620f71f8cc116bf394c993043e63a31e9de54a727475a724ff1e7b';
  assert.equal(
    txHex(psbt.tx),
    `0300000001${'11'.repeat(32)}0000000000ffffffff02102700000000000022${script}0000000000000000${'0451024e73'}00000000`,
  );
});

test('what we build is what the SDK builds', () => {
  const built = [0x11, 0x12].map((byte) =>
    buildCheckpoint(secp, checkpointTapscript, {
      outpoint: outpoint(byte),
      value: 5_000n,
      vtxo,
      leaf: leafOfVtxo(vtxo, vtxo.scripts[0]!)!,
    }),
  );
  const arkTx = buildArkTx(
    built.map(({ output }) => output),
    [{ value: 10_000n, script: target.script }],
  );
  const sdk = buildOffchainTx([coin(0x11, 5_000), coin(0x12, 5_000)], [pays(10_000n)], unroll);
  assert.deepEqual(
    built.map(({ psbt }) => psbtBase64(psbt)),
    sdk.checkpoints.map((tx) => toBase64(tx.toPSBT())),
  );
  assert.equal(psbtBase64(arkTx), toBase64(sdk.arkTx.toPSBT()));
});

test('a VHTLC is claimed with the preimage, refunded by all three, or by two once its time has come', async () => {
  const at = (leaf: TapLeafScript) => [coin(0x11, 10_000, htlc, leaf)];
  const claim = await send(at(htlc.claim()), [pays(10_000n)], [receiver], [preimage]);
  const claimed = await complete(claim, [receiver]);
  assert.deepEqual(claimed.inputs[0]!.checkpoint.output.condition, [preimage]);
  assert.ok(!claimed.inputs[0]!.hasCondition);
  await complete(await send(at(htlc.refund()), [pays(10_000n)], [owner, receiver]), [owner, receiver]);

  const refund = await send(at(htlc.refundWithoutReceiver()), [pays(10_000n)]);
  await complete(refund);
  const early = { ...rules, tip: { ...rules.tip, height: 999 } };
  assert.throws(() => parseSubmission(secp, refund.txs, early), {
    code: 'FORFEIT_CLOSURE_LOCKED',
    data: { locktime: '1000', current_locktime: '999', type: 'height' },
  });
});

test('a condition that is not met is refused, since its checkpoint could never be broadcast', async () => {
  for (const condition of [undefined, [], [flip(preimage)], [preimage, preimage]]) {
    const { txs } = await send([coin(0x11, 10_000, htlc, htlc.claim())], [pays(10_000n)], [receiver], condition);
    assert.equal(
      codeOf(() => parseSubmission(secp, txs, rules)),
      'INVALID_SIGNATURE',
    );
  }
});

test('a locktime in seconds waits for the median time, and heights and times do not mix', async () => {
  const locked = (absoluteTimelock: bigint) => {
    const cltv = CLTVMultisigTapscript.encode({ absoluteTimelock, pubkeys: [owner.xonly, signer.xonly] });
    return new VtxoScript([cltv.script, sdkVtxo.scripts[1]!]);
  };
  const timed = await send([coin(0x11, 10_000, locked(1_700_000_000n))], [pays(10_000n)]);
  await complete(timed, [owner], { height: 1, medianTime: 1_700_000_001 });
  const early = { ...rules, tip: { height: 1_000_000, medianTime: 1_699_999_999 } };
  assert.throws(() => parseSubmission(secp, timed.txs, early), {
    code: 'FORFEIT_CLOSURE_LOCKED',
    data: { locktime: '1700000000', current_locktime: '1699999999', type: 'time' },
  });

  const built = [locked(500n), locked(1_700_000_000n)].map((script, i) => {
    const input = coin(0x11 + i, 10_000, script);
    return buildOffchainTx([input], [pays(10_000n)], unroll);
  });
  const [a, b] = built.map(({ arkTx }) => parsePsbt(arkTx.toPSBT()));
  const mixed: Psbt = {
    ...a!,
    tx: { ...a!.tx, inputs: [a!.tx.inputs[0]!, b!.tx.inputs[0]!], locktime: b!.tx.locktime },
    inputs: [a!.inputs[0]!, b!.inputs[0]!],
  };
  const txs = {
    signedArkTx: psbtBase64(signLeaves(secp, mixed, owner.secret, AUX)),
    checkpointTxs: built.map(({ checkpoints }) => toBase64(checkpoints[0]!.toPSBT())),
  };
  assert.equal(
    codeOf(() => parseSubmission(secp, txs, { ...rules, tip: { height: 1000, medianTime: 2e9 } })),
    'MALFORMED_ARK_TX',
  );
});

test('a locked input beside an unlocked one passes in the way of the SDK and in that of the Go client', async () => {
  const cltv = CLTVMultisigTapscript.encode({ absoluteTimelock: 900n, pubkeys: [owner.xonly, signer.xonly] });
  const locked = new VtxoScript([cltv.script, sdkVtxo.scripts[1]!]);
  const sent = await send([coin(0x11, 10_000, locked), coin(0x12, 500)], [pays(10_500n)]);
  await complete(sent);
  const psbt = parsePsbt(sent.arkTx.toPSBT());
  const inputs = psbt.tx.inputs.map((input, i) => (i === 1 ? { ...input, sequence: 0xffffffff } : input));
  const bare = {
    ...psbt,
    tx: { ...psbt.tx, inputs },
    inputs: psbt.inputs.map((map) => ({ ...map, tapScriptSigs: [] })),
  };
  const signedArkTx = psbtBase64(signLeaves(secp, bare, owner.secret, AUX));
  parseSubmission(secp, { ...sent.txs, signedArkTx }, rules);
});

test('a delegate leaf wants both signatures', async () => {
  const script = new DelegateVtxo.Script({
    pubKey: owner.xonly,
    serverPubKey: signer.xonly,
    delegatePubKey: delegate.xonly,
    csvTimelock,
  });
  const at = [coin(0x11, 10_000, script, script.leaves[2]!)];
  await complete(await send(at, [pays(10_000n)], [owner, delegate]), [owner, delegate]);
  const { txs } = await send(at, [pays(10_000n)], [owner]);
  assert.equal(
    codeOf(() => parseSubmission(secp, txs, rules)),
    'INVALID_SIGNATURE',
  );
});

test('a deprecated server key still signs for its VTXOs', async () => {
  const { txs } = await send([coin(0x11, 10_000)], [pays(10_000n)]);
  const submission = parseSubmission(secp, txs, { ...rules, signers: [stranger.xonly, signer.xonly] });
  assert.deepEqual(submission.inputs[0]!.signerKey, signer.xonly);
  assert.equal(
    codeOf(() => parseSubmission(secp, txs, { ...rules, signers: [stranger.xonly] })),
    'INVALID_VTXO_SCRIPT',
  );
});

test('outputs: VTXOs, sub-dust, extensions and data, each within its bounds', async () => {
  const read = async (...outputs: { amount: bigint; script: Bytes }[]) => {
    const sum = outputs.reduce((total, { amount }) => total + amount, 0n);
    const { arkTx, checkpoints } = buildOffchainTx([coin(0x11, Number(sum))], [], unroll);
    for (const output of outputs) arkTx.addOutput(output);
    const unsigned = parsePsbt(arkTx.toPSBT());
    const order = [...unsigned.tx.outputs.slice(1), unsigned.tx.outputs[0]!];
    const psbt = { ...unsigned, tx: { ...unsigned.tx, outputs: order } };
    const signedArkTx = psbtBase64(signLeaves(secp, psbt, owner.secret, AUX));
    return () =>
      parseSubmission(secp, { signedArkTx, checkpointTxs: checkpoints.map((tx) => toBase64(tx.toPSBT())) }, rules);
  };
  const extension = { amount: 0n, script: printExtension([{ type: 9, data: fromHex('01') }]) };
  const subDust = pays(329n, subDustScript(target.outputKey));
  const data = { amount: 0n, script: fromHex('6a0101') };
  const accepted = (await read(pays(330n), subDust, extension, data))();
  assert.deepEqual(accepted.outputs, [
    { vout: 0, amount: 330n, script: target.script, isSubDust: false },
    { vout: 1, amount: 329n, script: target.script, isSubDust: true },
  ]);
  assert.deepEqual(accepted.extension, [{ type: 9, data: fromHex('01') }]);

  const refused: Record<string, [Awaited<ReturnType<typeof read>>, string]> = {
    'a VTXO below dust': [await read(pays(329n)), 'AMOUNT_TOO_LOW'],
    'a VTXO above the maximum': [await read(pays(1_000_001n)), 'AMOUNT_TOO_HIGH'],
    'a VTXO that is not P2TR': [await read(pays(1000n, p2wpkh(new Uint8Array(20)))), 'MALFORMED_ARK_TX'],
    'sub-dust that is none': [await read(pays(330n, subDust.script)), 'MALFORMED_ARK_TX'],
    'sub-dust of nothing': [await read(pays(330n), pays(0n, subDust.script)), 'MALFORMED_ARK_TX'],
    'data with a value': [await read(pays(330n), { ...data, amount: 1n }), 'MALFORMED_ARK_TX'],
    'an extension with a value': [await read(pays(330n), { ...extension, amount: 1n }), 'MALFORMED_ARK_TX'],
    'two extensions': [await read(pays(330n), extension, extension), 'MALFORMED_ARK_TX'],
    'a malformed extension': [
      await read(pays(330n), { amount: 0n, script: fromHex('6a0341524b') }),
      'MALFORMED_ARK_TX',
    ],
    assets: [await read(pays(330n), { amount: 0n, script: fromHex('6a0641524b000100') }), 'ASSET_PACKET_INVALID'],
    'four OP_RETURNs': [await read(pays(330n), data, data, data, data), 'MALFORMED_ARK_TX'],
    'a second anchor': [await read(pays(330n), pays(0n, P2A_SCRIPT)), 'MALFORMED_ARK_TX'],
  };
  for (const [name, [work, code]] of Object.entries(refused)) assert.equal(codeOf(work), code, name);
});

test('a final checkpoint needs every signature over the very transaction', async () => {
  const sent = await send([coin(0x11, 10_000), coin(0x12, 500)], [pays(10_500n)]);
  const submission = parseSubmission(secp, sent.txs, rules);
  const { checkpoints } = cosign(submission, serverSigner);
  const [cosigned, other] = checkpoints as [Psbt, Psbt];
  const signed = signLeaves(secp, cosigned, owner.secret, AUX);
  const [serverSig, ownerSig] = signed.inputs[0]!.tapScriptSigs;
  const finish = (psbt: Psbt | string) => () =>
    parseFinalCheckpoint(secp, cosigned, typeof psbt === 'string' ? psbt : psbtBase64(psbt));
  const sigs = (...tapScriptSigs: PsbtInput['tapScriptSigs'][number][]) => withInput(signed, 0, { tapScriptSigs });

  assert.ok(isValid(finish(signed)()));
  assert.ok(isValid(finish(sigs(ownerSig!))()), 'the own signature need not come back');
  const spoiled = { ...serverSig!, signature: flip(serverSig!.signature, 3) };
  assert.ok(isValid(finish(sigs(spoiled, ownerSig!))()), 'nor does a spoiled one count');
  assert.ok(isValid(finish(signLeaves(secp, cosigned, owner.secret, AUX, SIGHASH.ALL))()));

  const cases: Record<string, readonly [() => unknown, string]> = {
    'no PSBT': [finish('invalid'), 'INVALID_CHECKPOINT_PSBT'],
    'another checkpoint': [finish(signLeaves(secp, other, owner.secret, AUX)), 'CHECKPOINT_MISMATCH'],
    'not signed': [finish(cosigned), 'INVALID_SIGNATURE'],
    'a signature bit': [finish(sigs({ ...ownerSig!, signature: flip(ownerSig!.signature, 60) })), 'INVALID_SIGNATURE'],
    'a stranger besides': [finish(sigs(ownerSig!, { ...ownerSig!, publicKey: stranger.xonly })), 'INVALID_SIGNATURE'],
    'another leaf': [finish(sigs({ ...ownerSig!, leafHash: new Uint8Array(32) })), 'INVALID_SIGNATURE'],
    'another sighash': [finish(signLeaves(secp, cosigned, owner.secret, AUX, SIGHASH.NONE)), 'INVALID_SIGNATURE'],
  };
  for (const [name, [work, code]] of Object.entries(cases)) assert.equal(codeOf(work), code, name);
  assert.equal(
    codeOf(() => finalize(cosigned)),
    'INVALID_SIGNATURE',
  );
});

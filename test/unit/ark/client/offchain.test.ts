/** An honest payer against a server that answers with something else than was asked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coinOf } from '../../../../src/ark/client/account.ts';
import { acceptCosigned, buildPayment, signCheckpoints } from '../../../../src/ark/client/offchain.ts';
import { parseTerms } from '../../../../src/ark/client/terms.ts';
import { secretSigner } from '../../../../src/ark/protocol/leaf-spend.ts';
import { cosign, parseFinalCheckpoint, parseSubmission } from '../../../../src/ark/protocol/submission.ts';
import { toHex } from '../../../../src/base/bytes.ts';
import { addressOf } from '../../../../src/bitcoin/address.ts';
import { type Psbt, parsePsbt, psbtBase64 } from '../../../../src/bitcoin/psbt.ts';
import {
  AUX,
  checkpointTapscript,
  codeOf,
  exitDelay,
  forfeit,
  outpoint,
  secp,
  signer,
  stranger,
} from '../protocol/support.ts';
import { account, client, mine, vtxoCoin } from './support.ts';

const second = coinOf(account, 'vtxo', outpoint(5), 8_000n);
const payment = buildPayment(client, account, [vtxoCoin, second], [mine(58_000n)]);
const submitted = { signedArkTx: psbtBase64(payment.arkTx), checkpointTxs: payment.checkpoints.map(psbtBase64) };
const submission = parseSubmission(secp, submitted, {
  signers: [signer.xonly],
  minExitDelay: exitDelay,
  allowBlockType: true,
  checkpointTapscript,
  dust: 330n,
  vtxoMinAmount: 1n,
  vtxoMaxAmount: undefined,
  maxOpReturnOutputs: 3,
  maxTxWeight: 40_000,
  tip: { height: 100, medianTime: 1_700_000_000 },
});
const honest = cosign(submission, () => secretSigner(secp, signer.secret, AUX));
const answer = {
  arkTxid: payment.arkTxid,
  finalArkTx: psbtBase64(honest.arkTx),
  signedCheckpointTxs: honest.checkpoints.map(psbtBase64),
};

test('an honest answer, its checkpoints in any order, leads to checkpoints that the server finalizes', () => {
  const shuffled = { ...answer, signedCheckpointTxs: answer.signedCheckpointTxs.toReversed() };
  const { checkpoints } = acceptCosigned(secp, account, payment, shuffled);
  const final = signCheckpoints(client, account, checkpoints);
  final.forEach((psbt, i) => {
    assert.equal(
      parseFinalCheckpoint(secp, honest.checkpoints[i]!, psbtBase64(psbt)).inputs[0]!.tapScriptSigs.length,
      2,
    );
  });
});

const changed = (text: string, change: (psbt: Psbt) => Psbt): string => psbtBase64(change(parsePsbt(text)));
const moved = (psbt: Psbt): Psbt => ({ ...psbt, tx: { ...psbt.tx, locktime: 9 } });
const unsigned = (psbt: Psbt): Psbt => ({ ...psbt, inputs: psbt.inputs.map((map) => ({ ...map, tapScriptSigs: [] })) });
const foreign = cosign(submission, () => secretSigner(secp, stranger.secret, AUX));
const [first, other] = answer.signedCheckpointTxs as [string, string];

const LIES: Readonly<Record<string, [answer: object, code: string]>> = {
  'another txid': [{ ...answer, arkTxid: '00'.repeat(32) }, 'PAYMENT_CHANGED'],
  'another ark transaction': [{ ...answer, finalArkTx: changed(answer.finalArkTx, moved) }, 'PAYMENT_CHANGED'],
  'an ark transaction without the server’s signature': [
    { ...answer, finalArkTx: submitted.signedArkTx },
    'PAYMENT_CHANGED',
  ],
  'an ark transaction without the owner’s': [
    { ...answer, finalArkTx: changed(answer.finalArkTx, unsigned) },
    'PAYMENT_CHANGED',
  ],
  'an ark transaction signed by a stranger': [{ ...answer, finalArkTx: psbtBase64(foreign.arkTx) }, 'PAYMENT_CHANGED'],
  'a checkpoint unsigned': [{ ...answer, signedCheckpointTxs: [changed(first, unsigned), other] }, 'PAYMENT_CHANGED'],
  'a checkpoint signed by a stranger': [
    { ...answer, signedCheckpointTxs: [psbtBase64(foreign.checkpoints[0]!), other] },
    'PAYMENT_CHANGED',
  ],
  'another checkpoint': [{ ...answer, signedCheckpointTxs: [changed(first, moved), other] }, 'PAYMENT_CHANGED'],
  'one checkpoint twice': [{ ...answer, signedCheckpointTxs: [first, first] }, 'PAYMENT_CHANGED'],
  'a checkpoint too few': [{ ...answer, signedCheckpointTxs: [first] }, 'PAYMENT_CHANGED'],
  'a checkpoint too many': [{ ...answer, signedCheckpointTxs: [first, other, first] }, 'PAYMENT_CHANGED'],
  nothing: [{}, 'PAYMENT_CHANGED'],
  'no checkpoints at all': [{ ...answer, signedCheckpointTxs: null }, 'PAYMENT_CHANGED'],
  rubbish: [{ ...answer, finalArkTx: 'rubbish' }, 'MALFORMED_ANSWER'],
  'rubbish for a checkpoint': [{ ...answer, signedCheckpointTxs: [first, 'AAAA'] }, 'MALFORMED_ANSWER'],
};

for (const [name, [lie, code]] of Object.entries(LIES)) {
  test(`the payer signs no checkpoint for ${name}`, () => {
    assert.equal(
      codeOf(() => acceptCosigned(secp, account, payment, lie as typeof answer)),
      code,
    );
  });
}

const INFO = {
  network: 'regtest',
  digest: 'd',
  signerPubkey: toHex(signer.compressed),
  forfeitPubkey: toHex(forfeit.compressed),
  forfeitAddress: addressOf('regtest', client.terms.forfeitScript),
  checkpointTapscript: toHex(checkpointTapscript),
  unilateralExitDelay: '20',
  boardingExitDelay: '40',
  dust: '330',
};

test('terms that contradict themselves or cannot be read are refused', () => {
  assert.deepEqual(parseTerms(secp, INFO), { ...client.terms, digest: 'd' });
  const codeFor = (change: object): string => codeOf(() => parseTerms(secp, { ...INFO, ...change }));
  assert.equal(codeFor({ network: 'moon' }), 'TERMS_INVALID');
  assert.equal(codeFor({ signerPubkey: `02${'00'.repeat(32)}` }), 'TERMS_INVALID');
  assert.equal(codeFor({ forfeitPubkey: toHex(stranger.compressed) }), 'TERMS_INVALID');
  assert.equal(codeFor({ checkpointTapscript: '51' }), 'TERMS_INVALID');
  assert.equal(codeFor({ unilateralExitDelay: '0' }), 'MALFORMED_ANSWER');
  assert.equal(codeFor({ dust: '1.5' }), 'MALFORMED_ANSWER');
  assert.equal(codeFor({ digest: 7 }), 'MALFORMED_ANSWER');
  assert.equal(codeFor({ forfeitAddress: 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4' }), 'MALFORMED_ANSWER');
});

/** Threat 11: an explorer that lies about heights, confirmations or spends is found out where another one is asked too. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChainSource } from '../../../../src/ark/client/chain-source.ts';
import { verifyVtxo } from '../../../../src/ark/client/verify.ts';
import { createWarySource } from '../../../../src/ark/client/wary-source.ts';
import { ProtocolError } from '../../../../src/base/errors.ts';
import { feeRate } from '../../../../src/base/units.ts';
import { txIn, txidOf } from '../../../../src/bitcoin/tx.ts';
import { codeOf, outpoint } from '../protocol/support.ts';
import { chainOf, serverOf } from './fake-server.ts';
import { carol, forge } from './forged-lineage.ts';

const made = forge();
const { commitment } = made;
const standing = async (...sources: ChainSource[]) => {
  const report = await verifyVtxo(serverOf(made), createWarySource(sources), made.outpoint, { vtxo: carol.vtxo });
  return [report.standing, ...report.findings.map(({ code }) => code)];
};
const honest = (height = 110) => chainOf(made, { height });

test('two that agree are as good as one', async () => {
  assert.deepEqual(await standing(honest()), ['preconfirmed']);
  assert.deepEqual(await standing(honest(), honest()), ['preconfirmed']);
});

test('one that hides how late it is', async () => {
  assert.deepEqual(await standing(honest(110), honest(230)), ['refused', 'EXPIRY_TOO_SOON']);
  assert.deepEqual(await standing(honest(230), honest(110)), ['refused', 'EXPIRY_TOO_SOON']);
});

test('one that calls a commitment confirmed later than it was, so that it would expire later', async () => {
  const later = chainOf(made, { height: 180, confirmation: { height: 160, blockTime: 1_700_000_000 } });
  assert.deepEqual(await standing(later), ['preconfirmed']);
  assert.deepEqual(await standing(later, honest(180)), ['preconfirmed', 'EXPIRY_NEAR']);
});

test('one that calls a commitment confirmed that is not', async () => {
  const waiting = chainOf(made, { confirmation: undefined });
  assert.deepEqual(await standing(honest(), waiting), ['unconfirmed', 'COMMITMENT_UNCONFIRMED']);
  const unknowing = chainOf(made, { knowsCommitment: false });
  assert.equal((await standing(honest(), unknowing))[0], 'refused');
});

test('one that hides a spend', async () => {
  const theft = { version: 2, inputs: [txIn({ txid: txidOf(commitment), vout: 0 })], outputs: [], locktime: 0 };
  const seeing = chainOf(made, { txs: [theft] });
  assert.deepEqual(await standing(honest(), seeing), ['refused', 'SPENT_ON_CHAIN']);
  assert.deepEqual(await standing(seeing, honest()), ['refused', 'SPENT_ON_CHAIN']);
});

const coin = { outpoint: outpoint(1), output: { value: 5n, script: carol.vtxo.script } };
const placed = { confirmation: { height: 3, blockTime: 4 } };
const refusing: ChainSource['broadcast'] = async () => {
  throw new ProtocolError('BROADCAST_REFUSED', 'no');
};

test('coins that all know, rates that the dearest names', async () => {
  const one = { ...honest(), unspent: async () => [{ ...coin, ...placed }], feeRate: async () => feeRate(3) };
  const two = { ...honest(), unspent: async () => [coin], feeRate: async () => feeRate(7) };
  const wary = createWarySource([one, two]);
  assert.deepEqual(await wary.unspent(carol.vtxo.script), [coin]);
  assert.equal(await wary.feeRate(1), 7);
  assert.deepEqual(await createWarySource([one, honest()]).unspent(carol.vtxo.script), []);
  assert.deepEqual(await createWarySource([one, one]).unspent(carol.vtxo.script), [{ ...coin, ...placed }]);
});

test('a broadcast needs one that takes it', async () => {
  const closed = { ...honest(), broadcast: refusing, broadcastPackage: refusing };
  await createWarySource([closed, honest()]).broadcast(commitment);
  await createWarySource([closed, honest()]).broadcastPackage(commitment, commitment);
  await assert.rejects(createWarySource([closed, closed]).broadcast(commitment), { code: 'BROADCAST_REFUSED' });
});

test('nobody to ask, and one that does not answer', async () => {
  assert.equal(
    codeOf(() => createWarySource([])),
    'CHAIN_SOURCE_FAILED',
  );
  const mute = { ...honest(), tip: () => Promise.reject(new ProtocolError('CHAIN_SOURCE_FAILED', 'mute')) };
  await assert.rejects(createWarySource([honest(), mute]).tip(), { code: 'CHAIN_SOURCE_FAILED' });
});

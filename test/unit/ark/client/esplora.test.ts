/** What explorers answer, and what they had better not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEsploraSource } from '../../../../src/ark/client/esplora.ts';
import { parseTxid } from '../../../../src/base/bytes.ts';
import { p2tr } from '../../../../src/bitcoin/script.ts';
import { txHex, txIn, txidOf } from '../../../../src/bitcoin/tx.ts';
import { outpoint, signer } from '../protocol/support.ts';

const tx = {
  version: 2,
  inputs: [txIn(outpoint(1))],
  outputs: [{ value: 5n, script: p2tr(signer.xonly) }],
  locktime: 0,
};
const txid = txidOf(tx);
const confirmed = { confirmed: true, block_height: 7, block_time: 1_700_000_000 };
const placed = { confirmation: { height: 7, blockTime: 1_700_000_000 } };

type Answers = Readonly<Record<string, string | object | number>>;

const sourceOf = (answers: Answers) =>
  createEsploraSource(
    async (url) => {
      const answer = answers[url.replace('http://x/api', '')];
      if (answer === undefined) return new Response('not found', { status: 404 });
      if (typeof answer === 'number') return new Response('trouble', { status: answer });
      return new Response(typeof answer === 'string' ? answer : JSON.stringify(answer));
    },
    'http://x/api',
    'regtest',
  );

test('a transaction with its block, one without, and one that nobody knows', async () => {
  const known = sourceOf({ [`/tx/${txid}/hex`]: `${txHex(tx)}\n`, [`/tx/${txid}/status`]: confirmed });
  assert.deepEqual(await known.transaction(txid), { tx, ...placed });
  const waiting = sourceOf({ [`/tx/${txid}/hex`]: txHex(tx), [`/tx/${txid}/status`]: { confirmed: false } });
  assert.deepEqual(await waiting.transaction(txid), { tx });
  assert.equal(await sourceOf({}).transaction(txid), undefined);
});

test('the tip, spenders, coins and rates', async () => {
  const source = sourceOf({
    '/blocks': [
      { height: 9, mediantime: 8 },
      { height: 8, mediantime: 7 },
    ],
    [`/tx/${txid}/outspend/0`]: { spent: true, txid, vin: 0, status: confirmed },
    [`/tx/${txid}/outspend/1`]: { spent: false },
    '/fee-estimates': { 1: 30, 2: 20, 6: 0.5, 144: 9 },
  });
  assert.deepEqual(await source.tip(), { height: 9, medianTime: 8 });
  assert.deepEqual(await source.spender({ txid, vout: 0 }), { txid, ...placed });
  assert.equal(await source.spender({ txid, vout: 1 }), undefined);
  assert.equal(await source.spender({ txid, vout: 2 }), undefined);
  assert.deepEqual(await Promise.all([1, 3, 6].map(source.feeRate)), [30, 20, 1]);
  assert.equal(await sourceOf({}).feeRate(1), 1);
  assert.equal(await sourceOf({ '/fee-estimates': { 3: 4 } }).feeRate(1), 4);
});

const LIES: Readonly<Record<string, [Answers, (source: ReturnType<typeof sourceOf>) => Promise<unknown>]>> = {
  'another transaction': [
    { [`/tx/${'00'.repeat(32)}/hex`]: txHex(tx), [`/tx/${'00'.repeat(32)}/status`]: confirmed },
    (source) => source.transaction(parseTxid('00'.repeat(32))),
  ],
  'rubbish for a transaction': [
    { [`/tx/${txid}/hex`]: 'rubbish', [`/tx/${txid}/status`]: confirmed },
    (source) => source.transaction(txid),
  ],
  'no JSON': [{ '/blocks': '<html>' }, (source) => source.tip()],
  'no blocks': [{ '/blocks': [] }, (source) => source.tip()],
  'an object for a list': [{ '/blocks': {} }, (source) => source.tip()],
  trouble: [{ '/blocks': 502 }, (source) => source.tip()],
  'a spender that is none': [
    { [`/tx/${txid}/outspend/0`]: { spent: true, txid: 'x' } },
    (source) => source.spender({ txid, vout: 0 }),
  ],
  'a rate that is none': [{ '/fee-estimates': { 1: 'much' } }, (source) => source.feeRate(1)],
  'trouble at a broadcast': [{ '/tx': 503 }, (source) => source.broadcast(tx)],
};

for (const [name, [answers, ask]] of Object.entries(LIES)) {
  test(`${name} is not believed`, async () => {
    await assert.rejects(ask(sourceOf(answers)), { code: 'CHAIN_SOURCE_FAILED' });
  });
}

test('an explorer that is not there', async () => {
  const source = createEsploraSource(() => Promise.reject(new TypeError('fetch failed')), '', 'regtest');
  await assert.rejects(source.tip(), { code: 'CHAIN_SOURCE_FAILED' });
});

test('a refused broadcast, with the status of an error and without', async () => {
  await assert.rejects(sourceOf({ '/tx': 400 }).broadcast(tx), { code: 'BROADCAST_REFUSED' });
  const answer = { package_msg: 'transaction failed', 'tx-results': {} };
  await assert.rejects(sourceOf({ '/txs/package': answer }).broadcastPackage(tx, tx), { code: 'BROADCAST_REFUSED' });
  await sourceOf({ '/txs/package': { package_msg: 'success', 'tx-results': {} } }).broadcastPackage(tx, tx);
});

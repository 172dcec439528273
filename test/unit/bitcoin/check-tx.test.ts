import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Txid } from '../../../src/base/bytes.ts';
import { MAX_MONEY } from '../../../src/base/units.ts';
import { checkTx } from '../../../src/bitcoin/check-tx.ts';
import { P2A_SCRIPT } from '../../../src/bitcoin/script.ts';
import { NULL_TXID, type Tx, txIn } from '../../../src/bitcoin/tx.ts';

const input = txIn({ txid: 'ef'.repeat(32) as Txid, vout: 0 });
const nothing = txIn({ txid: NULL_TXID, vout: 0xffffffff });
const paying = (...values: readonly bigint[]): Partial<Tx> => ({
  outputs: values.map((value) => ({ value, script: P2A_SCRIPT })),
});
const check = (fields: Partial<Tx>) =>
  checkTx({ version: 2, inputs: [input], outputs: [{ value: 0n, script: P2A_SCRIPT }], locktime: 0, ...fields });

test('a transaction has inputs and outputs', () => {
  assert.equal(check({}), undefined);
  assert.equal(check({ inputs: [] }), 'bad-txns-vin-empty');
  assert.equal(check({ outputs: [] }), 'bad-txns-vout-empty');
});

test('a transaction fits into a block, its witness aside', () => {
  const output = (length: number) => ({ outputs: [{ value: 0n, script: new Uint8Array(length) }] });
  const room = 1_000_000 - (4 + 1 + 41 + 1 + 8 + 5 + 4);
  assert.equal(check(output(room)), undefined);
  assert.equal(check(output(room + 1)), 'bad-txns-oversize');
  assert.equal(check({ inputs: [{ ...input, witness: [new Uint8Array(3_000_000)] }] }), undefined);
});

test('amounts exist, alone and together', () => {
  assert.equal(check(paying(MAX_MONEY)), undefined);
  assert.equal(check(paying(-1n)), 'bad-txns-vout-negative');
  assert.equal(check(paying(MAX_MONEY + 1n)), 'bad-txns-vout-toolarge');
  assert.equal(check(paying(MAX_MONEY, 1n)), 'bad-txns-txouttotal-toolarge');
  assert.equal(check(paying(2n ** 63n - 1n, 2n ** 63n - 1n)), 'bad-txns-vout-toolarge');
});

test('CVE-2018-17144: an output is spent once', () => {
  assert.equal(check({ inputs: [input, { ...input, sequence: 1 }] }), 'bad-txns-inputs-duplicate');
  assert.equal(check({ inputs: [input, { ...input, prevout: { ...input.prevout, vout: 1 } }] }), undefined);
});

test('only a coinbase spends nothing, and its scriptSig has 2 to 100 bytes', () => {
  const coinbase = (length: number) => check({ inputs: [{ ...nothing, scriptSig: new Uint8Array(length) }] });
  assert.deepEqual([1, 2, 100, 101].map(coinbase), ['bad-cb-length', undefined, undefined, 'bad-cb-length']);
  assert.equal(check({ inputs: [input, nothing] }), 'bad-txns-prevout-null');
});

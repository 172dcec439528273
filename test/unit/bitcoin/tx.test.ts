import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Bytes, toHex } from '../../../src/base/bytes.ts';
import { DecodeError } from '../../../src/bitcoin/reader.ts';
import {
  isCoinbase,
  NULL_TXID,
  parseTx,
  serializeTx,
  type Tx,
  txHex,
  txIn,
  txidOf,
  vsizeOf,
  weightOf,
  wtxidOf,
} from '../../../src/bitcoin/tx.ts';
import { tx as anyTx, bytes, mangled } from '../../support/arbitrary.ts';

/** BIP143's signed P2WPKH example: one legacy input, one with a witness. */
const BIP143 =
  '01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00000000494830450221008b9d1dc26ba6a9cb' +
  '62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b194ba3f9281a99f2b1c0a19c0489bc22ede944ccf4ecbab4cc618ef3ed' +
  '01eeffffffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9' +
  '148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac00' +
  '0247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c4518331561406f90300e8f3358f5' +
  '1928d43c212a8caed02de67eebee0121025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee635711000000';

test('a transaction survives its serialization', () => {
  fc.assert(fc.property(anyTx, (tx) => assert.deepEqual(parseTx(serializeTx(tx)), tx)));
});

test('only one serialization is a transaction: what parses is written back as it was', () => {
  const sometimesSound = fc.oneof(mangled(anyTx.map((tx) => serializeTx(tx))), bytes(200));
  fc.assert(
    fc.property(sometimesSound, (raw) => {
      let tx: Tx;
      try {
        tx = parseTx(raw);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
        return;
      }
      assert.deepEqual(serializeTx(tx), raw);
    }),
    { numRuns: 2000 },
  );
});

test('text that is no hex is refused like bytes that are no transaction', () => {
  assert.throws(() => parseTx('zz'), TypeError);
  assert.throws(() => parseTx(''), DecodeError);
  assert.throws(() => parseTx(`${BIP143}00`), DecodeError);
  assert.throws(() => parseTx(BIP143.slice(0, -2)), DecodeError);
});

test('ids and sizes of a transaction with a witness', () => {
  const tx = parseTx(BIP143);
  assert.equal(txHex(tx), BIP143);
  assert.equal(txidOf(tx), 'e8151a2af31c368a35053ddd4bdb285a8595c769a3ad83e0fa02314a602d4609');
  assert.notEqual(wtxidOf(tx), txidOf(tx));
  assert.equal(BIP143.length / 2, 343);
  assert.equal(weightOf(tx), 233 * 3 + 343);
  assert.equal(vsizeOf(tx), 261);
});

test('a witness that holds nothing is superfluous', () => {
  const marked = (tx: Tx): Bytes => {
    const raw = serializeTx(tx);
    const [version, rest] = [raw.slice(0, 4), raw.slice(4)];
    const witnesses = tx.inputs.map(() => 0);
    return Uint8Array.of(...version, 0, 1, ...rest.slice(0, -4), ...witnesses, ...rest.slice(-4));
  };
  const tx: Tx = { version: 2, inputs: [txIn({ txid: NULL_TXID, vout: 0 })], outputs: [], locktime: 0 };
  assert.throws(() => parseTx(marked(tx)), DecodeError);
});

test('what no call stack would hold is still written', () => {
  const output = { value: 1n, script: new Uint8Array(0) };
  const tx: Tx = {
    version: 2,
    inputs: [{ ...txIn({ txid: NULL_TXID, vout: 0 }), witness: Array(300_000).fill(new Uint8Array(0)) }],
    outputs: Array(300_000).fill(output),
    locktime: 0,
  };
  assert.equal(parseTx(serializeTx(tx)).outputs.length, 300_000);
});

test('a coinbase spends nothing', () => {
  const coinbase: Tx = { version: 2, inputs: [txIn({ txid: NULL_TXID, vout: 0xffffffff })], outputs: [], locktime: 0 };
  assert.ok(isCoinbase(coinbase));
  assert.ok(!isCoinbase({ ...coinbase, inputs: [txIn({ txid: NULL_TXID, vout: 0 })] }));
  assert.ok(!isCoinbase({ ...coinbase, inputs: [...coinbase.inputs, ...coinbase.inputs] }));
  assert.ok(!isCoinbase(parseTx(BIP143)));
  assert.equal(toHex(serializeTx(coinbase)).length, 2 * (4 + 1 + 36 + 1 + 4 + 1 + 4));
});

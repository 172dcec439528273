import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConditionWitness,
  CosignerPublicKey,
  getArkPsbtFields,
  setArkPsbtField,
  Transaction,
  VtxoTaprootTree,
  VtxoTreeExpiry,
} from '@arkade-os/sdk';
import fc from 'fast-check';
import {
  conditionOf,
  conditionPair,
  cosignerPairs,
  cosignersOf,
  encodeTapTree,
  expiryOf,
  expiryPair,
  parseTapTree,
  tapTreeOf,
  tapTreePair,
  withPairs,
} from '../../../../src/ark/protocol/psbt-fields.ts';
import { concat, fromHex, toHex, utf8 } from '../../../../src/base/bytes.ts';
import { createPsbt, EMPTY_INPUT, parsePsbt, serializePsbt } from '../../../../src/bitcoin/psbt.ts';
import { DecodeError } from '../../../../src/bitcoin/reader.ts';
import { relativeTimelock } from '../../../../src/bitcoin/timelock.ts';
import { txIn } from '../../../../src/bitcoin/tx.ts';
import { delegate, outpoint, owner, signer } from './support.ts';

const scripts = [fromHex('51'), fromHex('5252')];
const keys = [owner, signer, delegate].map(({ compressed }) => compressed);
const items = [fromHex('010203'), new Uint8Array(0)];
const bare = { version: 3, inputs: [txIn(outpoint(1))], outputs: [{ value: 1n, script: fromHex('51') }], locktime: 0 };

test('the SDK reads what we write', () => {
  const input = withPairs(
    EMPTY_INPUT,
    tapTreePair(scripts),
    expiryPair(relativeTimelock(144)),
    ...cosignerPairs(keys),
    conditionPair(items),
  );
  const tx = Transaction.fromPSBT(serializePsbt(createPsbt(bare, [input])));
  assert.deepEqual(getArkPsbtFields(tx, 0, VtxoTaprootTree).map(toHex), [toHex(encodeTapTree(scripts))]);
  assert.deepEqual(getArkPsbtFields(tx, 0, VtxoTreeExpiry), [{ type: 'blocks', value: 144n }]);
  assert.deepEqual(
    getArkPsbtFields(tx, 0, CosignerPublicKey).map(({ index, key }) => [index, toHex(key)]),
    keys.map((key, index) => [index, toHex(key)]),
  );
  assert.deepEqual(
    getArkPsbtFields(tx, 0, ConditionWitness).map((witness) => witness.map(toHex)),
    [items.map(toHex)],
  );
});

test('we read what the SDK writes, and what the Go server writes', () => {
  const tx = new Transaction({ version: 3 });
  tx.addInput({ txid: outpoint(1).txid, index: 0 });
  setArkPsbtField(tx, 0, VtxoTaprootTree, encodeTapTree(scripts));
  setArkPsbtField(tx, 0, ConditionWitness, items);
  for (const index of [2, 0, 1]) setArkPsbtField(tx, 0, CosignerPublicKey, { index, key: keys[index]! });
  const input = parsePsbt(tx.toPSBT()).inputs[0]!;
  assert.deepEqual(tapTreeOf(input), scripts);
  assert.deepEqual(conditionOf(input), items);
  assert.deepEqual(cosignersOf(input), keys);

  const goKey = (index: number) => concat(Uint8Array.of(222), utf8('cosigner'), Uint8Array.of(0, 0, 0, index));
  const many = Array.from({ length: 20 }, (_, i) => ({ key: goKey(19 - i), value: Uint8Array.of(19 - i) }));
  assert.deepEqual(
    cosignersOf(withPairs(EMPTY_INPUT, ...many)).map(([byte]) => byte),
    Array.from({ length: 20 }, (_, i) => i),
  );
});

test('the bytes of each field are those of the protocol', () => {
  assert.equal(toHex(conditionPair([fromHex('010203')]).value), '0103010203');
  assert.equal(toHex(tapTreePair([fromHex('51')]).key), 'de74617074726565');
  assert.equal(toHex(encodeTapTree(scripts)), '01c0015101c0025252');
  assert.deepEqual(
    [20, 144, 1024].map((delay) => toHex(expiryPair(relativeTimelock(delay)).value)),
    ['14', '9000', '020040'],
  );
  for (const delay of [1, 127, 128, 511, 512, 86528]) {
    assert.deepEqual(expiryOf(withPairs(EMPTY_INPUT, expiryPair(relativeTimelock(delay)))), relativeTimelock(delay));
  }
});

test('a field replaces its namesake and leaves the others alone', () => {
  const other = { key: fromHex('fc01'), value: fromHex('02') };
  const input = withPairs(withPairs(EMPTY_INPUT, other, conditionPair([])), conditionPair(items));
  assert.equal(input.rest.length, 2);
  assert.deepEqual(conditionOf(input), items);
  assert.equal(tapTreeOf(input), undefined);
  assert.equal(expiryOf(input), undefined);
  const otherType = { key: concat(Uint8Array.of(0xfc), utf8('taptree')), value: fromHex('01') };
  assert.equal(tapTreeOf(withPairs(EMPTY_INPUT, otherType)), undefined);
});

test('a malformed field is a decoding error and nothing else', () => {
  const read = (bytes: Uint8Array) => {
    const named = (pair: { key: Uint8Array }) => withPairs(EMPTY_INPUT, { key: pair.key, value: bytes });
    for (const work of [
      () => parseTapTree(bytes),
      () => conditionOf(named(conditionPair([]))),
      () => expiryOf(named(expiryPair(relativeTimelock(1)))),
    ]) {
      try {
        work();
      } catch (error) {
        assert.ok(error instanceof DecodeError);
      }
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 20 }), read));
  for (const text of ['', '01c0', '01c105', '01c00251']) assert.throws(() => parseTapTree(fromHex(text)), DecodeError);
});

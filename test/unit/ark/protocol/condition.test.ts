import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionHolds } from '../../../../src/ark/protocol/condition.ts';
import { type Bytes, fromHex } from '../../../../src/base/bytes.ts';
import { OP, push, script } from '../../../../src/bitcoin/script.ts';
import { hash160, sha256 } from '../../../../src/crypto/hash.ts';
import { flip, secp } from './support.ts';

const preimage = new Uint8Array(32).fill(9);
const holds = (condition: Bytes, ...items: readonly Bytes[]): boolean => conditionHolds(secp, condition, items);
const ONE = Uint8Array.of(1);

test('hash locks open to their preimage alone', () => {
  for (const condition of [
    script(OP.HASH160, push(hash160(preimage)), OP.EQUAL),
    script(OP.SHA256, push(sha256(preimage)), OP.EQUAL),
    script(0x82, push(Uint8Array.of(32)), OP.EQUALVERIFY, OP.SHA256, push(sha256(preimage)), OP.EQUAL),
  ]) {
    assert.ok(holds(condition, preimage));
    assert.ok(!holds(condition, flip(preimage)));
    assert.ok(!holds(condition));
    assert.ok(!holds(condition, ONE, preimage), 'nothing may be left over');
  }
});

test('a condition may choose between branches', () => {
  const either = fromHex(`63a820${'00'.repeat(32)}87675168`);
  assert.ok(holds(either, new Uint8Array(0)));
  assert.ok(!holds(either, preimage, ONE));
  assert.ok(!holds(either, Uint8Array.of(2)), 'MINIMALIF is consensus in tapscript');
});

test('it stands on its own arguments, never on the signatures below them', () => {
  assert.ok(!holds(Uint8Array.of(OP.DUP)));
  assert.ok(!holds(fromHex('5179')), 'OP_PICK below its arguments');
  assert.ok(!holds(fromHex('517a')), 'OP_ROLL below its arguments');
  assert.ok(holds(new Uint8Array(0), ONE), 'an empty condition is its argument');
  assert.ok(!holds(new Uint8Array(0), new Uint8Array(0)));
});

test('what nodes do not relay does not count', () => {
  assert.ok(holds(Uint8Array.of(OP.DROP, 0x51), new Uint8Array(80)));
  assert.ok(!holds(Uint8Array.of(OP.DROP, 0x51), new Uint8Array(81)));
  assert.ok(!holds(fromHex('0101'), new Uint8Array(0)), 'a push that is not minimal');
  const many = Array.from({ length: 101 }, () => ONE);
  assert.ok(!holds(fromHex('75'.repeat(100)), ...many));
});

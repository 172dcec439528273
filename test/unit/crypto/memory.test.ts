import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withMemory } from '../../../src/crypto/memory.ts';
import { loadSecp } from '../../../src/runtime/secp-wasm.ts';

const secp = await loadSecp();
const key = (n: number) => secp.publicKey(new Uint8Array(32).fill(n)).slice(1);
const tweak = new Uint8Array(32).fill(9);

function counting() {
  const asked = { isXonly: 0, tweakXonly: 0 };
  const count = <A extends readonly unknown[], R>(name: keyof typeof asked, ask: (...args: A) => R) => {
    return (...args: A): R => {
      asked[name]++;
      return ask(...args);
    };
  };
  const { isXonly, tweakXonly } = secp;
  return {
    asked,
    counted: { ...secp, isXonly: count('isXonly', isXonly), tweakXonly: count('tweakXonly', tweakXonly) },
  };
}

test('what was asked before is answered alike, and computed once', () => {
  const { asked, counted } = counting();
  const memory = withMemory(counted);
  const noKey = new Uint8Array(32).fill(0xff);
  for (let round = 0; round < 3; round++) {
    assert.deepEqual(memory.tweakXonly(key(1), tweak), secp.tweakXonly(key(1), tweak));
    assert.equal(memory.tweakXonly(noKey, tweak), undefined);
    assert.equal(memory.isXonly(key(1)), true);
    assert.equal(memory.isXonly(noKey), false);
  }
  assert.deepEqual(asked, { isXonly: 2, tweakXonly: 2 });
});

test('another tweak of the same key is another question', () => {
  const memory = withMemory(secp);
  const other = new Uint8Array(32).fill(8);
  assert.notDeepEqual(memory.tweakXonly(key(1), tweak), memory.tweakXonly(key(1), other));
});

test('the longest unused answer is forgotten first', () => {
  const { asked, counted } = counting();
  const memory = withMemory(counted, 2);
  for (const n of [1, 2, 1, 3, 1]) memory.isXonly(key(n));
  assert.equal(asked.isXonly, 3);
  memory.isXonly(key(2));
  assert.equal(asked.isXonly, 4);
});

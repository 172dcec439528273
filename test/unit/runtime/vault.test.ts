import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualEntropy } from '../../../src/runtime/entropy.ts';
import { seal, unseal } from '../../../src/runtime/vault.ts';

const entropy = createManualEntropy('vault');
const [key, other, secret] = [entropy.bytes(32), entropy.bytes(32), entropy.bytes(32)];

test('what is sealed comes back with its key, and never looks the same', () => {
  const sealed = seal(entropy, key, secret);
  assert.deepEqual(unseal(key, sealed), secret);
  assert.notDeepEqual(seal(entropy, key, secret), sealed);
});

test('another key or an altered byte opens nothing', () => {
  const sealed = seal(entropy, key, secret);
  assert.throws(() => unseal(other, sealed));
  for (const at of [0, 12, sealed.length - 1]) {
    const altered = Uint8Array.from(sealed);
    altered[at]! ^= 1;
    assert.throws(() => unseal(key, altered));
  }
  assert.throws(() => unseal(key, sealed.subarray(0, 20)));
});

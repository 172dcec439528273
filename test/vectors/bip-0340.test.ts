import assert from 'node:assert/strict';
import { fromHex } from '../../src/base/bytes.ts';
import { noble } from '../../src/crypto/noble.ts';
import { loadSecp } from '../../src/runtime/secp-wasm.ts';
import { readVectors, vectorTest } from '../support/vectors.ts';

const FILE = 'bip-0340/test-vectors.csv';

vectorTest('BIP340: Schnorr signatures, by either backend', FILE, async () => {
  const rows = readVectors(FILE).trim().split(/\r?\n/).slice(1);
  assert.equal(rows.length, 19);
  const wasm = await loadSecp();
  for (const row of rows) {
    const [, secret, publicKey, aux, message, signature, result] = row.split(',') as [string, ...string[]];
    const [key, text, expected] = [fromHex(publicKey!), fromHex(message!), fromHex(signature!)];
    for (const secp of [noble, wasm]) {
      assert.equal(secp.schnorrVerify(expected, text, key), result === 'TRUE', row);
      // The door signs hashes only; what others signed may have any length.
      if (!secret || text.length !== 32) continue;
      assert.deepEqual(secp.publicKey(fromHex(secret)).subarray(1), key);
      assert.deepEqual(secp.schnorrSign(text, fromHex(secret), fromHex(aux!)), expected, row);
    }
  }
});

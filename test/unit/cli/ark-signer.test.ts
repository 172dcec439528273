import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCutoff } from '../../../src/cli/commands/ark-signer.ts';

test('a cutoff is a date, unix seconds, or a while from now', () => {
  assert.equal(parseCutoff('2030-01-01T00:00:00Z', 0), 1_893_456_000);
  assert.equal(parseCutoff('1893456000', 5), 1_893_456_000);
  assert.equal(parseCutoff('+3600', 1_000), 4_600);
  for (const text of ['', 'soon', '-5', '1e9x', '+']) assert.throws(() => parseCutoff(text, 0), RangeError, text);
});

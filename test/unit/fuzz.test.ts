/** A short run of what `npm run fuzz` does at length. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz, TARGETS } from '../support/fuzz.ts';
import { dice } from '../support/mutations.ts';

const INPUTS = 400;

for (const name of Object.keys(TARGETS)) {
  test(`every mangled ${name} is understood or refused`, async () => {
    const { accepted, refused } = await fuzz(name, INPUTS, dice(1));
    assert.equal(accepted + refused, INPUTS);
    assert.ok(accepted > 0 && refused > 0);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeEntry, encodeEntry, type JournalEntry } from '../../../../src/chain/regtest/journal.ts';
import { bytes, tx, txid } from '../../../support/arbitrary.ts';

const entry: fc.Arbitrary<JournalEntry> = fc.oneof(
  bytes(300).map((raw): JournalEntry => ({ type: 'connected', raw })),
  fc.nat().map((count): JournalEntry => ({ type: 'disconnected', count })),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map((seconds): JournalEntry => ({ type: 'shifted', seconds })),
  fc
    .tuple(fc.nat(), fc.array(tx, { maxLength: 2 }), fc.array(txid, { maxLength: 3 }))
    .map(([time, txs, replaced]): JournalEntry => ({ type: 'accepted', time, txs, replaced })),
);

test('every entry reads back as it was', () => {
  fc.assert(fc.property(entry, (written) => assert.deepEqual(decodeEntry(encodeEntry(written)), written)));
});

test('bytes that are no entry are a decode error', () => {
  for (const broken of [[], [9], [2, 0], [3, 0, 0, 0, 0, 1], [4]]) {
    assert.throws(() => decodeEntry(Uint8Array.from(broken)), { name: 'DecodeError' });
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration, parseMoment } from '../../../src/cli/moment.ts';

test('a moment is a date, unix seconds, or so long from now', () => {
  assert.equal(parseMoment('2030-01-01T00:00:00Z', 0), 1_893_456_000);
  assert.equal(parseMoment('2030-01-01 00:00:00Z', 0), 1_893_456_000);
  assert.equal(parseMoment('2030-01-01', 0), 1_893_456_000);
  assert.equal(parseMoment('1893456000', 5), 1_893_456_000);
  assert.equal(parseMoment('+3600', 1_000), 4_600);
  assert.equal(parseMoment('+2h', 1_000), 8_200);
  assert.equal(parseMoment('-15m', 1_000), 100);
  assert.equal(parseMoment('-1d', 1_000), 0);
  for (const text of ['', 'soon', '1e9x', '+', '-5w', '2030-13-01', '+1.5h']) {
    assert.throws(() => parseMoment(text, 0), RangeError, text);
  }
});

test('a length of time has a unit, or is seconds', () => {
  assert.deepEqual(['90', '90s', '15m', '2h', '7d'].map(parseDuration), [90, 90, 900, 7_200, 604_800]);
  for (const text of ['', 'd', '-1', '1w', '1 h']) assert.throws(() => parseDuration(text), RangeError, text);
});

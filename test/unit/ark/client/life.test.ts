/** Threat 11: when a VTXO wants to be renewed, and until when its owner may still leave alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LifeFacts, lifeOf, shortest } from '../../../../src/ark/client/life.ts';
import { relativeTimelock } from '../../../../src/bitcoin/timelock.ts';

const facts: LifeFacts = {
  expiry: relativeTimelock(144),
  confirmation: { height: 1_000, blockTime: 1_700_000_000 },
  tip: { height: 1_010, medianTime: 1_700_006_000 },
  depth: 5,
  exitDelay: relativeTimelock(20),
};
const margins = { blocksPerTransaction: 2, renewalShare: 0.25 };

test('a life in blocks: the way out and the delay come off its end', () => {
  assert.deepEqual(lifeOf(facts, margins), {
    unit: 'blocks',
    expiresAt: 1_144,
    latestStart: 1_144 - 10 - 20,
    renewFrom: 1_114 - 36,
    now: 1_010,
  });
});

test('a life in seconds counts blocks as ten minutes', () => {
  const life = lifeOf({ ...facts, expiry: relativeTimelock(86_528) }, margins);
  assert.deepEqual(life, {
    unit: 'seconds',
    expiresAt: 1_700_086_528,
    latestStart: 1_700_086_528 - 10 * 600 - 20 * 600,
    renewFrom: 1_700_086_528 - 18_000 - 21_632,
    now: 1_700_006_000,
  });
  assert.equal(lifeOf({ ...facts, exitDelay: relativeTimelock(1_024) }, margins).latestStart, 1_144 - 10 - 2);
});

test('an unconfirmed commitment begins to live with the next block at the earliest', () => {
  assert.equal(lifeOf({ ...facts, confirmation: undefined }).expiresAt, 1_011 + 144);
  assert.equal(lifeOf({ ...facts, confirmation: undefined, expiry: relativeTimelock(1_024) }).expiresAt, 1_700_007_024);
});

test('the life that ends first counts, whatever its unit', () => {
  const day = lifeOf({ ...facts, expiry: relativeTimelock(86_528) });
  const hours = lifeOf({ ...facts, expiry: relativeTimelock(40) });
  assert.equal(shortest([day, hours]), hours);
  assert.equal(shortest([]), undefined);
});

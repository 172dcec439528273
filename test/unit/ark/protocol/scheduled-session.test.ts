import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isOpen,
  nextWindow,
  type ScheduledSession,
  troubleWithSession,
  withSession,
} from '../../../../src/ark/protocol/scheduled-session.ts';
import { unixSeconds } from '../../../../src/base/units.ts';
import { SETTINGS } from '../../../support/world.ts';

const START = unixSeconds(1_700_000_000);
const session: ScheduledSession = {
  start: START,
  end: unixSeconds(START + 100),
  period: 1_000,
  sessionDuration: 60,
  minParticipants: 5,
  maxParticipants: undefined,
  intentFee: undefined,
};
const at = (seconds: number) => unixSeconds(START + seconds);

test('the window told is the open one until it ends, then the next', () => {
  const startAt = (seconds: number) => nextWindow(session, at(seconds)).start - START;
  assert.deepEqual(
    [-5_000, -1, 0, 99, 100, 999, 1_000, 1_099, 1_100, 10_050].map(startAt),
    [0, 0, 0, 0, 1_000, 1_000, 1_000, 1_000, 2_000, 10_000],
  );
  const { start, end } = nextWindow(session, at(5_555));
  assert.equal(end - start, 100);
});

test('a window is open from its first second to before its end, each time it comes round', () => {
  for (const seconds of [0, 50, 99, 1_000, 1_099, 7_000]) assert.ok(isOpen(session, at(seconds)), `${seconds}`);
  for (const seconds of [-1, 100, 999, 1_100, 6_999]) assert.ok(!isOpen(session, at(seconds)), `${seconds}`);
});

test('windows that touch leave no gap', () => {
  const endless = { ...session, period: 100 };
  for (const seconds of [0, 99, 100, 101, 12_345]) assert.ok(isOpen(endless, at(seconds)), `${seconds}`);
});

test('within a window its own terms count, and the usual ones for what it leaves open', () => {
  const inside = withSession(SETTINGS, session);
  assert.equal(inside.sessionDuration, 60);
  assert.equal(inside.minParticipants, 5);
  assert.equal(inside.maxParticipants, SETTINGS.maxParticipants);
  assert.deepEqual(inside.intentFee, SETTINGS.intentFee);
});

test('windows that overlap, or end before they start, make no sense', () => {
  assert.equal(troubleWithSession(session), undefined);
  assert.equal(troubleWithSession({ ...session, period: 100 }), undefined);
  assert.ok(troubleWithSession({ ...session, period: 99 }));
  assert.ok(troubleWithSession({ ...session, end: START }));
});

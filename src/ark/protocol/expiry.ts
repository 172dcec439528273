/** When batches expire, told in one measure: they do so at a height or at a time, and people ask by time. */
import type { UnixSeconds } from '../../base/units.ts';
import { LOCKTIME_THRESHOLD } from '../../bitcoin/timelock.ts';

/** What the difficulty aims at; a height is turned into a time by it, which is a guess. */
export const SECONDS_PER_BLOCK = 600;

/** Seconds from `now` until a batch expires, below 0 once it has; `expiresAt` is a height or unix seconds. */
export const secondsUntil = (expiresAt: number, tip: { readonly height: number }, now: UnixSeconds): number =>
  expiresAt < LOCKTIME_THRESHOLD ? (expiresAt - tip.height) * SECONDS_PER_BLOCK : expiresAt - now;

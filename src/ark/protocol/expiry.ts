/** When batches expire, told in one measure: they do so at a height or at a time, and people ask by time. */
import type { UnixSeconds } from '../../base/units.ts';
import { LOCKTIME_THRESHOLD } from '../../bitcoin/timelock.ts';

/** What the difficulty aims at; a height is turned into a time by it, which is a guess. */
export const SECONDS_PER_BLOCK = 600;

/** Seconds from `now` until a batch expires, below 0 once it has; `expiresAt` is a height or unix seconds. */
export const secondsUntil = (expiresAt: number, tip: { readonly height: number }, now: UnixSeconds): number =>
  expiresAt < LOCKTIME_THRESHOLD ? (expiresAt - tip.height) * SECONDS_PER_BLOCK : expiresAt - now;

/** Clients' clocks may be off by so much, or by a sixteenth of a batch's life where that is shorter. */
const CLOCK_SKEW = 600;

/**
 * Whether a client may take a VTXO for expired before a session of `sessionSeconds` that begins now has ended. Where
 * batches expire at a time, it asks its own clock when it is to sign forfeits, and signs none for what it takes for
 * expired; a height it does not look at there.
 */
export const mayExpireMeanwhile = (
  expiresAt: number,
  now: UnixSeconds,
  sessionSeconds: number,
  lifeSeconds: number,
): boolean =>
  expiresAt >= LOCKTIME_THRESHOLD && now + sessionSeconds + Math.min(CLOCK_SKEW, lifeSeconds / 16) >= expiresAt;

/** Blocks in which the receiver of a payment from a VTXO of this depth could put all that it descends from on chain. */
export const exitBlocks = (depth: number): number => TREE_LEVELS + 2 * (depth + 1);

/** Of a batch of a thousand. */
const TREE_LEVELS = 10;

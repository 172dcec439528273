/** Relative (BIP68/112) and absolute (BIP65/113) time locks. */

/** `blocks` counts blocks; `seconds` is a multiple of 512. */
export interface RelativeTimelock {
  readonly type: 'blocks' | 'seconds';
  readonly value: number;
}

const TYPE_FLAG = 0x400000;
const DISABLE_FLAG = 0x80000000;
const SECONDS_PER_UNIT = 512;

/** BIP65: below this a locktime is a height, from here on unix seconds. */
export const LOCKTIME_THRESHOLD = 500_000_000;

/**
 * A delay as Ark's settings write it: below 512 blocks, from 512 on seconds (a multiple of 512).
 * Throws `RangeError` when BIP68's 16 bits cannot hold it.
 */
export function relativeTimelock(value: number): RelativeTimelock {
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`not a delay: ${value}`);
  if (value < SECONDS_PER_UNIT) return { type: 'blocks', value };
  if (value % SECONDS_PER_UNIT !== 0) throw new RangeError(`a delay in seconds must be a multiple of 512: ${value}`);
  if (value / SECONDS_PER_UNIT > 0xffff)
    throw new RangeError(`a delay is at most ${0xffff * SECONDS_PER_UNIT} seconds`);
  return { type: 'seconds', value };
}

/** BIP68 sequence number. */
export const toSequence = (lock: RelativeTimelock): number =>
  lock.type === 'blocks' ? lock.value : TYPE_FLAG | (lock.value / SECONDS_PER_UNIT);

/** Inverse of {@link toSequence}; `undefined` when the sequence locks nothing. */
export function fromSequence(sequence: number): RelativeTimelock | undefined {
  if ((sequence & DISABLE_FLAG) !== 0) return undefined;
  const value = sequence & 0xffff;
  return sequence & TYPE_FLAG ? { type: 'seconds', value: value * SECONDS_PER_UNIT } : { type: 'blocks', value };
}

/** BIP68: sequences lock from transaction version 2 on; the version counts as unsigned. */
export const hasRelativeLocks = (tx: { readonly version: number }): boolean => tx.version >>> 0 >= 2;

/** True once an absolute locktime lets a transaction into the block after `tip` (BIP113 for times). */
export const isMature = (locktime: number, tip: { readonly height: number; readonly medianTime: number }): boolean =>
  locktime < LOCKTIME_THRESHOLD ? locktime <= tip.height : locktime < tip.medianTime;

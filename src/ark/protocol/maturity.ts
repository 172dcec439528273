/** Whether a leaf with an absolute locktime may be spent yet. */
import type { Closure } from '../../bitcoin/closure.ts';
import { isMature, LOCKTIME_THRESHOLD } from '../../bitcoin/timelock.ts';
import { arkError } from './errors.ts';

export interface ChainTip {
  readonly height: number;
  /** Unix seconds, BIP113. */
  readonly medianTime: number;
}

/** Throws `FORFEIT_CLOSURE_LOCKED` while the closure's absolute locktime lies ahead. */
export function checkMaturity(closure: Closure, tip: ChainTip): void {
  if (closure.kind !== 'cltv' || isMature(closure.locktime, tip)) return;
  const type = closure.locktime < LOCKTIME_THRESHOLD ? 'height' : 'time';
  const current = type === 'height' ? tip.height : tip.medianTime;
  const data = { locktime: `${closure.locktime}`, current_locktime: `${current}`, type };
  throw arkError('FORFEIT_CLOSURE_LOCKED', `locked until ${closure.locktime}, now ${current}`, data);
}

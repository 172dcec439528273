/** When a transaction may enter the next block: BIP65/113 finality and BIP68 sequence locks. */
import { fromSequence, isMature } from '../../bitcoin/timelock.ts';
import { SEQUENCE_FINAL, type Tx } from '../../bitcoin/tx.ts';
import type { Coin } from './coin.ts';

/** The block that the next one builds on, and the median time past of any block below it. */
export interface LockContext {
  readonly height: number;
  readonly medianTime: number;
  readonly medianTimeAt: (height: number) => number;
}

export const isFinal = (tx: Tx, tip: Pick<LockContext, 'height' | 'medianTime'>): boolean =>
  tx.locktime === 0 || isMature(tx.locktime, tip) || tx.inputs.every((input) => input.sequence === SEQUENCE_FINAL);

/** BIP68: true when every relative lock of `tx` has run out in the block after the tip. `coins` are those it spends. */
export function areSequenceLocksMet(tx: Tx, coins: readonly Coin[], tip: LockContext): boolean {
  // The version counts as unsigned here, so that a negative one has locks too.
  if (tx.version >>> 0 < 2) return true;
  return tx.inputs.every((input, i) => {
    const lock = fromSequence(input.sequence);
    if (!lock) return true;
    const { height } = coins[i]!;
    return lock.type === 'blocks'
      ? height + lock.value <= tip.height + 1
      : tip.medianTimeAt(Math.max(height - 1, 0)) + lock.value <= tip.medianTime;
  });
}

/** What a transaction with a deadline pays: the going rate at first, all that is at stake at the end. */

export interface Urgency {
  /** Satoshi per virtual byte that a block is said to cost now. */
  readonly rate: number;
  /** Satoshi that the transaction may cost at the very most. */
  readonly stake: bigint;
  /** Blocks in which it still comes in time, of as many as there were in all. */
  readonly left: number;
  readonly total: number;
}

/**
 * Satoshi for `vsize` virtual bytes. They grow by the same factor with each block that passes, up to the stake for the
 * last one. `undefined` while even the going rate is more than what is at stake.
 */
export function urgentFee(vsize: number, { rate, stake, left, total }: Urgency): bigint | undefined {
  const least = Math.ceil(vsize * rate);
  const most = Number(stake);
  if (least > most) return undefined;
  const passed = total <= 1 ? 1 : Math.min(1, Math.max(0, (total - left) / (total - 1)));
  return BigInt(Math.min(most, Math.ceil(least * (most / Math.max(1, least)) ** passed)));
}

const SECONDS_PER_BLOCK = 600;

/** Blocks that a delay has left, and had: the first spend that it allows comes after them. */
export function blocksLeft(
  delay: { readonly type: 'blocks' | 'seconds'; readonly value: number },
  since: { readonly height: number; readonly blockTime: number } | undefined,
  tip: { readonly height: number; readonly medianTime: number },
): { readonly left: number; readonly total: number } {
  if (delay.type === 'blocks') {
    return { left: delay.value - (since ? tip.height - since.height + 1 : 0), total: delay.value };
  }
  const passed = since ? Math.max(0, tip.medianTime - since.blockTime) : 0;
  const inBlocks = (seconds: number): number => Math.max(0, Math.floor(seconds / SECONDS_PER_BLOCK));
  return { left: inBlocks(delay.value - passed), total: inBlocks(delay.value) };
}

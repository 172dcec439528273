/** Fee rates as bitcoind compares them: whole satoshi per thousand virtual bytes. */

/** Satoshi per 1,000 virtual bytes. */
export type SatsPerKvb = bigint & { readonly __brand: 'SatsPerKvb' };

export interface Sized {
  readonly fee: bigint;
  readonly vsize: number;
}

/** bitcoind rounds down. */
export const rateOf = ({ fee, vsize }: Sized): bigint => (fee * 1000n) / BigInt(vsize);

/** What `vsize` virtual bytes cost at `rate`, rounded up. */
export const feeAt = (rate: SatsPerKvb, vsize: number): bigint => (rate * BigInt(vsize) + 999n) / 1000n;

export const sumOf = (parts: Iterable<Sized>): Sized => {
  let fee = 0n;
  let vsize = 0;
  for (const part of parts) {
    fee += part.fee;
    vsize += part.vsize;
  }
  return { fee, vsize };
};

/** Positive when `a` pays more per virtual byte than `b`. Exact. */
export const compareRates = (a: Sized, b: Sized): bigint => a.fee * BigInt(b.vsize) - b.fee * BigInt(a.vsize);

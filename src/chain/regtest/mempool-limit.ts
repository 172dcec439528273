/** How much may wait for a block and for how long; what has to go, and what entering costs while there is no room. */
import { compareRates, rateOf, type SatsPerKvb, type Sized, sumOf } from './fee-rate.ts';
import type { Mempool, MempoolEntry } from './mempool.ts';
import { rejectFee } from './rejection.ts';

/** Virtual bytes: thirty blocks, which stays below what fits into the 300 MB of bitcoind's default. */
export const MAX_MEMPOOL_VSIZE = 30_000_000;
/** Two weeks, as bitcoind's default. */
const EXPIRY_SECONDS = 336 * 60 * 60;
/** A full mempool is cleared by this part of its size, so that not every newcomer has to look for room. */
const SLACK = 20;

export interface Room {
  /** Expired or evicted, with all that depends on them. */
  readonly gone: ReadonlySet<MempoolEntry>;
  /** What the best of the evicted paid per 1,000 virtual bytes; absent where none had to go for its fee. */
  readonly evictedRate?: bigint;
}

interface Offer {
  readonly entry: MempoolEntry;
  readonly offer: Sized;
}

/** As bitcoind ranks them: by its own rate, or with its descendants where those pay more. */
function worstFirst(pool: Mempool, spared: ReadonlySet<MempoolEntry>): readonly Offer[] {
  const offers: Offer[] = [];
  for (const entry of pool.entries()) {
    if (spared.has(entry)) continue;
    const family = sumOf(pool.withDescendants([entry.txid]));
    offers.push({ entry, offer: compareRates(family, entry) > 0n ? family : entry });
  }
  return offers.sort((a, b) => Number(compareRates(a.offer, b.offer)));
}

/**
 * What has to go so that `added` may enter in place of `replaced`. Refuses when they depend on what has expired, or
 * would be the first to go themselves.
 */
export function roomFor(
  pool: Mempool,
  added: readonly MempoolEntry[],
  replaced: ReadonlySet<MempoolEntry>,
  { maxVsize, now }: { readonly maxVsize: number; readonly now: number },
): Room {
  const needed = new Set(added.flatMap(({ tx }) => [...pool.ancestorsOf(tx)]));
  const gone = new Set<MempoolEntry>();
  const fresh = sumOf(added);
  let vsize = pool.totals.vsize + fresh.vsize - sumOf(replaced).vsize;
  const take = (entry: MempoolEntry): void => {
    for (const part of pool.withDescendants([entry.txid])) {
      if (gone.has(part) || replaced.has(part)) continue;
      gone.add(part);
      vsize -= part.vsize;
    }
  };
  // Entries stand in the order of their time.
  for (const entry of pool.entries()) {
    if (entry.time > now - EXPIRY_SECONDS) break;
    if (needed.has(entry)) rejectFee('mempool full', `${entry.txid} has expired`);
    take(entry);
  }
  if (vsize <= maxVsize) return { gone };
  let evictedRate = 0n;
  for (const { entry, offer } of worstFirst(pool, new Set([...needed, ...gone, ...replaced]))) {
    if (gone.has(entry)) continue;
    if (compareRates(fresh, offer) <= 0n) break;
    take(entry);
    if (rateOf(offer) > evictedRate) evictedRate = rateOf(offer);
    if (vsize <= maxVsize - maxVsize / SLACK) break;
  }
  if (vsize > maxVsize) rejectFee('mempool full', `${vsize} > ${maxVsize} virtual bytes`);
  return { gone, evictedRate };
}

const HALF_LIFE_SECONDS = 12 * 60 * 60;

/** The rate that newcomers have to beat after others had to go for theirs; it falls once blocks make room again. */
export class MempoolFloor {
  readonly #step: SatsPerKvb;
  #rate = 0n;
  /** Unix seconds of the first block after the last eviction. */
  #fallsSince: number | undefined;

  /** `step` is how much more than the evicted a newcomer has to pay. */
  constructor(step: SatsPerKvb) {
    this.#step = step;
  }

  raise(evictedRate: bigint): void {
    if (evictedRate + this.#step > this.#rate) this.#rate = evictedRate + this.#step;
    this.#fallsSince = undefined;
  }

  blockConnected(now: number): void {
    this.#fallsSince ??= now;
  }

  /** Halves in twelve hours; `fullness`, from 0 to 1, makes it two or four times as fast below a half or a quarter. */
  rateAt(now: number, fullness: number): SatsPerKvb {
    const haste = fullness < 0.25 ? 4 : fullness < 0.5 ? 2 : 1;
    const elapsed = Math.max(0, now - (this.#fallsSince ?? now));
    const rate = this.#rate >> BigInt(Math.floor((elapsed * haste) / HALF_LIFE_SECONDS));
    return (rate < this.#step / 2n ? 0n : rate) as SatsPerKvb;
  }
}

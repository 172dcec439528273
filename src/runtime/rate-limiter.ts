/** Token buckets: each peer has a budget for each kind of request, which refills with time. */
import type { Clock } from './clock.ts';
import { overLimit } from './over-limit.ts';
import type { Peer } from './peer.ts';

export interface Budget {
  readonly perSecond: number;
  /** What may be used at once after a pause. */
  readonly burst: number;
}

export interface RateLimiter<Kind extends string> {
  /** Throws `RATE_LIMITED` when the peer has used its budget up. */
  spend(peer: Peer, kind: Kind): void;
}

interface Bucket {
  tokens: number;
  at: number;
}

/** Peers that are remembered; the one that was heard of first is forgotten first, and begins anew. */
const MOST_BUCKETS = 100_000;

export function createRateLimiter<Kind extends string>(
  clock: Pick<Clock, 'now'>,
  budgets: Readonly<Record<Kind, Budget>>,
): RateLimiter<Kind> {
  const buckets = new Map<string, Bucket>();

  function bucketOf(key: string, { perSecond, burst }: Budget): Bucket {
    const now = clock.now();
    let bucket = buckets.get(key);
    if (!bucket) {
      bucket = { tokens: burst, at: now };
      buckets.set(key, bucket);
      if (buckets.size > MOST_BUCKETS) buckets.delete(buckets.keys().next().value!);
    }
    const passed = Math.max(0, now - bucket.at) / 1000;
    bucket.tokens = Math.min(burst, bucket.tokens + passed * perSecond);
    bucket.at = now;
    return bucket;
  }

  return {
    spend(peer, kind) {
      if (peer === undefined) return;
      const budget = budgets[kind];
      const bucket = bucketOf(`${kind} ${peer}`, budget);
      if (bucket.tokens < 1) {
        throw overLimit('RATE_LIMITED', 'too many requests from this address', (1 - bucket.tokens) / budget.perSecond);
      }
      bucket.tokens--;
    },
  };
}

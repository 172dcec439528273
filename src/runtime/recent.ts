/** Remembers answers for a moment, and no more of them than a given weight. */
import type { Clock } from './clock.ts';

export interface RecentOptions<V> {
  readonly clock: Pick<Clock, 'now'>;
  readonly ageMs: number;
  readonly mostWeight: number;
  readonly weigh: (value: V) => number;
}

export interface Recent<K, V> {
  get(key: K): V | undefined;
  /** Forgets the oldest to make room; what weighs too much by itself is not remembered. */
  set(key: K, value: V): void;
}

export function createRecent<K, V>({ clock, ageMs, mostWeight, weigh }: RecentOptions<V>): Recent<K, V> {
  const entries = new Map<K, { readonly value: V; readonly weight: number; readonly until: number }>();
  let total = 0;

  function forget(key: K): void {
    total -= entries.get(key)?.weight ?? 0;
    entries.delete(key);
  }

  return {
    get(key) {
      const entry = entries.get(key);
      if (entry && entry.until <= clock.now()) forget(key);
      return entries.get(key)?.value;
    },
    set(key, value) {
      forget(key);
      const weight = weigh(value);
      if (weight > mostWeight) return;
      total += weight;
      entries.set(key, { value, weight, until: clock.now() + ageMs });
      for (const [oldest, { until }] of entries) {
        if (total <= mostWeight && until > clock.now()) break;
        forget(oldest);
      }
    },
  };
}

/** Asks anew once the last answer is older than `ageMs`; a failure is not remembered. */
export function remembered<R>(ageMs: number, now: () => number, ask: () => Promise<R>): () => Promise<R> {
  let last: { readonly at: number; readonly answer: Promise<R> } | undefined;
  return () => {
    if (last && now() - last.at < ageMs) return last.answer;
    const asked = { at: now(), answer: ask() };
    last = asked;
    asked.answer.catch(() => {
      if (last === asked) last = undefined;
    });
    return asked.answer;
  };
}

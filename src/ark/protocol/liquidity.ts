/**
 * What the server's own coins will have to carry: VTXOs are renewed before they expire, which takes fresh coins at once,
 * while the batches they leave give theirs back only when they expire themselves.
 */
import { sumSats } from '../../base/units.ts';

export const SECONDS_PER_DAY = 86_400;

/** Satoshi and when something happens to them, in seconds from now; below 0 it is overdue. */
export interface Dated {
  readonly inSeconds: number;
  readonly amount: bigint;
}

export interface LiquidityFacts {
  /** Satoshi that the wallet can spend now. */
  readonly available: bigint;
  /** VTXOs that their owners can spend, by when they expire. */
  readonly live: readonly Dated[];
  /** What batches hold, by when the server may sweep it. */
  readonly locked: readonly Dated[];
  /** Owed without anything in return: recoverable VTXOs and notes. */
  readonly claimable: bigint;
}

export interface LiquidityDay {
  /** Days from now; 0 is the next 24 hours. */
  readonly day: number;
  /** Satoshi of VTXOs that expire. */
  readonly expiring: bigint;
  /** Satoshi that batches give back, at the end of the day if it goes badly. */
  readonly returning: bigint;
  /** Satoshi that renewals take. */
  readonly renewing: bigint;
  /** The least that the wallet has left on this day if everybody renews and claims; below 0 there is a gap. */
  readonly balance: bigint;
}

const dayOf = ({ inSeconds }: Dated): number => Math.max(0, Math.floor(inSeconds / SECONDS_PER_DAY));

/** The next `days` days, if everybody renews `leadDays` before expiry and claims what is claimable today. */
export function forecast(facts: LiquidityFacts, days: number, leadDays: number): LiquidityDay[] {
  const on = (list: readonly Dated[], day: number, lead = 0): bigint =>
    sumSats(list.filter((dated) => Math.max(0, dayOf(dated) - lead) === day).map(({ amount }) => amount));
  let balance = facts.available - facts.claimable;
  return Array.from({ length: days }, (_, day) => {
    const [returning, renewing] = [on(facts.locked, day), on(facts.live, day, leadDays)];
    balance -= renewing;
    const lowest = { day, expiring: on(facts.live, day), returning, renewing, balance };
    balance += returning;
    return lowest;
  });
}

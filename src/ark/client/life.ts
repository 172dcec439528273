/**
 * How long a VTXO lasts: until its batch expires the server cannot touch it, from then on it can. Who wants out alone
 * has to begin early enough to be done by then, and does well to renew earlier still.
 */
import type { RelativeTimelock } from '../../bitcoin/timelock.ts';
import type { Placed, SourceTip } from './chain-source.ts';

export interface Margins {
  /** Blocks that each transaction of an exit may take. */
  readonly blocksPerTransaction: number;
  /** Share of a batch's life, before the last moment to exit, in which a VTXO wants to be renewed. */
  readonly renewalShare: number;
}

export const MARGINS: Margins = { blocksPerTransaction: 2, renewalShare: 0.25 };

const SECONDS_PER_BLOCK = 600;

/** Heights where `unit` is blocks, unix seconds where it is seconds. */
export interface Life {
  readonly unit: 'blocks' | 'seconds';
  /** The server may sweep from here on. */
  readonly expiresAt: number;
  /** An exit has to begin here at the latest, or the server may cut it off. */
  readonly latestStart: number;
  readonly renewFrom: number;
  /** What the chain says it is now. */
  readonly now: number;
}

export interface LifeFacts {
  readonly expiry: RelativeTimelock;
  /** Of the commitment transaction; absent while it is unconfirmed. */
  readonly confirmation: Placed | undefined;
  readonly tip: SourceTip;
  /** Transactions, one after the other, that an exit still has to bring into blocks. */
  readonly depth: number;
  readonly exitDelay: RelativeTimelock;
}

const secondsOf = ({ type, value }: RelativeTimelock): number =>
  type === 'seconds' ? value : value * SECONDS_PER_BLOCK;

export function lifeOf({ expiry, confirmation, tip, depth, exitDelay }: LifeFacts, margins: Margins = MARGINS): Life {
  const unit = expiry.type;
  const inUnit = (seconds: number): number => (unit === 'seconds' ? seconds : Math.ceil(seconds / SECONDS_PER_BLOCK));
  const now = unit === 'blocks' ? tip.height : tip.medianTime;
  // An unconfirmed commitment is in the next block at the earliest.
  const began = unit === 'blocks' ? (confirmation?.height ?? tip.height + 1) : (confirmation?.blockTime ?? now);
  const expiresAt = began + expiry.value;
  const unrolling = inUnit(depth * margins.blocksPerTransaction * SECONDS_PER_BLOCK);
  const latestStart = expiresAt - unrolling - inUnit(secondsOf(exitDelay));
  return { unit, expiresAt, latestStart, renewFrom: latestStart - Math.ceil(expiry.value * margins.renewalShare), now };
}

/** The life that ends first, where a VTXO hangs on several batches. */
export const shortest = (lives: readonly Life[]): Life | undefined =>
  [...lives].sort((a, b) => secondsLeft(a) - secondsLeft(b))[0];

const secondsLeft = ({ unit, latestStart, now }: Life): number =>
  (latestStart - now) * (unit === 'blocks' ? SECONDS_PER_BLOCK : 1);

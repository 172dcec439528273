/** Windows of time that come round again, in which batches run on terms of their own. */
import { type UnixSeconds, unixSeconds } from '../../base/units.ts';
import type { ArkSettings, IntentFeePrograms } from './settings.ts';

export interface ScheduledSession {
  /** The first window; the others follow it `period` seconds apart. */
  readonly start: UnixSeconds;
  readonly end: UnixSeconds;
  readonly period: number;
  /** What differs within a window; `undefined` leaves the usual term. */
  readonly sessionDuration: number | undefined;
  readonly minParticipants: number | undefined;
  readonly maxParticipants: number | undefined;
  readonly intentFee: IntentFeePrograms | undefined;
}

export interface Window {
  readonly start: UnixSeconds;
  /** The first second that is outside again. */
  readonly end: UnixSeconds;
}

/** The window that is open at `now`, or else the next one. */
export function nextWindow({ start, end, period }: ScheduledSession, now: UnixSeconds): Window {
  const over = now < end ? 0 : Math.floor((now - end) / period) + 1;
  return { start: unixSeconds(start + over * period), end: unixSeconds(end + over * period) };
}

export const isOpen = (session: ScheduledSession, now: UnixSeconds): boolean => nextWindow(session, now).start <= now;

/** The settings within a window of `session`. */
export function withSession(settings: ArkSettings, session: ScheduledSession): ArkSettings {
  return {
    ...settings,
    sessionDuration: session.sessionDuration ?? settings.sessionDuration,
    minParticipants: session.minParticipants ?? settings.minParticipants,
    maxParticipants: session.maxParticipants ?? settings.maxParticipants,
    intentFee: session.intentFee ?? settings.intentFee,
  };
}

/** Why these windows make no sense; `undefined` when they do. */
export function troubleWithSession({ start, end, period }: ScheduledSession): string | undefined {
  if (start >= end) return 'the first window must start before it ends';
  if (period < end - start) return `windows of ${end - start} seconds need a period of at least as much`;
  return undefined;
}

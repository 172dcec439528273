/** Options that several commands of `canalworks ark` have. */
import { systemClock } from '../../runtime/clock.ts';
import type { Setting } from '../../runtime/config.ts';
import { parseDuration, parseMoment } from '../moment.ts';

const now = (): number => Math.floor(systemClock.now() / 1000);

/** Unix seconds. */
export const moment = (help: string): Setting<number | undefined> => ({
  parse: (text) => parseMoment(text, now()),
  fallback: undefined,
  placeholder: 'WHEN',
  help,
});

/** Seconds. */
export const duration = (help: string): Setting<number | undefined> => ({
  parse: parseDuration,
  fallback: undefined,
  placeholder: 'TIME',
  help,
});

export const text = (placeholder: string, help: string): Setting<string | undefined> => ({
  parse: (given) => given,
  fallback: undefined,
  placeholder,
  help,
});

export const count = (help: string, parse: (text: string) => number): Setting<number | undefined> => ({
  parse,
  fallback: undefined,
  placeholder: 'N',
  help,
});

export const choice = (help: string): Setting<boolean> => ({
  parse: (given) => given === 'true',
  fallback: false,
  help,
});

/** Both bounds of a time. */
export const TIMES = {
  after: moment('not before: a date, unix seconds, or like -7d'),
  before: moment('not after: a date, unix seconds, or like +12h'),
};

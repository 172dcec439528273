/** Moments and lengths of time as people type them. */

const UNITS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** Seconds of `90`, `90s`, `15m`, `2h` or `7d`. Throws `RangeError`. */
export function parseDuration(text: string): number {
  const match = /^([0-9]{1,10})([smhd]?)$/.exec(text);
  if (!match) throw new RangeError('must be seconds, or like 15m, 2h, 7d');
  return Number(match[1]) * (match[2] ? UNITS[match[2] as keyof typeof UNITS] : 1);
}

/**
 * Unix seconds of a date such as 2026-01-31 or 2026-01-31T12:00:00Z (UTC unless it says otherwise), of seconds as they
 * are, or of `+2h` and `-7d` from `now` on. Throws `RangeError`.
 */
export function parseMoment(text: string, now: number): number {
  if (/^[+-]/.test(text)) {
    const seconds = parseDuration(text.slice(1));
    return text.startsWith('+') ? now + seconds : Math.max(0, now - seconds);
  }
  if (/^[0-9]{1,12}$/.test(text)) return Number(text);
  const ms = /^[0-9]{4}-[0-9]{2}-[0-9]{2}/.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  if (!(ms >= 0)) throw new RangeError('must be a date like 2026-01-31T12:00:00Z, unix seconds, or like +2h, -7d');
  return Math.floor(ms / 1000);
}

/** Quantities as branded types with checked constructors: a `Sats` is a fact, not a hope. */

/** Satoshi, 0 … 21e14. */
export type Sats = bigint & { readonly __brand: 'Sats' };
/** Block height, 0 … 2^31. */
export type Height = number & { readonly __brand: 'Height' };
/** Number of blocks (a duration). */
export type Blocks = number & { readonly __brand: 'Blocks' };
/** Seconds since 1970-01-01 UTC. */
export type UnixSeconds = number & { readonly __brand: 'UnixSeconds' };
/** Fee rate in satoshi per virtual byte; fractions allowed, since it is a rate and not money. */
export type FeeRate = number & { readonly __brand: 'FeeRate' };

/** Consensus: no amount above 21 million coins (`MAX_MONEY`). */
export const MAX_MONEY = 2_100_000_000_000_000n as Sats;
export const COIN = 100_000_000n as Sats;

/** Throws `RangeError` outside 0 … {@link MAX_MONEY}, `TypeError` for a fraction. */
export function sats(value: bigint | number): Sats {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new TypeError(`not whole satoshi: ${value}`);
  const amount = BigInt(value);
  if (amount < 0n || amount > MAX_MONEY) throw new RangeError(`amount out of range: ${amount}`);
  return amount as Sats;
}

/** Parses a decimal string of satoshi. Throws like {@link sats}. */
export function parseSats(text: string): Sats {
  if (!/^[0-9]{1,16}$/.test(text)) throw new TypeError(`not an amount in satoshi: ${text.slice(0, 40)}`);
  return sats(BigInt(text));
}

function wholeNumber(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${what} must be a whole number ≥ 0: ${value}`);
  return value;
}

export const height = (value: number): Height => wholeNumber(value, 'height') as Height;
export const blocks = (value: number): Blocks => wholeNumber(value, 'blocks') as Blocks;
export const unixSeconds = (value: number): UnixSeconds => wholeNumber(value, 'unix seconds') as UnixSeconds;

export function feeRate(value: number): FeeRate {
  if (!Number.isFinite(value) || value < 0) throw new RangeError(`fee rate must be ≥ 0 sat/vB: ${value}`);
  return value as FeeRate;
}

export const sumSats = (amounts: Iterable<bigint>): bigint => {
  let sum = 0n;
  for (const amount of amounts) sum += amount;
  return sum;
};

/** `1.50000000`: satoshi as a decimal of bitcoin, eight places. */
export const formatBtc = (amount: bigint): string => {
  const sign = amount < 0n ? '-' : '';
  const whole = amount < 0n ? -amount : amount;
  return `${sign}${whole / COIN}.${(whole % COIN).toString().padStart(8, '0')}`;
};

/** Parses a decimal of bitcoin with at most eight places. Throws `TypeError` or `RangeError`. */
export function parseBtc(text: string): Sats {
  const match = /^([0-9]{1,8})(?:\.([0-9]{1,8}))?$/.exec(text);
  if (!match) throw new TypeError(`not an amount in bitcoin: ${text.slice(0, 40)}`);
  return sats(BigInt(match[1]!) * COIN + BigInt((match[2] ?? '').padEnd(8, '0')));
}

import type { SqlValue } from './db.ts';

/** A value as every engine can take it: numbers are whole, and kept as `bigint`; text holds no NUL. Throws TypeError. */
export function toStored(value: SqlValue): Exclude<SqlValue, number> {
  if (typeof value === 'string' && value.includes('\0')) throw new TypeError('text holds a NUL');
  if (typeof value !== 'number') return value;
  if (!Number.isSafeInteger(value)) throw new TypeError(`not a whole number: ${value}`);
  return BigInt(value);
}

/** JSON with numbers as they are written, so that no amount ever passes through a float. */
import { formatBtc } from '../../../base/units.ts';

/** ECMAScript's raw JSON text and the source of what is parsed, which the library of types does not have yet. */
interface ExactJson {
  rawJSON(text: string): object;
  parse(text: string, revive: (key: string, value: unknown, context: { readonly source: string }) => unknown): unknown;
}
const exact = JSON as unknown as ExactJson;

/** A number in its own digits. */
export class JsonNumber {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  toJSON(): object {
    return exact.rawJSON(this.source);
  }
}

export type Json = null | boolean | string | JsonNumber | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export const isJsonObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof JsonNumber);

export const isJsonArray = (value: Json): value is readonly Json[] => Array.isArray(value);

/** Throws `SyntaxError`, or `RangeError` where the nesting is too deep to walk. */
export const parseJson = (text: string): Json =>
  exact.parse(text, (_, value, { source }) => (typeof value === 'number' ? new JsonNumber(source) : value)) as Json;

/** bitcoind's name of a value's kind. */
export function kindOf(value: Json): 'null' | 'bool' | 'string' | 'number' | 'array' | 'object' {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  if (value instanceof JsonNumber) return 'number';
  return isJsonArray(value) ? 'array' : 'object';
}

/** Satoshi as a JSON number of bitcoin with eight places. */
export const btcJson = (amount: bigint): JsonNumber => new JsonNumber(formatBtc(amount));

/** Whole satoshi as a JSON number. */
export const satsJson = (amount: bigint): JsonNumber => new JsonNumber(amount.toString());

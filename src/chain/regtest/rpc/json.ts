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

/** bitcoind's limit of values within values. */
const MAX_DEPTH = 512;

function isTooDeep(value: Json): boolean {
  let level: readonly Json[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return true;
    level = level.flatMap((part): readonly Json[] =>
      isJsonArray(part) || isJsonObject(part) ? Object.values(part) : [],
    );
  }
  return false;
}

/** Throws `SyntaxError`, or `RangeError` where values are nested too deep. */
export function parseJson(text: string): Json {
  const value = exact.parse(text, (_, part, { source }) =>
    typeof part === 'number' ? new JsonNumber(source) : part,
  ) as Json;
  if (isTooDeep(value)) throw new RangeError('nested too deep');
  return value;
}

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

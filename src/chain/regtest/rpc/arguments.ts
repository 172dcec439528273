/** The arguments of a call, brought into order and read with bitcoind's complaints. */
import { type Bytes, fromHex, isTxid, type Txid } from '../../../base/bytes.ts';
import { MAX_MONEY } from '../../../base/units.ts';
import { demand, RpcError } from './error.ts';
import { isJsonArray, isJsonObject, type Json, JsonNumber, type JsonObject, kindOf } from './json.ts';

export interface Parameter {
  /** The first is its proper name. */
  readonly names: readonly string[];
  readonly isRequired: boolean;
}

/** Beyond 32 bits bitcoind's integers end. */
const MAX_INT = 2 ** 31 - 1;
const DECIMALS = 8;

/** Satoshi of a decimal of bitcoin in JSON's spelling, exponents included; `undefined` when it has more places. */
function satoshiOf(text: string): bigint | undefined {
  const match = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,3}))?$/.exec(text);
  if (!match) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const digits = (whole + fraction).replace(/^0+(?=.)/, '');
  const shift = Number(exponent) - fraction.length + DECIMALS;
  const tail = shift < 0 ? digits.slice(shift) : '';
  if (/[1-9]/.test(tail)) return undefined;
  if (digits.length > 40 || shift > 40) return undefined;
  const scaled = shift < 0 ? digits.slice(0, shift) || '0' : digits + '0'.repeat(shift);
  return sign ? -BigInt(scaled) : BigInt(scaled);
}

/** Hex digits in pairs. Throws with the name of what they should have been. */
export function hexBytes(text: string, name: string): Bytes {
  try {
    return fromHex(text);
  } catch {
    throw new RpcError('invalidParameter', `${name} must be hexadecimal string (not '${text.slice(0, 100)}')`);
  }
}

function hashOf(text: string, name: string): Txid {
  demand(
    text.length === 64,
    'invalidParameter',
    `${name} must be of length 64 (not ${text.length}, for '${text.slice(0, 100)}')`,
  );
  const lower = text.toLowerCase();
  demand(isTxid(lower), 'invalidParameter', `${name} must be hexadecimal string (not '${text}')`);
  return lower;
}

/** Named arguments by position; `args` may hold the first ones as a list. */
function inOrder(named: JsonObject, parameters: readonly Parameter[]): readonly Json[] {
  const left = new Map(Object.entries(named));
  const first = left.get('args');
  if (first !== undefined && isJsonArray(first)) left.delete('args');
  const ordered: Json[] = first !== undefined && isJsonArray(first) ? [...first] : [];
  for (const [i, { names }] of parameters.entries()) {
    for (const name of names) {
      const value = left.get(name);
      if (value === undefined) continue;
      left.delete(name);
      demand(
        i >= ordered.length,
        'invalidParameter',
        `Parameter ${name} specified twice both as positional and named argument`,
      );
      while (ordered.length < i) ordered.push(null);
      ordered.push(value);
    }
  }
  const [unknown] = left.keys();
  demand(unknown === undefined, 'invalidParameter', `Unknown named parameter ${unknown}`);
  return ordered;
}

/** What a call was given. Every reader throws {@link RpcError}; null counts as absent. */
export class Arguments {
  readonly #parameters: readonly Parameter[];
  readonly #values: readonly Json[];

  constructor(parameters: readonly Parameter[], given: readonly Json[] | JsonObject, usage: string) {
    this.#parameters = parameters;
    this.#values = isJsonArray(given) ? given : inOrder(given, parameters);
    const required = parameters.filter(({ isRequired }) => isRequired).length;
    demand(this.#values.length >= required && this.#values.length <= parameters.length, 'misc', usage);
  }

  #at(name: string): { readonly value: Json; readonly position: number } {
    const position = this.#parameters.findIndex(({ names }) => names[0] === name);
    return { value: this.#values[position] ?? null, position };
  }

  #mismatch(name: string, expected: string): RpcError {
    const { value, position } = this.#at(name);
    const what = `JSON value of type ${kindOf(value)} is not of expected type ${expected}`;
    return new RpcError('type', `Wrong type passed:\n{\n    "Position ${position + 1} (${name})": "${what}"\n}`);
  }

  has(name: string): boolean {
    return this.#at(name).value !== null;
  }

  /** As it came. */
  raw(name: string): Json {
    return this.#at(name).value;
  }

  string(name: string): string {
    const { value } = this.#at(name);
    if (typeof value !== 'string') throw this.#mismatch(name, 'string');
    return value;
  }

  int(name: string, fallback?: number): number {
    const { value } = this.#at(name);
    if (value === null && fallback !== undefined) return fallback;
    if (!(value instanceof JsonNumber)) throw this.#mismatch(name, 'number');
    const number = /^-?[0-9]{1,10}$/.test(value.source) ? Number(value.source) : Number.NaN;
    demand(number >= -MAX_INT - 1 && number <= MAX_INT, 'misc', 'JSON integer out of range');
    return number;
  }

  bool(name: string, fallback: boolean): boolean {
    const { value } = this.#at(name);
    if (value === null) return fallback;
    if (typeof value !== 'boolean') throw this.#mismatch(name, 'bool');
    return value;
  }

  /** 0 … 3; older clients say it with a boolean. */
  verbosity(name: string, fallback: number): number {
    const { value } = this.#at(name);
    const isNumeric = value === null || typeof value === 'boolean' || value instanceof JsonNumber;
    demand(isNumeric, 'type', `JSON value of type ${kindOf(value)} is not of expected type number`);
    return typeof value === 'boolean' ? Number(value) : this.int(name, fallback);
  }

  array(name: string): readonly Json[] {
    const { value } = this.#at(name);
    if (!isJsonArray(value)) throw this.#mismatch(name, 'array');
    return value;
  }

  object(name: string): JsonObject {
    const { value } = this.#at(name);
    if (!isJsonObject(value)) throw this.#mismatch(name, 'object');
    return value;
  }

  /** 64 hex digits, in lower case. */
  hash(name: string): Txid {
    return hashOf(this.string(name), name);
  }

  /** Satoshi, from a number or a text. */
  amount(name: string, fallback?: bigint): bigint {
    const { value } = this.#at(name);
    if (value === null && fallback !== undefined) return fallback;
    const text = value instanceof JsonNumber ? value.source : value;
    demand(typeof text === 'string', 'type', 'Amount is not a number or string');
    const amount = satoshiOf(text);
    demand(amount !== undefined, 'type', 'Invalid amount');
    demand(amount >= 0n && amount <= MAX_MONEY, 'type', 'Amount out of range');
    return amount;
  }
}

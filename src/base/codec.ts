/** JSON that survives the disk: bigint as `{"$n":"…"}`, bytes as `{"$b":"hex"}`, wrapped with the version of its shape. */
import { fromHex, toHex } from './bytes.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

function encode(value: unknown): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') {
    return value;
  }
  if (typeof value === 'bigint') return { $n: value.toString() };
  if (value instanceof Uint8Array) return { $b: toHex(value) };
  if (Array.isArray(value)) return value.map(encode);
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    const out: { [key: string]: Json } = {};
    for (const [key, item] of Object.entries(value)) if (item !== undefined) out[key] = encode(item);
    return out;
  }
  throw new TypeError(`not plain data: ${typeof value}`);
}

function decode(value: Json): unknown {
  if (Array.isArray(value)) return value.map(decode);
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.$n === 'string') return BigInt(value.$n);
  if (typeof value.$b === 'string') return fromHex(value.$b);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decode(item)]));
}

/** Prints a plain value with its shape's version. Throws `TypeError` on a class, function or symbol. */
export const print = (version: number, value: unknown): string => JSON.stringify({ v: version, d: encode(value) });

/** Reads what {@link print} wrote. Throws when the version is another; migrate before you read. */
export function parse<T>(version: number, text: string): T {
  const outer = JSON.parse(text) as { v: number; d: Json };
  if (outer.v !== version) throw new TypeError(`stored shape has version ${outer.v}, this program reads ${version}`);
  return decode(outer.d) as T;
}

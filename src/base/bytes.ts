/** Bytes, their text forms, and the two identifiers that everything is keyed by: {@link Txid} and {@link Outpoint}. */
import { base64 as base64Coder, hex as hexCoder, utf8 as utf8Coder } from '@scure/base';

export type Bytes = Uint8Array;

/** Transaction id in display order (byte-reversed hash), 64 lower-case hex digits. */
export type Txid = string & { readonly __brand: 'Txid' };

/** One output of one transaction. */
export interface Outpoint {
  readonly txid: Txid;
  readonly vout: number;
}

/** `txid:vout`, the form outpoints take as keys and on the wire. */
export type OutpointKey = string & { readonly __brand: 'OutpointKey' };

export const toHex = (bytes: Bytes): string => hexCoder.encode(bytes);
export const toBase64 = (bytes: Bytes): string => base64Coder.encode(bytes);

/** Parses hex of either case. Throws `TypeError` on odd length or a foreign character. */
export function fromHex(text: string): Bytes {
  try {
    return hexCoder.decode(text);
  } catch {
    throw new TypeError('not a hex string');
  }
}

/** Parses standard padded base64. Throws `TypeError` when it is not. */
export function fromBase64(text: string): Bytes {
  try {
    return base64Coder.decode(text);
  } catch {
    throw new TypeError('not a base64 string');
  }
}

export const utf8 = (text: string): Bytes => utf8Coder.decode(text);

export const concat = (...parts: readonly Bytes[]): Bytes => join(parts);

/** {@link concat} of a list of any length: a call with too many arguments overflows the stack. */
export function join(parts: readonly Bytes[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

export function equal(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/** Lexicographic order, shorter first on a common prefix: negative, zero or positive. */
export function compare(a: Bytes, b: Bytes): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

export const reversed = (bytes: Bytes): Bytes => Uint8Array.from(bytes).reverse();

const TXID = /^[0-9a-f]{64}$/;

export const isTxid = (text: string): text is Txid => TXID.test(text);

/** Throws `TypeError` unless `text` is 64 hex digits. */
export function parseTxid(text: string): Txid {
  const lower = text.toLowerCase();
  if (!isTxid(lower)) throw new TypeError(`not a txid: ${text.slice(0, 80)}`);
  return lower;
}

export const outpointKey = (outpoint: Outpoint): OutpointKey => `${outpoint.txid}:${outpoint.vout}` as OutpointKey;

/** Parses `txid:vout`; vout is a canonical decimal below 2^32. Throws `TypeError` otherwise. */
export function parseOutpoint(text: string): Outpoint {
  const match = /^([0-9a-fA-F]{64}):(0|[1-9][0-9]{0,9})$/.exec(text);
  const vout = match ? Number(match[2]) : Number.NaN;
  if (!match || vout > 0xffffffff) throw new TypeError(`not an outpoint: ${text.slice(0, 90)}`);
  return { txid: parseTxid(match[1]!), vout };
}

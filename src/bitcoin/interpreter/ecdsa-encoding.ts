/** How ECDSA signatures and public keys may be written: the strict rules, and what consensus once took. */
import { type Bytes, compare, concat, fromHex } from '../../base/bytes.ts';
import { SIGHASH } from '../sighash.ts';
import { check } from './failure.ts';
import { requires, type SigVersion, type Spend } from './spend.ts';

const ORDER = fromHex('fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141');
const HALF_ORDER = fromHex('7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0');
const FIELD = (1n << 256n) - (1n << 32n) - 977n;
const SEQUENCE_TAG = 0x30;
const INTEGER_TAG = 0x02;

/** BIP66: exactly one DER form, with the sighash type as last byte. */
function isStrictDer(signature: Bytes): boolean {
  const size = signature.length;
  if (size < 9 || size > 73 || signature[0] !== SEQUENCE_TAG || signature[1] !== size - 3) return false;
  const rLength = signature[3]!;
  if (5 + rLength >= size) return false;
  const sLength = signature[5 + rLength]!;
  return rLength + sLength + 7 === size && isStrictInteger(signature, 2) && isStrictInteger(signature, 4 + rLength);
}

/** A positive integer without a zero byte that its sign does not need. */
function isStrictInteger(signature: Bytes, at: number): boolean {
  const [tag, length, first, second] = signature.subarray(at);
  if (tag !== INTEGER_TAG || length === 0 || (first! & 0x80) !== 0) return false;
  return length === 1 || first !== 0 || (second! & 0x80) !== 0;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where an integer's digits stand, however its length is written; `undefined` when they run over the end. */
function laxInteger(der: Bytes, from: number): Span | undefined {
  let at = from;
  if (der[at++] !== INTEGER_TAG || at >= der.length) return undefined;
  let length = der[at++]!;
  if (length & 0x80) {
    const end = at + (length & 0x7f);
    if (end > der.length) return undefined;
    while (at < end && der[at] === 0) at++;
    if (end - at >= 4) return undefined;
    length = 0;
    for (; at < end; at++) length = length * 256 + der[at]!;
  }
  return at + length > der.length ? undefined : { start: at, end: at + length };
}

/** 32 bytes below the group order, or `undefined`. */
function scalarOf(der: Bytes, { start, end }: Span): Bytes | undefined {
  let first = start;
  while (first < end && der[first] === 0) first++;
  if (end - first > 32) return undefined;
  const scalar = new Uint8Array(32);
  scalar.set(der.subarray(first, end), 32 - (end - first));
  return compare(scalar, ORDER) < 0 ? scalar : undefined;
}

/**
 * The compact form of whatever OpenSSL once took for DER: long lengths, padding and trailing bytes included.
 * `undefined` when even that fails; all zero, which verifies nothing, when a number is too large.
 */
export function parseLaxDer(der: Bytes): Bytes | undefined {
  if (der[0] !== SEQUENCE_TAG || der.length < 2) return undefined;
  const lengthBytes = der[1]! & 0x80 ? der[1]! & 0x7f : 0;
  if (2 + lengthBytes > der.length) return undefined;
  const rSpan = laxInteger(der, 2 + lengthBytes);
  const sSpan = rSpan && laxInteger(der, rSpan.end);
  if (!rSpan || !sSpan) return undefined;
  const r = scalarOf(der, rSpan);
  const s = scalarOf(der, sSpan);
  return r && s ? concat(r, s) : new Uint8Array(64);
}

function isLowS(signature: Bytes): boolean {
  const compact = parseLaxDer(signature.subarray(0, -1));
  return compact !== undefined && compare(compact.subarray(32), HALF_ORDER) <= 0;
}

function isDefinedSighash(signature: Bytes): boolean {
  const type = signature.at(-1)! & ~SIGHASH.ANYONECANPAY;
  return type >= SIGHASH.ALL && type <= SIGHASH.SINGLE;
}

/** BIP66, with a sighash type that is defined: what looks like this is taken for a signature. */
export const isStrictSignature = (data: Bytes): boolean => isStrictDer(data) && isDefinedSighash(data);

/** BIP66, BIP62: is the signature written as the flags ask? An empty one always is; it verifies nothing. */
export function checkSignatureEncoding(spend: Spend, signature: Bytes): void {
  if (signature.length === 0) return;
  const strict = requires(spend, 'DERSIG') || requires(spend, 'LOW_S') || requires(spend, 'STRICTENC');
  check(!strict || isStrictDer(signature), 'SIG_DER');
  check(!requires(spend, 'LOW_S') || isLowS(signature), 'SIG_HIGH_S');
  check(!requires(spend, 'STRICTENC') || isDefinedSighash(signature), 'SIG_HASHTYPE');
}

const isCompressed = (key: Bytes): boolean => key.length === 33 && (key[0] === 2 || key[0] === 3);
const isUncompressed = (key: Bytes): boolean => key.length === 65 && key[0] === 4;

/** BIP143: version 0 programs take compressed keys only, as policy. */
export function checkKeyEncoding(spend: Spend, key: Bytes, version: SigVersion): void {
  check(!requires(spend, 'STRICTENC') || isCompressed(key) || isUncompressed(key), 'PUBKEYTYPE');
  const compressedOnly = version === 'witnessV0' && requires(spend, 'WITNESS_PUBKEYTYPE');
  check(!compressedOnly || isCompressed(key), 'WITNESS_PUBKEYTYPE');
}

const toNumber = (bytes: Bytes): bigint => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

/**
 * The compressed form of a key in any form that consensus takes: compressed, uncompressed, or hybrid, which is
 * uncompressed with the parity of y told twice. `undefined` for anything else and for points off the curve.
 */
export function compressedKey(key: Bytes): Bytes | undefined {
  if (isCompressed(key)) return key;
  const prefix = key[0];
  if (key.length !== 65 || (prefix !== 4 && prefix !== 6 && prefix !== 7)) return undefined;
  const parity = key[64]! & 1;
  if (prefix !== 4 && (prefix & 1) !== parity) return undefined;
  const x = toNumber(key.subarray(1, 33));
  const y = toNumber(key.subarray(33));
  if (x >= FIELD || y >= FIELD || (y * y - x * x * x - 7n) % FIELD !== 0n) return undefined;
  return concat(Uint8Array.of(2 | parity), key.subarray(1, 33));
}

/** Targets, the work behind a header, and the search for a nonce. */
import { type BlockHeader, blockHash } from './block.ts';

/** Regtest's easiest target, which is the one it always has. */
export const REGTEST_BITS = 0x207fffff;

const MAX_TARGET = (1n << 256n) - 1n;
const SIGN_BIT = 0x800000;

/** The target that `bits` stands for; `undefined` when it is zero, negative or beyond 256 bits. */
export function targetOf(bits: number): bigint | undefined {
  const exponent = bits >>> 24;
  const mantissa = BigInt(bits & 0x7fffff);
  const target = exponent <= 3 ? mantissa >> BigInt(8 * (3 - exponent)) : mantissa << BigInt(8 * (exponent - 3));
  const isNegative = (bits & SIGN_BIT) !== 0;
  return target === 0n || isNegative || target > MAX_TARGET ? undefined : target;
}

/** Compact form of a target, rounded down to its 23 bits of precision. */
export function compactTarget(target: bigint): number {
  let exponent = Math.ceil(target.toString(16).length / 2);
  let mantissa = Number(exponent <= 3 ? target << BigInt(8 * (3 - exponent)) : target >> BigInt(8 * (exponent - 3)));
  // The top bit of the mantissa is its sign.
  if (mantissa & SIGN_BIT) {
    mantissa >>= 8;
    exponent++;
  }
  return exponent * 0x1000000 + mantissa;
}

/** Hashes expected to find a header below the target of `bits`: what the best chain has most of. 0 for a bad target. */
export function workOf(bits: number): bigint {
  const target = targetOf(bits);
  return target === undefined ? 0n : (MAX_TARGET + 1n) / (target + 1n);
}

/** True when the header's hash meets the target it claims, and that target is no easier than `limit` (compact). */
export function hasProofOfWork(header: BlockHeader, limit: number = REGTEST_BITS): boolean {
  const target = targetOf(header.bits);
  const easiest = targetOf(limit);
  return (
    target !== undefined && easiest !== undefined && target <= easiest && BigInt(`0x${blockHash(header)}`) <= target
  );
}

/**
 * The header with the first nonce from its own on, among at most `attempts`, that meets its target; `undefined` when
 * there is none. On regtest every other nonce does.
 */
export function mine(header: BlockHeader, attempts = 0x100000000): BlockHeader | undefined {
  const target = targetOf(header.bits);
  if (target === undefined) return undefined;
  const end = Math.min(header.nonce + attempts, 0x100000000);
  for (let nonce = header.nonce; nonce < end; nonce++) {
    const mined = { ...header, nonce };
    if (BigInt(`0x${blockHash(mined)}`) <= target) return mined;
  }
  return undefined;
}

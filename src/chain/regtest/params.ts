/** What regtest fixes: the genesis block, the target that never moves, and how coins come into being. */
import { fromHex } from '../../base/bytes.ts';
import { COIN, type Sats, sats } from '../../base/units.ts';

/** BIP34, 65, 66, 68, 112, 113 and segwit hold from the first block on, so versions below BIP65's are too old. */
export const MIN_BLOCK_VERSION = 4;
/** BIP9's top bits with nothing signalled. */
export const BLOCK_VERSION = 0x20000000;
export const COINBASE_MATURITY = 100;
/** Blocks between two halvings of the subsidy. */
export const HALVING_INTERVAL = 150;
/** A block may be this many seconds ahead of the clock. */
export const MAX_FUTURE_SECONDS = 2 * 60 * 60;
/** BIP113: the median is taken over this many blocks. */
export const MEDIAN_SPAN = 11;

/** The first block as every regtest node has it, serialized. */
export const GENESIS = fromHex(
  '0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a5132' +
    '3a9fb8aa4b1e5e4adae5494dffff7f20020000000101000000010000000000000000000000000000000000000000000000000000000000000000' +
    'ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f6620' +
    '7365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6' +
    'a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000',
);

/** New coins that the block at `height` may create. */
export function subsidyAt(height: number): Sats {
  const halvings = Math.floor(height / HALVING_INTERVAL);
  return halvings >= 64 ? sats(0n) : sats((50n * COIN) >> BigInt(halvings));
}

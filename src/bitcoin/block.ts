/** Blocks as plain data: their serialization, hash and weight. */
import { type Bytes, concat, fromHex, join, reversed, toHex } from '../base/bytes.ts';
import { sha256d } from '../crypto/hash.ts';
import { compactSize, i32le, Reader, u32le } from './reader.ts';
import { readTx, serializeTx, type Tx } from './tx.ts';

/** Hash of a block header in display order (byte-reversed), 64 lower-case hex digits. */
export type BlockHash = string & { readonly __brand: 'BlockHash' };

export interface BlockHeader {
  readonly version: number;
  readonly previous: BlockHash;
  /** Root over the txids, 32 bytes in internal order. */
  readonly merkleRoot: Bytes;
  /** Unix seconds, as the miner claims. */
  readonly time: number;
  /** The target in compact form. */
  readonly bits: number;
  readonly nonce: number;
}

export interface Block {
  readonly header: BlockHeader;
  readonly txs: readonly Tx[];
}

/** What the first block has before it. */
export const NULL_BLOCK_HASH = '0'.repeat(64) as BlockHash;

/** Consensus: BIP141 weight units of a block. */
export const MAX_BLOCK_WEIGHT = 4_000_000;
/** Consensus: signature operations of a block, each counted four times where no witness holds it (BIP141). */
export const MAX_BLOCK_SIGOP_COST = 80_000;

/** 80 bytes. */
export const serializeHeader = (header: BlockHeader): Bytes =>
  concat(
    i32le(header.version),
    reversed(fromHex(header.previous)),
    header.merkleRoot,
    u32le(header.time),
    u32le(header.bits),
    u32le(header.nonce),
  );

const hashFromBytes = (bytes: Bytes): BlockHash => toHex(reversed(bytes)) as BlockHash;

const readHeader = (reader: Reader): BlockHeader => ({
  version: reader.i32(),
  previous: hashFromBytes(reader.bytes(32)),
  merkleRoot: reader.bytes(32),
  time: reader.u32(),
  bits: reader.u32(),
  nonce: reader.u32(),
});

/** Parses one header, hex or bytes. Throws `DecodeError` or `TypeError`. */
export function parseHeader(raw: Bytes | string): BlockHeader {
  const reader = new Reader(typeof raw === 'string' ? fromHex(raw) : raw);
  const header = readHeader(reader);
  reader.end();
  return header;
}

const blockOf = (block: Block, form: 'full' | 'stripped'): Bytes =>
  join([serializeHeader(block.header), compactSize(block.txs.length), ...block.txs.map((tx) => serializeTx(tx, form))]);

export const serializeBlock = (block: Block): Bytes => blockOf(block, 'full');

/** Parses one whole block, hex or bytes. Throws `DecodeError` or `TypeError`. */
export function parseBlock(raw: Bytes | string): Block {
  const reader = new Reader(typeof raw === 'string' ? fromHex(raw) : raw);
  const header = readHeader(reader);
  const txs: Tx[] = [];
  for (let count = reader.compactSize(); count > 0; count--) txs.push(readTx(reader));
  reader.end();
  return { header, txs };
}

const hashes = new WeakMap<BlockHeader, BlockHash>();

/** Headers are immutable data, so the hash is computed once per object. */
export function blockHash(header: BlockHeader): BlockHash {
  let hash = hashes.get(header);
  if (!hash) {
    hash = hashFromBytes(sha256d(serializeHeader(header)));
    hashes.set(header, hash);
  }
  return hash;
}

/** BIP141 weight units. */
export const blockWeight = (block: Block): number =>
  blockOf(block, 'stripped').length * 3 + serializeBlock(block).length;

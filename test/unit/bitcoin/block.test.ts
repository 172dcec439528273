import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toHex } from '../../../src/base/bytes.ts';
import {
  type Block,
  type BlockHash,
  type BlockHeader,
  blockHash,
  blockWeight,
  NULL_BLOCK_HASH,
  parseBlock,
  parseHeader,
  serializeBlock,
  serializeHeader,
} from '../../../src/bitcoin/block.ts';
import { txMerkleRoot } from '../../../src/bitcoin/merkle.ts';
import { DecodeError } from '../../../src/bitcoin/reader.ts';
import { isCoinbase, txidOf, weightOf } from '../../../src/bitcoin/tx.ts';
import { tx as anyTx, bytes, bytesOf, mangled, txid } from '../../support/arbitrary.ts';

/** The first block of every regtest chain. */
const GENESIS =
  '0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a5132' +
  '3a9fb8aa4b1e5e4adae5494dffff7f20020000000101000000010000000000000000000000000000000000000000000000000000000000000000' +
  'ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f6620' +
  '7365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6' +
  'a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000';

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const anyHeader: fc.Arbitrary<BlockHeader> = fc.record(
  {
    version: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    previous: txid.map((hash) => hash as string as BlockHash),
    merkleRoot: bytesOf(32),
    time: u32,
    bits: u32,
    nonce: u32,
  },
  { noNullPrototype: true },
);
const anyBlock: fc.Arbitrary<Block> = fc.record(
  { header: anyHeader, txs: fc.array(anyTx, { maxLength: 3 }) },
  { noNullPrototype: true },
);

test("regtest's first block", () => {
  const block = parseBlock(GENESIS);
  assert.equal(blockHash(block.header), '0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206');
  assert.equal(block.header.previous, NULL_BLOCK_HASH);
  assert.equal(block.header.time, 1296688602);
  assert.equal(block.txs.length, 1);
  assert.ok(isCoinbase(block.txs[0]!));
  assert.equal(txidOf(block.txs[0]!), '4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b');
  assert.deepEqual(txMerkleRoot(block.txs).root, block.header.merkleRoot);
  assert.equal(toHex(serializeBlock(block)), GENESIS);
  assert.equal(toHex(serializeHeader(block.header)), GENESIS.slice(0, 160));
  assert.equal(blockWeight(block), (GENESIS.length / 2) * 4);
});

test('headers and blocks survive their serialization', () => {
  fc.assert(fc.property(anyHeader, (header) => assert.deepEqual(parseHeader(serializeHeader(header)), header)));
  fc.assert(fc.property(anyBlock, (block) => assert.deepEqual(parseBlock(serializeBlock(block)), block)));
});

test('bytes that are no block are refused', () => {
  assert.throws(() => parseHeader(GENESIS.slice(0, 158)), DecodeError);
  assert.throws(() => parseHeader(GENESIS.slice(0, 162)), DecodeError);
  assert.throws(() => parseBlock(`${GENESIS}00`), DecodeError);
  const sometimesSound = fc.oneof(mangled(anyBlock.map(serializeBlock)), bytes(200));
  fc.assert(
    fc.property(sometimesSound, (raw) => {
      let block: Block;
      try {
        block = parseBlock(raw);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
        return;
      }
      assert.deepEqual(serializeBlock(block), raw);
    }),
    { numRuns: 500 },
  );
});

test('BIP141: the weight of a block is that of its parts', () => {
  fc.assert(
    fc.property(anyBlock, (block) => {
      const parts = block.txs.reduce((sum, tx) => sum + weightOf(tx), 0);
      assert.equal(blockWeight(block), (80 + 1) * 4 + parts);
    }),
  );
});

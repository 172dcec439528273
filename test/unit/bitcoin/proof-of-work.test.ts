import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BlockHeader, blockHash, NULL_BLOCK_HASH } from '../../../src/bitcoin/block.ts';
import {
  compactTarget,
  hasProofOfWork,
  mine,
  REGTEST_BITS,
  targetOf,
  workOf,
} from '../../../src/bitcoin/proof-of-work.ts';

const header = (fields: Partial<BlockHeader> = {}): BlockHeader => ({
  version: 0x20000000,
  previous: NULL_BLOCK_HASH,
  merkleRoot: new Uint8Array(32),
  time: 1_700_000_000,
  bits: REGTEST_BITS,
  nonce: 0,
  ...fields,
});

test('compact targets are read as Bitcoin Core reads them', () => {
  const read: readonly [number, bigint | undefined][] = [
    [0x00000000, undefined],
    [0x00123456, undefined],
    [0x01003456, undefined],
    [0x01123456, 0x12n],
    [0x02008000, 0x80n],
    [0x02123456, 0x1234n],
    [0x03123456, 0x123456n],
    [0x04123456, 0x12345600n],
    [0x04923456, undefined],
    [0x01fedcba, undefined],
    [0x05009234, 0x92340000n],
    [0x20123456, 0x123456n << 232n],
    [0x1d00ffff, 0xffffn << 208n],
    [REGTEST_BITS, 0x7fffffn << 232n],
    [0x21010000, undefined],
    [0x2100ffff, 0xffffn << 240n],
    [0x220000ff, 0xffn << 248n],
    [0x22000100, undefined],
    [0xff123456, undefined],
  ];
  for (const [bits, target] of read) assert.equal(targetOf(bits), target, bits.toString(16));
});

test('compact targets are written so that they read the same', () => {
  assert.equal(compactTarget(0x80n), 0x02008000);
  assert.equal(compactTarget(0x7fffffn << 232n), REGTEST_BITS);
  const target = fc.bigInt({ min: 1n, max: 2n ** 256n - 1n });
  fc.assert(
    fc.property(target, fc.nat(255), (value, shift) => {
      const bits = compactTarget(value >> BigInt(shift) || 1n);
      const precise = targetOf(bits);
      assert.ok(precise !== undefined);
      assert.equal(compactTarget(precise), bits);
      assert.ok(precise <= (value >> BigInt(shift) || 1n));
    }),
  );
});

test('a header is mined by trying nonces from its own on', () => {
  const mined = mine(header())!;
  assert.ok(hasProofOfWork(mined));
  assert.ok(BigInt(`0x${blockHash(mined)}`) <= targetOf(REGTEST_BITS)!);
  assert.equal(mine(mined)!.nonce, mined.nonce);
  const next = mine({ ...mined, nonce: mined.nonce + 1 })!;
  assert.ok(next.nonce > mined.nonce);
  const misses = Array.from({ length: mined.nonce }, (_, nonce) => hasProofOfWork(header({ nonce })));
  assert.ok(misses.every((hit) => !hit));
});

test('the search ends where it shall, and where nonces do', () => {
  const hard = header({ bits: 0x1d00ffff });
  assert.equal(mine(hard, 100), undefined);
  assert.equal(mine(header({ bits: 0x1d00ffff, nonce: 0xffffffff })), undefined);
  assert.equal(mine(header({ bits: 0 })), undefined);
});

test('proof of work is against the target claimed, which may not be easier than the limit', () => {
  const easy = mine(header())!;
  assert.ok(!hasProofOfWork(easy, 0x1d00ffff));
  const missed = [...Array(50).keys()].map((nonce) => header({ nonce })).find((tried) => !hasProofOfWork(tried))!;
  assert.ok(BigInt(`0x${blockHash(missed)}`) > targetOf(REGTEST_BITS)!);
  assert.ok(!hasProofOfWork({ ...easy, bits: 0x1d00ffff }));
});

test('work is how many hashes a target costs', () => {
  assert.equal(workOf(REGTEST_BITS), 2n);
  assert.equal(workOf(0x1d00ffff), 0x100010001n);
  assert.equal(workOf(0), 0n);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockHash } from '../../../../../src/bitcoin/block.ts';
import { BlockIndex } from '../../../../../src/chain/regtest/rpc/block-index.ts';
import { testChain } from '../../../../support/regtest.ts';

const DEPTH = 3_000;

const fresh = async () => {
  const { chain } = testChain();
  return { chain, node: chain.node, index: new BlockIndex(chain.node) };
};
const tipHash = async (chain: Awaited<ReturnType<typeof fresh>>['chain']): Promise<BlockHash> =>
  (await chain.tip()).hash as BlockHash;

test('an invalidated block stays off, whatever is mined, until it is reconsidered', async () => {
  const { chain, node, index } = await fresh();
  const [first] = await chain.mine(3);
  const before = await tipHash(chain);
  index.invalidate(index.find(first!)!);
  assert.equal((await chain.tip()).height, 110);
  assert.ok(index.isInvalid(before));
  assert.equal(index.confirmations(index.find(before)!), -1);
  assert.equal(index.find(before)!.height, 113);

  await chain.mine(1);
  assert.deepEqual(
    index.tips().map(({ height, status, branchLength }) => [height, status, branchLength]),
    [
      [113, 'invalid', 3],
      [111, 'active', 0],
    ],
  );
  index.reconsider(before);
  assert.equal(await tipHash(chain), before);
  assert.ok(!index.isInvalid(before));
  assert.deepEqual(
    index.tips().map(({ height, status }) => [height, status]),
    [
      [113, 'active'],
      [111, 'valid-fork'],
    ],
  );
  assert.equal(node.branches.size, 1);
});

test('reconsidering a block in the middle brings back what it stands on and what stands on it', async () => {
  const { chain, index } = await fresh();
  const hashes = await chain.mine(5);
  index.invalidate(index.find(hashes[3]!)!);
  index.invalidate(index.find(hashes[0]!)!);
  index.reconsider(hashes[1]!);
  assert.equal(await tipHash(chain), hashes[4]);
});

test('a branch that is shorter than the active chain is kept, and median times and heights are right on it', async () => {
  const { chain, index } = await fresh();
  const old = await chain.mine(12);
  const expected = old.map((hash) => index.find(hash)!);
  index.invalidate(expected[0]!);
  const fresher = await chain.mine(20);
  index.reconsider(old[11]!);
  assert.equal(await tipHash(chain), fresher[19]);
  for (const [i, hash] of old.entries()) {
    const { height, medianTime } = index.find(hash)!;
    assert.deepEqual([height, medianTime], [expected[i]!.height, expected[i]!.medianTime]);
  }
  // Taking the newer ones off brings the older ones back.
  index.invalidate(index.find(fresher[0]!)!);
  assert.equal(await tipHash(chain), old[11]);
});

test('a long chain goes and comes back', async () => {
  const { chain, index } = await fresh();
  const hashes = await chain.mine(DEPTH);
  index.invalidate(index.find(hashes[0]!)!);
  assert.equal(index.tips()[0]!.branchLength, DEPTH);
  index.reconsider(hashes[0]!);
  assert.equal(await tipHash(chain), hashes.at(-1));
});

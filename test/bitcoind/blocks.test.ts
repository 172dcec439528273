import assert from 'node:assert/strict';
import { toHex } from '../../src/base/bytes.ts';
import { serializeBlock } from '../../src/bitcoin/block.ts';
import { assemble, badBlocks } from '../support/bad-blocks.ts';
import { bitcoindTest } from '../support/bitcoind.ts';
import { Duel } from '../support/duel.ts';
import { coinOf, pay, reasonOf, spend, testChain } from '../support/regtest.ts';

bitcoindTest('bitcoind refuses the blocks that we refuse, for the same reasons', async (node) => {
  const world = testChain();
  const duel = new Duel(world, node);
  const blocks = await badBlocks(world);
  await duel.sync();
  for (const { reason, block } of blocks) {
    const raw = serializeBlock(block);
    assert.equal(await reasonOf(world.chain.submitBlock(raw)), reason);
    const theirs = await node.rpc<string>('submitblock', toHex(raw));
    assert.equal(theirs.replace(/\(.*/, '').trim(), reason);
  }
});

bitcoindTest('both take the longer branch, whoever made it', async (node) => {
  const world = testChain();
  const { chain, locks } = world;
  const duel = new Duel(world, node);
  const [coin] = await world.fund([locks.p2tr]);
  await duel.sync();
  const fork = testChain();
  for (let height = 1; height <= (await chain.tip()).height; height++) {
    const raw = (await chain.explorer.rawBlock((await chain.explorer.blockHash(height))!))!;
    if (height > 110) await fork.chain.submitBlock(raw);
  }
  const tx = spend([coin!], [pay(locks.p2tr, 99_000n)]);
  await chain.broadcast(tx);
  await duel.mine(2);
  const first = await assemble(fork, () => ({
    txs: [tx, spend([coinOf(tx, 0, locks.p2tr)], [pay(locks.p2tr, 98_000n)])],
  }));
  assert.equal(await fork.chain.submitBlock(serializeBlock(first)), 'connected');
  await fork.chain.mine(2);
  for (let height = 112; height <= 114; height++) {
    const raw = (await fork.chain.explorer.rawBlock((await fork.chain.explorer.blockHash(height))!))!;
    assert.equal(await chain.submitBlock(raw), height === 114 ? 'reorganized' : 'kept');
    await node.rpc('submitblock', toHex(raw));
  }
  assert.equal((await chain.tip()).hash, await node.rpc('getbestblockhash'));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Tx, txidOf } from '../../../../src/bitcoin/tx.ts';
import type { SatsPerKvb } from '../../../../src/chain/regtest/fee-rate.ts';
import { MempoolFloor } from '../../../../src/chain/regtest/mempool-limit.ts';
import { coinOf, pay, reasonOf, spend, type TestChain, type TestCoin, testChain } from '../../../support/regtest.ts';

const TWO_WEEKS = 336 * 60 * 60;
const HALF_DAY = 12 * 60 * 60;
const OUTPUTS = 60;
/** Virtual bytes of what {@link paying} makes. */
const SIZE = 2_691;

const waiting = async ({ chain }: TestChain): Promise<string[]> =>
  (await chain.explorer.mempool()).map(({ txid }) => txid);

/** Large, so that a few fill a mempool that lets the faucet work; its first output holds most. */
const paying = ({ locks }: TestChain, coin: TestCoin, fee: bigint): Tx => {
  const small = Array.from({ length: OUTPUTS }, () => pay(locks.p2tr, 330n));
  return spend([coin], [pay(locks.p2tr, coin.output.value - fee - 330n * BigInt(OUTPUTS)), ...small]);
};

const fundedFor = async (count: number, options?: { maxMempoolVsize: number }) => {
  const world = testChain(options);
  return { world, coins: await world.fund(Array.from({ length: count }, () => world.locks.p2tr)) };
};

test('a full mempool lets those go that pay least, and whoever pays no more does not get in', async () => {
  const { world, coins } = await fundedFor(6, { maxMempoolVsize: SIZE * 4 });
  const [poor, fair, good, best, late] = [3_000n, 5_000n, 6_000n, 7_000n, 4_000n].map((fee, i) =>
    paying(world, coins[i]!, fee),
  ) as [Tx, Tx, Tx, Tx, Tx];
  for (const tx of [fair, poor, good, best, late]) await world.chain.broadcast(tx);
  assert.deepEqual((await waiting(world)).sort(), [fair, good, best, late].map(txidOf).sort());
  assert.equal(await reasonOf(world.chain.broadcast(poor)), 'mempool min fee not met');
  assert.ok((await world.chain.feeRate(1)) * SIZE > 3_000);
  const child = spend([coinOf(best, 0, world.locks.p2tr)], [pay(world.locks.p2tr, 10_000n)]);
  await world.chain.broadcast(child);
  assert.deepEqual((await waiting(world)).sort(), [fair, good, best, child].map(txidOf).sort());
});

test('what the newcomer spends stays; where nothing else could go it is refused', async () => {
  const { world, coins } = await fundedFor(2, { maxMempoolVsize: SIZE * 2 });
  const parent = paying(world, coins[0]!, 3_000n);
  const child = paying(world, coinOf(parent, 0, world.locks.p2tr), 6_000n);
  for (const tx of [parent, child]) await world.chain.broadcast(tx);
  const grandchild = paying(world, coinOf(child, 0, world.locks.p2tr), 9_000n);
  assert.equal(await reasonOf(world.chain.broadcast(grandchild)), 'mempool full');
  assert.equal(await reasonOf(world.chain.broadcast(paying(world, coins[1]!, 4_000n))), 'mempool full');
  assert.deepEqual(await waiting(world), [parent, child].map(txidOf));
});

test('after two weeks a transaction has waited long enough, and what spends it goes with it', async () => {
  const { world, coins } = await fundedFor(2);
  const old = paying(world, coins[0]!, 3_000n);
  await world.chain.broadcast(old);
  world.time += TWO_WEEKS - 1;
  const child = paying(world, coinOf(old, 0, world.locks.p2tr), 3_000n);
  await world.chain.broadcast(child);
  world.time += 2;
  const grandchild = paying(world, coinOf(child, 0, world.locks.p2tr), 3_000n);
  assert.equal(await reasonOf(world.chain.broadcast(grandchild)), 'mempool full');
  const fresh = paying(world, coins[1]!, 3_000n);
  await world.chain.broadcast(fresh);
  assert.deepEqual(await waiting(world), [txidOf(fresh)]);
});

test('the floor falls by half in twelve hours once a block has come, faster when there is room', () => {
  const floor = new MempoolFloor(1_000n as SatsPerKvb);
  assert.equal(floor.rateAt(0, 1), 0n);
  floor.raise(7_000n);
  assert.equal(floor.rateAt(10 * HALF_DAY, 1), 8_000n);
  floor.blockConnected(0);
  floor.blockConnected(HALF_DAY);
  assert.equal(floor.rateAt(HALF_DAY - 1, 1), 8_000n);
  assert.equal(floor.rateAt(HALF_DAY, 1), 4_000n);
  assert.equal(floor.rateAt(HALF_DAY, 0.4), 2_000n);
  assert.equal(floor.rateAt(HALF_DAY, 0.1), 500n);
  assert.equal(floor.rateAt(5 * HALF_DAY, 1), 0n);
  floor.raise(1_000n);
  assert.equal(floor.rateAt(9 * HALF_DAY, 1), 8_000n);
});

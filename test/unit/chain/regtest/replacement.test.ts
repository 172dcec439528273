import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Tx, txidOf } from '../../../../src/bitcoin/tx.ts';
import { anchorOf, coinOf, P2A, pay, reasonOf, spend, type TestCoin, testChain } from '../../../support/regtest.ts';

const V3 = { version: 3 };

async function setUp(count: number) {
  const world = testChain();
  const coins = await world.fund(Array.from({ length: count }, () => world.locks.p2tr));
  const waiting = async () => (await world.chain.explorer.mempool()).map(({ txid }) => txid);
  const payTo = (spent: readonly TestCoin[], value: bigint): Tx => spend(spent, [pay(world.locks.p2tr, value)]);
  return { ...world, coins: coins as [TestCoin, ...TestCoin[]], waiting, payTo };
}

test('any transaction is replaced by one that pays more for all that goes', async () => {
  const { chain, locks, coins, waiting, payTo } = await setUp(1);
  const [coin] = coins;
  const tx = payTo([coin], 99_000n);
  const child = payTo([coinOf(tx, 0, locks.p2tr)], 94_000n);
  await chain.broadcast(tx);
  await chain.broadcast(child);
  assert.equal(await reasonOf(chain.broadcast(spend([coin], [pay(locks.p2wpkh, 99_000n)]))), 'insufficient fee');
  assert.equal(await reasonOf(chain.broadcast(payTo([coin], 95_000n))), 'insufficient fee');
  assert.equal(await reasonOf(chain.broadcast(payTo([coin], 93_900n))), 'insufficient fee');
  assert.deepEqual(await waiting(), [txidOf(tx), txidOf(child)]);
  const better = payTo([coin], 93_800n);
  await chain.broadcast(better);
  assert.deepEqual(await waiting(), [txidOf(better)]);
  assert.equal(await chain.transaction(txidOf(tx)), undefined);
});

test('a replacement needs no new unconfirmed parent and does not spend what it replaces', async () => {
  const { chain, locks, coins, payTo } = await setUp(3);
  const [a, b, c] = coins as unknown as [TestCoin, TestCoin, TestCoin];
  const tx = payTo([a], 99_000n);
  const other = payTo([b], 99_000n);
  await chain.broadcast(tx);
  await chain.broadcast(other);
  const adding = payTo([a, coinOf(other, 0, locks.p2tr)], 180_000n);
  assert.equal(await reasonOf(chain.broadcast(adding)), 'replacement-adds-unconfirmed');
  const biting = payTo([a, coinOf(tx, 0, locks.p2tr), c], 200_000n);
  assert.equal(await reasonOf(chain.broadcast(biting)), 'bad-txns-spends-conflicting-tx');
});

test('no more than 100 transactions are replaced at once', async () => {
  const { chain, locks, coins, payTo } = await setUp(5);
  for (const coin of coins) {
    const wide = spend(
      [coin],
      Array.from({ length: 20 }, () => pay(locks.p2tr, 4_000n)),
    );
    await chain.broadcast(wide);
    for (let vout = 0; vout < 20; vout++) await chain.broadcast(payTo([coinOf(wide, vout, locks.p2tr)], 3_800n));
  }
  assert.equal(await reasonOf(chain.broadcast(payTo(coins, 1_000n))), 'too many potential replacements');
  await chain.broadcast(payTo(coins.slice(1), 1_000n));
});

test('a block that spends the same coin takes the loser and its children out', async () => {
  const { chain, locks, coins, waiting, payTo } = await setUp(2);
  const [coin] = coins;
  const tx = payTo([coin], 99_000n);
  await chain.broadcast(tx);
  await chain.mine(1);
  await chain.invalidateTip(1);
  const child = payTo([coinOf(tx, 0, locks.p2tr)], 98_000n);
  await chain.broadcast(child);
  const rival = testChain();
  await rival.fund(Array.from({ length: 2 }, () => locks.p2tr));
  await rival.chain.broadcast(payTo([coin], 98_500n));
  await rival.chain.mine(2);
  for (const height of [112, 113]) {
    const hash = (await rival.chain.explorer.blockHash(height))!;
    await chain.submitBlock((await rival.chain.explorer.rawBlock(hash))!);
  }
  assert.deepEqual(await waiting(), []);
  assert.equal(await chain.transaction(txidOf(child)), undefined);
});

test('a package replaces a package when it pays for it and mines better', async () => {
  const { chain, locks, coins, waiting } = await setUp(3);
  const [shared, feeA, feeB] = coins as unknown as [TestCoin, TestCoin, TestCoin];
  const family = (fees: TestCoin, fee: bigint, parts: number): readonly [Tx, Tx] => {
    const outputs = Array.from({ length: parts }, () => pay(locks.p2tr, 100_000n / BigInt(parts)));
    const parent = spend([shared], [...outputs, P2A], V3);
    return [parent, spend([anchorOf(parent), fees], [pay(locks.p2tr, 100_000n - fee)], V3)];
  };
  const refuse = async (pair: readonly [Tx, Tx], reason: string) =>
    assert.equal(await reasonOf(chain.broadcastPackage(...pair)), `package RBF failed: ${reason}`);
  await chain.broadcastPackage(...family(feeA, 2_000n, 1));
  await refuse(family(feeB, 2_100n, 2), 'insufficient anti-DoS fees');
  await refuse(family(feeB, 2_900n, 10), 'insufficient feerate: does not improve feerate diagram');
  const fresh = family(feeB, 9_000n, 2);
  await chain.broadcastPackage(...fresh);
  assert.deepEqual(await waiting(), fresh.map(txidOf));
});

test('a package replaces only pairs, and only if it stands on nothing unconfirmed', async () => {
  const { chain, locks, coins, payTo } = await setUp(3);
  const [shared, other, fees] = coins as unknown as [TestCoin, TestCoin, TestCoin];
  const refuse = async (parent: Tx, reason: string) => {
    const child = spend([coinOf(parent, 0, locks.p2tr), fees], [pay(locks.p2tr, 100_000n)]);
    assert.equal(await reasonOf(chain.broadcastPackage(parent, child)), `package RBF failed: ${reason}`);
  };
  const old = payTo([shared], 99_000n);
  await chain.broadcast(old);
  await chain.broadcast(payTo([other], 99_000n));
  await chain.broadcast(payTo([coinOf(old, 0, locks.p2tr)], 98_000n));
  const below = spend([other], [pay(locks.p2tr, 99_000n)]);
  await refuse(
    spend([shared, coinOf(below, 0, locks.p2tr)], [pay(locks.p2tr, 198_500n)]),
    'new transaction cannot have mempool ancestors',
  );
  const grandchild = payTo([coinOf(payTo([coinOf(old, 0, locks.p2tr)], 98_000n), 0, locks.p2tr)], 97_000n);
  await chain.broadcast(grandchild);
  await refuse(payTo([shared], 99_800n), 'replaced transactions have more than one relative');
});

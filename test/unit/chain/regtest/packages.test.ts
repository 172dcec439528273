import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Tx, txidOf } from '../../../../src/bitcoin/tx.ts';
import { anchorOf, coinOf, P2A, pay, reasonOf, spend, type TestCoin, testChain } from '../../../support/regtest.ts';

const V3 = { version: 3 };
const FULL = 100_000n;

async function setUp(count: number) {
  const world = testChain();
  const coins = await world.fund(Array.from({ length: count }, () => world.locks.p2tr));
  const next = (): TestCoin => coins.pop()!;
  const waiting = async () => (await world.chain.explorer.mempool()).map(({ txid }) => txid);
  /** A parent that pays nothing and carries an anchor. */
  const parentOf = (coin: TestCoin, lock = world.locks.p2tr): Tx => spend([coin], [pay(lock, FULL), P2A], V3);
  /** A child that spends the anchor and pays `fee` from a coin of its own. */
  const childOf = (parent: Tx, coin: TestCoin, fee: bigint, version = 3): Tx =>
    spend([anchorOf(parent), coin], [pay(world.locks.p2tr, FULL - fee)], { version });
  return { ...world, next, waiting, parentOf, childOf };
}

test('a parent that pays nothing enters with the child that pays for both, and both are mined', async () => {
  const { chain, next, waiting, parentOf, childOf } = await setUp(2);
  const parent = parentOf(next());
  const child = childOf(parent, next(), 1_000n);
  assert.equal(await reasonOf(chain.broadcast(parent)), 'min relay fee not met');
  assert.equal(await reasonOf(chain.broadcast(child)), 'bad-txns-inputs-missingorspent');
  assert.equal(await chain.broadcastPackage(parent, child), txidOf(child));
  assert.equal(await chain.broadcastPackage(parent, child), txidOf(child));
  assert.deepEqual(await waiting(), [txidOf(parent), txidOf(child)]);
  await chain.mine(1);
  assert.ok((await chain.transaction(txidOf(parent)))?.confirmation);
  assert.deepEqual(await waiting(), []);
});

test('a child pays for a parent that is already confirmed or waiting', async () => {
  const { chain, locks, next, waiting, childOf } = await setUp(3);
  const parent = spend([next()], [pay(locks.p2tr, FULL - 500n)], V3);
  const child = spend([coinOf(parent, 0, locks.p2tr)], [pay(locks.p2tr, FULL - 1_500n)], V3);
  await chain.broadcast(parent);
  await chain.broadcastPackage(parent, child);
  assert.equal((await waiting()).length, 2);
  const free = spend([next()], [pay(locks.p2tr, FULL), P2A], V3);
  await chain.broadcastPackage(free, childOf(free, next(), 1_000n));
  await chain.mine(1);
  const late = spend([coinOf(free, 0, locks.p2tr)], [pay(locks.p2tr, FULL - 500n)], V3);
  await chain.broadcastPackage(free, late);
  assert.deepEqual(await waiting(), [txidOf(late)]);
});

test('packages that are not a parent and its only child, or do not pay, are refused whole', async () => {
  const { chain, locks, next, waiting, parentOf, childOf } = await setUp(6);
  const coin = next();
  const fees = next();
  const parent = parentOf(coin);
  const child = childOf(parent, fees, 1_000n);
  const other = spend([next()], [pay(locks.p2tr, FULL - 500n)], V3);
  const refuse = async (a: Tx, b: Tx, reason: string) =>
    assert.equal(await reasonOf(chain.broadcastPackage(a, b)), reason);
  await refuse(parent, parent, 'package-contains-duplicates');
  await refuse(child, parent, 'package-not-sorted');
  await refuse(parent, other, 'package-not-child-with-parents');
  await refuse(parent, spend([anchorOf(parent), coin], [pay(locks.p2tr, 1_000n)], V3), 'conflict-in-package');
  await refuse(parent, childOf(parent, fees, 100n), 'min relay fee not met');
  await refuse(parent, childOf(parent, fees, 1_000n, 2), 'TRUC-violation');
  const withoutAnchor = spend([coinOf(parent, 0, locks.p2tr), fees], [pay(locks.p2tr, FULL)], V3);
  await refuse(parent, withoutAnchor, 'missing-ephemeral-spends');
  const old = spend([coin], [pay(locks.p2tr, FULL), P2A]);
  await refuse(old, childOf(old, fees, 1_000n, 2), 'min relay fee not met');
  const paying = spend([coin], [pay(locks.p2tr, FULL - 500n), P2A], V3);
  await refuse(paying, childOf(paying, fees, 1_000n), 'dust');
  const forged = { ...child, outputs: [pay(locks.p2tr, 1_000n)] };
  await refuse(parent, forged, 'mempool-script-verify-flag-failed');
  assert.deepEqual(await waiting(), []);
  await chain.broadcast(other);
  const twoParents = spend([anchorOf(parent), coinOf(other, 0, locks.p2tr)], [pay(locks.p2tr, 90_000n)], V3);
  await refuse(parent, twoParents, 'package-not-child-with-unconfirmed-parents');
  const onTop = parentOf(coinOf(other, 0, locks.p2tr));
  await refuse(onTop, childOf(onTop, fees, 1_000n), 'bad-txns-in-belowout');
});

test('version 3 families have one parent and one small child, all of version 3', async () => {
  const { chain, locks, next, waiting } = await setUp(6);
  const parent = spend([next()], [pay(locks.p2tr, 49_000n), pay(locks.p2tr, 50_000n)], V3);
  await chain.broadcast(parent);
  const first = coinOf(parent, 0, locks.p2tr);
  const refuse = async (tx: Tx) => assert.equal(await reasonOf(chain.broadcast(tx)), 'TRUC-violation');
  await refuse(spend([first], [pay(locks.p2tr, 40_000n)]));
  const many = Array.from({ length: 25 }, () => pay(locks.p2tr, 1_000n));
  await refuse(spend([first], many, V3));
  await refuse(
    spend(
      [next()],
      Array.from({ length: 240 }, () => pay(locks.p2tr, 340n)),
      V3,
    ),
  );
  const old = spend([next()], [pay(locks.p2tr, FULL - 500n)]);
  await chain.broadcast(old);
  await refuse(spend([coinOf(old, 0, locks.p2tr)], [pay(locks.p2tr, 90_000n)], V3));
  const lone = spend([next()], [pay(locks.p2tr, FULL - 500n)], V3);
  await chain.broadcast(lone);
  await refuse(spend([first, coinOf(lone, 0, locks.p2tr)], [pay(locks.p2tr, 90_000n)], V3));
  const child = spend([first], [pay(locks.p2tr, 48_000n)], V3);
  await chain.broadcast(child);
  await refuse(spend([coinOf(child, 0, locks.p2tr)], [pay(locks.p2tr, 40_000n)], V3));
  assert.equal((await waiting()).length, 4);
});

test('a sibling takes the place of the only child by paying more than it', async () => {
  const { chain, locks, next, waiting } = await setUp(1);
  const parent = spend([next()], [pay(locks.p2tr, 49_000n), pay(locks.p2tr, 50_000n)], V3);
  const older = spend([coinOf(parent, 0, locks.p2tr)], [pay(locks.p2tr, 48_000n)], V3);
  await chain.broadcast(parent);
  await chain.broadcast(older);
  const poor = spend([coinOf(parent, 1, locks.p2tr)], [pay(locks.p2tr, 49_000n)], V3);
  assert.equal(await reasonOf(chain.broadcast(poor)), 'insufficient fee');
  const rich = spend([coinOf(parent, 1, locks.p2tr)], [pay(locks.p2tr, 48_000n)], V3);
  await chain.broadcast(rich);
  assert.deepEqual(await waiting(), [txidOf(parent), txidOf(rich)]);
});

test('an anchor that lost its child is not mined by itself', async () => {
  const { chain, locks, next, waiting, parentOf, childOf } = await setUp(2);
  const parent = parentOf(next());
  const fees = next();
  await chain.broadcastPackage(parent, childOf(parent, fees, 1_000n));
  await chain.broadcast(spend([fees], [pay(locks.p2wpkh, FULL - 5_000n)]));
  assert.equal((await waiting()).length, 2);
  await chain.mine(1);
  assert.deepEqual(await waiting(), [txidOf(parent)]);
  const again = spend([anchorOf(parent), coinOf(parent, 0, locks.p2tr)], [pay(locks.p2tr, FULL - 1_000n)], V3);
  await chain.broadcastPackage(parent, again);
  await chain.mine(1);
  assert.deepEqual(await waiting(), []);
});

/** Expired batches go back to the server, and what was in them is still owed to its owners. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { send } from '../../src/ark/client/offchain.ts';
import { spendableCoins, vtxosOf } from '../../src/ark/client/vtxos.ts';
import { relativeTimelock } from '../../src/bitcoin/timelock.ts';
import { unroll } from '../support/unroll.ts';
import { paid, type User, type World, world } from '../support/world.ts';

const EXPIRY = 30;

const expiring = (seed: string): Promise<World> => world({ seed, settings: { batchExpiry: relativeTimelock(EXPIRY) } });

const states = async ({ client, account }: User) =>
  (await vtxosOf(client, account)).map(({ isSwept, isSpent, isUnrolled }) => ({ isSwept, isSpent, isUnrolled }));

const LIVE = { isSwept: false, isSpent: false, isUnrolled: false };
const SWEPT = { ...LIVE, isSwept: true };

test('a batch is swept at its expiry and not a block sooner, with everything made from it off-chain', async () => {
  const w = await expiring('sweep/whole');
  const [alice, bob] = [await w.user('alice'), await w.user('bob')];
  await w.note(alice, 50_000);
  await w.settle(alice);
  await w.mine(1);
  const coins = await spendableCoins(alice.client, alice.account);
  const outputs = [paid(bob.account, [], 20_000n), paid(alice.account, [], 30_000n)];
  await w.run(send(alice.client, alice.account, coins, outputs));
  await w.mine(EXPIRY - 2);
  assert.deepEqual(await states(bob), [LIVE]);
  await w.mine(1);
  assert.deepEqual(await states(bob), [SWEPT]);
  assert.deepEqual(await states(alice), [{ ...SWEPT, isSpent: true }, SWEPT]);
});

test('a swept VTXO is settled again without a forfeit', async () => {
  const w = await expiring('sweep/recover');
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  await w.settle(alice);
  await w.mine(EXPIRY);
  assert.deepEqual(await states(alice), [SWEPT]);
  const [row] = await vtxosOf(alice.client, alice.account, 'recoverableOnly');
  assert.equal(row!.amount, 50_000n);
});

test('after a partial unroll the rest of the tree is swept, and the unrolled VTXO is not', async () => {
  const w = await expiring('sweep/partial');
  const users = await Promise.all(['alice', 'bob', 'carol'].map((name) => w.user(name)));
  for (const user of users) await w.note(user, 10_000);
  const [first] = await w.settle(...users);
  await w.mine(1);
  await unroll(w, first!.branch);
  await w.mine(EXPIRY + 5);
  assert.deepEqual(await states(users[0]!), [{ ...LIVE, isUnrolled: true }]);
  assert.deepEqual(await states(users[1]!), [SWEPT]);
  assert.deepEqual(await states(users[2]!), [SWEPT]);
});

test('the sweeper goes on after a restart', async () => {
  const w = await expiring('sweep/restart');
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  await w.settle(alice);
  await w.mine(EXPIRY - 1);
  await w.restart();
  await w.mine(1);
  assert.deepEqual(await states(alice), [SWEPT]);
});

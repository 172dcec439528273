/** Bans: convictions count by script, for a time, on every way a coin can be brought to the server, until pardoned. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../src/ark/client/batch.ts';
import { send } from '../../src/ark/client/offchain.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import type { CrimeType } from '../../src/ark/server/store/convictions.ts';
import { insertConviction, pardonConviction } from '../../src/ark/server/store/convictions.ts';
import { toHex } from '../../src/base/bytes.ts';
import { refusal } from '../support/adversary.ts';
import { paid, type User, type World, world } from '../support/world.ts';

const seconds = (w: World): number => Math.floor(w.clock.now() / 1000);

async function convict(w: World, script: Uint8Array, crime: CrimeType, lasting: number, count = 1): Promise<string[]> {
  const ids = Array.from({ length: count }, () => toHex(w.entropy.bytes(8)));
  const about = { script: toHex(script), crime, batchId: 'some', reason: 'a test' };
  const times = { createdAt: seconds(w), expiresAt: lasting === 0 ? 0 : seconds(w) + lasting };
  for (const id of ids) await w.db.write((tx) => insertConviction(tx, { id, ...about, ...times }));
  return ids;
}

/** What becomes of a payment and of a settlement of all that the user has. */
async function attempts(w: World, user: User): Promise<{ pay: string; settle: string }> {
  const coins = await spendableCoins(user.client, user.account);
  const order = await w.everything(user);
  return {
    pay: await w.run(refusal(send(user.client, user.account, coins, [paid(user.account, coins)]))),
    settle: await w.run(refusal(settle(user.client, user.account, order))),
  };
}

async function owner(seed: string, settings = {}) {
  const w = await world({ seed, settings });
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  await w.settle(alice);
  return { w, alice, script: alice.account.vtxo.script };
}

const BANNED = { pay: 'VTXO_BANNED', settle: 'VTXO_BANNED' };

test('a script is banned by as many convictions as the settings tolerate, not by one less; it is free when they expire', async () => {
  const { w, alice, script } = await owner('bans/threshold', { banThreshold: 2 });
  await convict(w, script, 'NONCES', 1_000);
  assert.equal((await w.settle(alice)).length, 1);
  await convict(w, script, 'FORFEIT', 500);
  assert.deepEqual(await attempts(w, alice), BANNED);
  // The two count together only as long as both do.
  await w.advance(500_000);
  assert.equal((await w.settle(alice)).length, 1);
});

test('a ban outlives the process; a pardon ends it', async () => {
  const { w, alice, script } = await owner('bans/pardon');
  const ids = await convict(w, script, 'SIGNATURES', 100_000, 3);
  await w.restart();
  assert.deepEqual(await attempts(w, alice), BANNED);
  assert.equal(await w.db.write((tx) => pardonConviction(tx, ids[1]!)), true);
  assert.equal((await w.settle(alice)).length, 1);
});

test('the operator’s own ban counts alone, even where offenders are not banned, and for good if so wanted', async () => {
  const { w, alice, script } = await owner('bans/manual', { banThreshold: 0 });
  await convict(w, script, 'FORFEIT', 1_000, 10);
  assert.equal((await w.settle(alice)).length, 1);
  const [id] = await convict(w, script, 'MANUAL', 0);
  await w.advance(1_000_000);
  assert.deepEqual(await attempts(w, alice), BANNED);
  await w.db.write((tx) => pardonConviction(tx, id!));
  assert.equal((await w.settle(alice)).length, 1);
});

test('boarding coins are banned by the script they lie at; notes and other scripts of the owner are not', async () => {
  const { w, alice } = await owner('bans/boarding');
  await w.board(alice, 20_000);
  await convict(w, alice.account.boarding.script, 'BOARDING_SIGNATURE', 1_000, 3);
  assert.equal(await w.run(refusal(settle(alice.client, alice.account, await w.everything(alice)))), 'VTXO_BANNED');
  alice.pocket.length = 0;
  await w.note(alice, 1_000);
  assert.equal((await w.settle(alice)).length, 1);
});

/** Threat 8, with an identity for each attempt: who goes into a batch with whom, so that spoiling does not pay. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deleteIntent, registerIntent, settle } from '../../src/ark/client/batch.ts';
import { createCosignerKey } from '../../src/ark/client/tree-cosigning.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import { insertConviction } from '../../src/ark/server/store/convictions.ts';
import { toHex } from '../../src/base/bytes.ts';
import { crimes, lying, refusal, silent } from '../support/adversary.ts';
import { paid, secp, type User, type World, world } from '../support/world.ts';

/** A stranger with a coin who takes part in a batch up to its nonces, until sent away. */
async function saboteur(w: World, name: string): Promise<{ user: User; leave(): Promise<string> }> {
  const user = await w.user(name, lying({ submitTreeNonces: silent }));
  await w.note(user, 10_000);
  const away = new AbortController();
  const lost = refusal(settle(user.client, user.account, await w.everything(user), away.signal));
  lost.catch(() => {});
  return {
    user,
    async leave() {
      away.abort();
      return lost;
    },
  };
}

const convicted = async (w: World): Promise<number> => Object.keys(await crimes(w)).length;

test('with a saboteur of a new name in every batch, an owner fails once and settles in the next', async () => {
  const w = await world({ seed: 'standing/sybil' });
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  const first = await saboteur(w, 'first');
  const settled = settle(alice.client, alice.account, await w.everything(alice));
  settled.catch(() => {});
  while ((await convicted(w)) === 0) await w.advance(200);
  const second = await saboteur(w, 'second');
  assert.equal((await w.run(settled)).vtxos.length, 1);
  assert.equal(await convicted(w), 1);
  await Promise.all([first.leave(), second.leave()]);
});

test('the same for an owner that has to register again, as wallets of the SDK have', async () => {
  const w = await world({ seed: 'standing/again' });
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  const order = await w.everything(alice);
  const first = await saboteur(w, 'first');
  const away = new AbortController();
  const lost = refusal(settle(alice.client, alice.account, order, away.signal));
  while ((await convicted(w)) === 0) await w.advance(200);
  away.abort();
  assert.equal(await lost, 'STREAM_ENDED');
  await deleteIntent(alice.client, alice.account, order.coins);
  const others = [await saboteur(w, 'second'), await saboteur(w, 'third')];
  assert.equal((await w.run(settle(alice.client, alice.account, order))).vtxos.length, 1);
  assert.equal(await convicted(w), 1);
  await Promise.all([first, ...others].map((each) => each.leave()));
});

test('who was convicted lately settles, but in a batch of its own kind, in turn with the others', async () => {
  const w = await world({ seed: 'standing/convicted' });
  const [alice, bob, mallory] = [await w.user('alice'), await w.user('bob'), await w.user('mallory')];
  for (const user of [alice, bob, mallory]) await w.note(user, 50_000);
  await w.settle(alice, bob, mallory);
  const createdAt = Math.floor(w.clock.now() / 1000);
  const about = { crime: 'FORFEIT', batchId: 'x', reason: 'r', createdAt, expiresAt: createdAt + 300 } as const;
  await w.db.write((tx) => insertConviction(tx, { id: 'x', script: toHex(mallory.account.vtxo.script), ...about }));
  const [a, b, m] = (await w.settle(alice, bob, mallory)).map(({ commitmentTxid }) => commitmentTxid);
  assert.equal(a, b);
  assert.notEqual(a, m);
});

test('many intents of one owner do not crowd out the first of another', async () => {
  const w = await world({ seed: 'standing/flood', settings: { maxParticipants: 3 } });
  const flooder = await w.user('flooder');
  for (let i = 0; i < 3; i++) await w.note(flooder, 10_000);
  const { coins, receivers } = await w.everything(flooder);
  const split = coins.map(({ amount }) => ({ ...receivers[0]!, value: amount }));
  await w.run(settle(flooder.client, flooder.account, { coins, receivers: split, onchain: [] }));
  const own = await spendableCoins(flooder.client, flooder.account);
  assert.equal(own.length, 3);
  const cosigner = () => createCosignerKey(secp, flooder.client.random);
  for (const coin of own) {
    const order = { coins: [coin], receivers: [paid(flooder.account, [coin])], onchain: [] };
    await registerIntent(flooder.client, flooder.account, order, cosigner());
  }
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  await w.settle(alice);
  const missed = (await w.db.read('select missed from ark_intent order by missed')).map((row) => row.missed);
  assert.deepEqual(missed, [0n, 1n, 1n], 'the flooder had its other places only after her');
});

/**
 * The server dies at every write on the way, before and after its commit, and comes back on what it left: no VTXO is
 * spent twice, none is lost, no batch is half there, and what its owners wanted they get in the end.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { resumePayments, send } from '../../src/ark/client/offchain.ts';
import { spendableCoins, vtxosOf } from '../../src/ark/client/vtxos.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { type Crash, paid, type User, type World, world } from '../support/world.ts';

const total = async (users: readonly User[]): Promise<bigint> => {
  const coins = await Promise.all(users.map(({ client, account }) => spendableCoins(client, account)));
  return coins.flat().reduce((sum, { amount }) => sum + amount, 0n);
};

/** Neither an intent nor a batch may hang in the air once the server is back. */
async function assertAtRest({ db }: World): Promise<void> {
  assert.deepEqual(await db.read('select id from ark_intent where batch_id is not null'), []);
  assert.deepEqual(await db.read("select id from ark_batch where state = 'pending'"), []);
}

/** Two users with a VTXO each, and a boarding coin and a note to settle with them. */
async function scene(seed: string, file?: string) {
  const w = await world({ seed, ...(file && { file }) });
  const users = [await w.user('alice'), await w.user('bob')];
  for (const user of users) await w.note(user, 50_000);
  await w.settle(...users);
  await w.board(users[0]!, 20_000);
  await w.note(users[1]!, 3_000);
  return { w, users };
}

/** Settles everything, whatever it takes: what was in a batch that survived the crash is not asked for again. */
async function settleAnew(w: World, users: readonly User[]): Promise<void> {
  for (const user of users) {
    const { coins } = await w.everything(user);
    const known = await vtxosOf(user.client, user.account);
    const gone = new Set(
      known.filter((vtxo) => vtxo.isSpent).map(({ outpoint }) => `${outpoint.txid}:${outpoint.vout}`),
    );
    user.pocket.length = 0;
    for (const coin of coins.filter(({ kind }) => kind !== 'vtxo')) {
      const isSpent =
        coin.kind === 'boarding'
          ? (await w.chain.output(coin.outpoint))?.spentBy !== undefined
          : (
              await w.db.read('select 1 from ark_vtxo where outpoint = $1 and spent_by is not null', [
                `${coin.outpoint.txid}:${coin.outpoint.vout}`,
              ])
            ).length > 0;
      if (!isSpent && !gone.has(`${coin.outpoint.txid}:${coin.outpoint.vout}`)) user.pocket.push(coin);
    }
  }
  await w.db.write((tx) => tx.run('delete from ark_intent where batch_id is null'));
  await w.settle(...users);
}

/** Runs a batch that dies at write `crash`. Returns whether it came that far. */
async function crashBatch(crash: Crash, file?: string): Promise<boolean> {
  const { w, users } = await scene(`crash/batch/${crash.when}/${crash.write}`, file);
  w.crashAt(crash);
  const outcome = await w.settle(...users).then(
    () => 'settled',
    () => 'died',
  );
  if (outcome === 'settled') return false;
  assert.ok(w.isDead, 'only the crash ends a settlement');
  await w.restart();
  await assertAtRest(w);
  await w.mine(1);
  await w.audit.check();
  await settleAnew(w, users);
  assert.equal(await total(users), 123_000n);
  await w.mine(1);
  await w.restart();
  assert.equal(await total(users), 123_000n);
  return true;
}

for (const when of ['before', 'after'] as const) {
  test(`a batch whose server dies ${when} any of its writes is finished or undone`, async () => {
    let deaths = 0;
    for (let write = 1; await crashBatch({ write, when }); write++) deaths++;
    // Two registrations, taking them, settling in two writes.
    assert.ok(deaths >= 5, `${deaths} deaths`);
  });
}

test('the same on a file that the next server opens anew', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'canalworks-crash-'));
  try {
    for (let write = 3; write <= 5; write++) {
      await crashBatch({ write, when: 'after' }, join(folder, `${write}.sqlite`));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

async function crashPayment(crash: Crash): Promise<boolean> {
  const w = await world({ seed: `crash/payment/${crash.when}/${crash.write}` });
  const [alice, bob] = [await w.user('alice'), await w.user('bob')];
  await w.note(alice, 50_000);
  await w.settle(alice);
  const coins = await spendableCoins(alice.client, alice.account);
  w.crashAt(crash);
  const pay = () => send(alice.client, alice.account, coins, [paid(bob.account, coins)]);
  const outcome = await w.run(pay()).then(
    () => 'paid',
    () => 'died',
  );
  if (outcome === 'paid') return false;
  assert.ok(w.isDead);
  await w.restart();
  // Before the server has booked it there is nothing to resume and the coin is free; after that there is, or all is done.
  const resumed = await w.run(resumePayments(alice.client, alice.account, coins));
  const known = await spendableCoins(bob.client, bob.account);
  if (resumed.length === 0 && known.length === 0) await w.run(pay());
  const spent = await w.run(pay()).catch((error: unknown) => (error instanceof ProtocolError ? error.code : error));
  assert.match(String(spent), /^(INVALID_ARK_PSBT|VTXO_ALREADY_SPENT)$/);
  assert.deepEqual(
    (await spendableCoins(bob.client, bob.account)).map(({ amount }) => amount),
    [50_000n],
  );
  assert.deepEqual(await spendableCoins(alice.client, alice.account), []);
  await w.settle(bob);
  return true;
}

for (const when of ['before', 'after'] as const) {
  test(`a payment whose server dies ${when} any of its writes is made once`, async () => {
    let deaths = 0;
    for (let write = 1; await crashPayment({ write, when }); write++) deaths++;
    assert.equal(deaths, 2);
  });
}

test('a commitment that the chain refuses is undone: the inputs are free and settle in a later batch', async () => {
  const { w, users } = await scene('crash/refused');
  let refusals = 0;
  w.onBroadcast(async (tx) => {
    if (refusals++ > 0) return w.chain.broadcast(tx);
    throw new ProtocolError('TX_REJECTED', 'not today', { reason: 'mempool full' });
  });
  await w.settle(...users);
  assert.ok(refusals >= 2);
  assert.equal(await total(users), 123_000n);
  const states = (await w.db.read('select state from ark_batch order by state')).map(({ state }) => state);
  assert.deepEqual(states, ['failed', 'final', 'final']);
  const known = "select commitment_txid from ark_batch where state = 'final'";
  const orphans = `select txid from ark_tree_tx where commitment_txid not in (${known})`;
  assert.deepEqual(await w.db.read(orphans), []);
});

test('a server that dies while it broadcasts finishes the batch, whether or not the chain has heard of it', async () => {
  for (const heard of [true, false]) {
    const { w, users } = await scene(`crash/broadcast/${heard}`);
    w.onBroadcast(async (tx) => {
      if (heard) await w.chain.broadcast(tx);
      w.kill();
      return new Promise(() => {});
    });
    await w.settle(...users).then(
      () => assert.fail('it cannot settle'),
      () => {},
    );
    w.onBroadcast(undefined);
    await w.restart();
    await assertAtRest(w);
    assert.equal(await total(users), 123_000n);
  }
});

test('a chain that cannot be reached leaves the batch pending until it can', async () => {
  const { w, users } = await scene('crash/unreachable');
  let reachable = false;
  w.onBroadcast((tx) => (reachable ? w.chain.broadcast(tx) : Promise.reject(new Error('connection refused'))));
  const settled = w.settle(...users);
  settled.catch(() => {});
  await w.advance(4_000);
  assert.equal((await w.db.read("select id from ark_batch where state = 'pending'")).length, 1);
  reachable = true;
  await w.mine(1);
  await assertAtRest(w);
  assert.equal(await total(users), 123_000n);
  await w.audit.check();
});

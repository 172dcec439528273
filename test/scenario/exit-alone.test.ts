/** Threats 24 and 27, and the promise behind all others: who kept its exit data leaves without the server, whatever happens. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { KeptVtxo } from '../../src/ark/client/exit-store.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import { openFileRecords } from '../../src/store/file-records.ts';
import { fund, type Keeping, keeping, leave } from '../support/keeping.ts';
import { paid, type User, type World, world } from '../support/world.ts';

const balanceOf = async ({ chain }: World, { to }: Keeping): Promise<bigint> =>
  (await chain.unspent(to)).reduce((sum, { value }) => sum + value, 0n);

/** The one VTXO that is kept. */
async function only({ keeper }: Keeping): Promise<KeptVtxo> {
  const [holding, ...others] = await keeper.review();
  assert.deepEqual(others, []);
  return holding!.vtxo;
}

/** Everybody's notes, settled through their keepers in one batch. */
async function settled(w: World, ...users: User[]): Promise<Keeping[]> {
  const all = users.map((user) => keeping(w, user));
  const orders = await Promise.all(users.map(w.everything));
  await w.run(Promise.all(all.map(({ keeper }, i) => keeper.settle(orders[i]!))));
  for (const { pocket } of users) pocket.length = 0;
  await w.mine(1);
  return all;
}

async function crowd(seed: string, ...names: string[]): Promise<[World, ...User[]]> {
  const w = await world({ seed });
  const users: User[] = [];
  for (const name of names) users.push(await w.user(name));
  for (const [i, user] of users.entries()) await w.note(user, 50_000 + i * 1_000);
  return [w, ...users];
}

async function pay(w: World, from: Keeping, to: User, amount: bigint): Promise<void> {
  const coins = await spendableCoins(from.user.client, from.user.account);
  const all = paid(from.user.account, coins);
  const outputs = [paid(to.account, [], amount), { ...all, value: all.value - amount }];
  await w.run(from.keeper.send(coins, outputs));
}

test('a settled VTXO and a received payment leave from what was kept, the server gone for good', async () => {
  const [w, alice, bob, carol] = await crowd('alone/gone', 'alice', 'bob', 'carol');
  const [a, b, c] = await settled(w, alice!, bob!, carol!);
  await pay(w, a!, bob!, 20_000n);
  const { taken, refused, disputed } = await b!.keeper.sync();
  assert.deepEqual([taken.map(({ standing }) => standing), refused, disputed], [['preconfirmed'], [], []]);
  await fund(w, b!, 30_000);
  await fund(w, c!, 30_000);
  await fund(w, a!, 30_000);
  w.kill();

  for (const [who, expected] of [
    [c!, 52_000n],
    [b!, 51_000n + 20_000n],
    [a!, 30_000n],
  ] as const) {
    const holdings = await who.keeper.review();
    let fees = 0n;
    for (const { vtxo } of holdings) {
      const quote = await who.keeper.quote(vtxo.outpoint, who.fees);
      assert.ok(quote.isWorthIt);
      assert.equal(quote.shortfall, 0n);
      const state = await leave(w, who, vtxo.outpoint);
      assert.equal(state.at, 'claimed');
      fees += quote.claimFee;
    }
    assert.equal(await balanceOf(w, who), expected - fees);
  }
});

test('the quote names the transactions, the fee and the blocks that an exit then takes', async () => {
  const [w, alice, bob] = await crowd('alone/quote', 'alice', 'bob');
  const [a, b] = await settled(w, alice!, bob!);
  await pay(w, a!, bob!, 20_000n);
  await b!.keeper.sync();
  const received = (await b!.keeper.review()).find(({ vtxo }) => vtxo.output.value === 20_000n)!;
  const none = await b!.keeper.quote(received.vtxo.outpoint, b!.fees);
  assert.deepEqual([none.transactions, none.blocks, none.coins], [4, 4, 1]);
  assert.equal(none.shortfall, none.unrollFee + 330n);

  // Exactly the coin that the quote asks for is enough, and all of it but dust goes to fees.
  await fund(w, b!, Number(none.shortfall));
  const quote = await b!.keeper.quote(received.vtxo.outpoint, b!.fees);
  assert.equal(quote.shortfall, 0n);
  const { height } = await w.chain.tip();
  const state = await leave(w, b!, received.vtxo.outpoint);
  assert.equal(state.at, 'claimed');
  assert.equal((await w.chain.tip()).height, height + quote.blocks + 19 + 1);
  assert.equal(await balanceOf(w, b!), 20_000n - quote.claimFee);
  const rest = await w.chain.unspent(b!.fees.script);
  assert.deepEqual(
    rest.map(({ value }) => value),
    [330n],
  );
});

test('an exit without a coin waits for one', async () => {
  const [w, alice] = await crowd('alone/broke', 'alice');
  const [a] = await settled(w, alice!);
  const vtxo = await only(a!);
  const state = await leave(w, a!, vtxo.outpoint, async (now, block) => {
    if (block < 3) assert.ok(now.at === 'unrolling' && now.unpaid.length === 1 && now.sent.length === 0);
    if (block === 2) await fund(w, a!, 10_000);
  });
  assert.equal(state.at, 'claimed');
});

test('reorganizations and restarts in the middle change nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'canalworks-exit-'));
  const path = join(folder, 'exit.jsonl');
  const [w, alice, bob] = await crowd('alone/reorg', 'alice', 'bob');
  let records = await openFileRecords(path);
  let who = keeping(w, alice!, records);
  const [order, other] = await Promise.all([alice!, bob!].map(w.everything));
  await w.run(Promise.all([who.keeper.settle(order!), keeping(w, bob!).keeper.settle(other!)]));
  await w.mine(1);
  await fund(w, who, 30_000);
  w.kill();
  const vtxo = await only(who);
  let reorgs = 0;
  for (let block = 0; ; block++) {
    // Another process each time, with nothing but the file.
    await records.close();
    records = await openFileRecords(path);
    who = keeping(w, alice!, records);
    const state = await who.keeper.exit(vtxo.outpoint, { fees: who.fees, to: who.to });
    if (state.at === 'claimed') break;
    await w.mine(1);
    if (block % 5 === 1 && reorgs < 5) {
      await w.reorg(2);
      await w.mine(1);
      reorgs++;
    }
    assert.ok(block < 100);
  }
  assert.equal(reorgs, 5);
  await records.close();
  await rm(folder, { recursive: true });
});

test('what was spent off-chain and is put on chain all the same is lost, and said to be', async () => {
  const [w, alice, bob] = await crowd('alone/spent', 'alice', 'bob');
  const [a] = await settled(w, alice!, bob!);
  const vtxo = await only(a!);
  const before = new Map<string, string>();
  for (const name of await a!.records.names('')) before.set(name, (await a!.records.read(name))!);
  const coins = await spendableCoins(alice!.client, alice!.account);
  await w.run(a!.keeper.send(coins, [paid(bob!.account, coins)]));
  assert.deepEqual(await a!.keeper.review(), []);
  // Alice brings back the records of yesterday.
  await a!.records.write(before);
  await fund(w, a!, 30_000);
  const state = await leave(w, a!, vtxo.outpoint);
  assert.equal(state.at, 'lost');
});

test('a VTXO worth less than its exit is quoted so', async () => {
  const [w, alice, bob] = await crowd('alone/dust', 'alice', 'bob');
  const [a, b] = await settled(w, alice!, bob!);
  await pay(w, a!, bob!, 400n);
  await b!.keeper.sync();
  const small = (await b!.keeper.review()).find(({ vtxo }) => vtxo.output.value === 400n)!;
  const quote = await b!.keeper.quote(small.vtxo.outpoint, b!.fees);
  assert.equal(quote.isWorthIt, false);
  assert.ok(quote.net < 0n);
});

test('a server that calls a kept VTXO spent does not make its owner forget it', async () => {
  const [w, alice] = await crowd('alone/denied', 'alice');
  const [a] = await settled(w, alice!);
  await w.db.write((tx) => tx.run(`update ark_vtxo set spent_by = '${'00'.repeat(32)}' where origin = 'batch'`, []));
  const { disputed } = await a!.keeper.sync();
  assert.equal(disputed.length, 1);
  await fund(w, a!, 30_000);
  assert.equal((await leave(w, a!, disputed[0]!.outpoint)).at, 'claimed');
});

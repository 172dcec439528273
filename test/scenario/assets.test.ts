/** Assets from issue to exit: who has how much, what the books say of the supply, and what outlives a crash or a reorg. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coinOf } from '../../src/ark/client/account.ts';
import { assetOf, assetsOf } from '../../src/ark/client/assets.ts';
import { settle } from '../../src/ark/client/batch.ts';
import type { BatchOrder } from '../../src/ark/client/batch-session.ts';
import { resumePayments, send } from '../../src/ark/client/offchain.ts';
import { vtxosOf } from '../../src/ark/client/vtxos.ts';
import { assetIdOf } from '../../src/ark/protocol/asset-packet.ts';
import { subDustScript } from '../../src/ark/protocol/vtxo.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { sats } from '../../src/base/units.ts';
import { relativeTimelock } from '../../src/bitcoin/timelock.ts';
import { changed, coinsOf, issue, pay, supplyOf, toSelf, unitsOf } from '../support/assets.ts';
import { locksOf } from '../support/locks.ts';
import { coinOf as chainCoin, spend } from '../support/regtest.ts';
import { rivalOf, takeOver } from '../support/rival.ts';
import { type Crash, paid, secp, type User, type WorldOptions, world } from '../support/world.ts';

async function scene(seed: string, options: Partial<WorldOptions> = {}) {
  const w = await world({ seed, ...options });
  const [alice, bob] = [await w.user('alice'), await w.user('bob')];
  for (const user of [alice, bob]) await w.note(user, 50_000);
  await w.settle(alice, bob);
  return { w, alice, bob };
}

const order = async (user: User, more: Partial<BatchOrder> = {}): Promise<BatchOrder> => {
  const coins = await coinsOf(user);
  return { coins, receivers: [paid(user.account, coins)], onchain: [], ...more };
};

test('an asset is issued, paid, issued again by who holds its control asset, and burned', async () => {
  const { w, alice, bob } = await scene('assets/life');
  const key = await issue(w, alice, 1n);
  const gold = await issue(w, alice, 500n, key);
  assert.deepEqual(await assetOf(alice.client, gold), {
    assetId: gold,
    supply: 500n,
    metadata: [],
    controlAsset: key,
  });
  await pay(w, alice, bob, 1_000n, gold, 200n);
  assert.deepEqual([await unitsOf(alice, gold), await unitsOf(bob, gold)], [300n, 200n]);

  await toSelf(w, alice, { outputs: [changed(assetsOf(await coinsOf(alice)), gold, 50n)] });
  assert.deepEqual([await unitsOf(alice, gold), await supplyOf(bob, gold)], [350n, 550n]);

  await toSelf(w, bob, { outputs: [changed(assetsOf(await coinsOf(bob)), gold, -120n)] });
  await toSelf(w, alice, { outputs: [[{ assetId: key, amount: 1n }]] });
  assert.deepEqual([await unitsOf(alice, gold), await unitsOf(bob, gold), await supplyOf(bob, gold)], [0n, 80n, 80n]);
  assert.equal(await unitsOf(alice, key), 1n);
});

test('metadata and control assets issued along are told as they were issued; more than 64 bits of supply add up', async () => {
  const { w, alice } = await scene('assets/issue');
  const most = 2n ** 64n - 1n;
  const metadata = [{ key: utf8('name'), value: utf8('Gold') }];
  const coins = await coinsOf(alice);
  const outputs = [paid(alice.account, [], 10_000n), paid(alice.account, [], 40_000n)];
  const issues = [
    {
      outputs: [
        { vout: 0, amount: most },
        { vout: 1, amount: most },
      ],
      metadata,
      control: { kind: 'group', index: 1 } as const,
    },
    { outputs: [{ vout: 1, amount: 1n }] },
  ];
  const { arkTxid } = await w.run(send(alice.client, alice.account, coins, outputs, { outputs: [], issues }));
  const [gold, key] = [assetIdOf(arkTxid, 0), assetIdOf(arkTxid, 1)];
  assert.deepEqual(await assetOf(alice.client, gold), {
    assetId: gold,
    supply: 2n * most,
    metadata,
    controlAsset: key,
  });
  assert.equal(await unitsOf(alice, gold), 2n * most);
});

test('a settled VTXO keeps its assets, and so does one that was swept before', async () => {
  const { w, alice, bob } = await scene('assets/settle', { settings: { batchExpiry: relativeTimelock(30) } });
  const gold = await issue(w, alice, 500n);
  await w.settle(alice, bob);
  const [vtxo] = await vtxosOf(alice.client, alice.account, 'spendableOnly');
  assert.ok(!vtxo!.isPreconfirmed);
  assert.deepEqual(vtxo!.assets, [{ assetId: gold, amount: 500n }]);
  await pay(w, alice, bob, 1_000n, gold, 100n);
  await w.mine(40);
  const settlements = [alice, bob].map(async ({ client, account }) => {
    const swept = await vtxosOf(client, account, 'recoverableOnly');
    const coins = swept.map(({ outpoint, amount, assets }) => coinOf(account, 'recoverable', outpoint, amount, assets));
    await settle(client, account, { coins, receivers: [paid(account, coins)], onchain: [] });
  });
  await w.advance(4_000);
  await Promise.all(settlements);
  assert.deepEqual([await unitsOf(alice, gold), await unitsOf(bob, gold)], [400n, 100n]);
  assert.equal(await supplyOf(alice, gold), 500n);
});

test('assets split over several receivers of a batch; the rest stays behind and is burned', async () => {
  const { w, alice, bob } = await scene('assets/split');
  const key = await issue(w, alice, 5n);
  const gold = await issue(w, alice, 500n, key);
  const receivers = [paid(alice.account, [], 20_000n), paid(bob.account, [], 30_000n)];
  const assets = [[{ assetId: key, amount: 5n }], [{ assetId: gold, amount: 450n }]];
  await w.run(settle(alice.client, alice.account, await order(alice, { receivers, assets })));
  assert.deepEqual([await unitsOf(alice, key), await unitsOf(alice, gold), await unitsOf(bob, gold)], [5n, 0n, 450n]);
  assert.equal(await supplyOf(alice, gold), 450n);
});

test('a collaborative exit leaves the assets in the VTXO that stays, or burns them on their owner’s word', async () => {
  const { w, alice, bob } = await scene('assets/exit');
  const gold = await issue(w, alice, 500n);
  const onchain = [{ value: 5_000n, script: alice.account.boarding.script }];
  const partly = await order(alice, { onchain, receivers: [paid(alice.account, [], 45_000n)] });
  await w.run(settle(alice.client, alice.account, partly));
  assert.deepEqual([await unitsOf(alice, gold), await supplyOf(alice, gold)], [500n, 500n]);

  const all = [{ value: 45_000n, script: alice.account.boarding.script }];
  const wholly = await order(alice, { onchain: all, receivers: [] });
  await assert.rejects(settle(alice.client, alice.account, wholly), RangeError);
  await w.run(settle(alice.client, alice.account, { ...wholly, assets: [] }));
  assert.deepEqual([await unitsOf(alice, gold), await supplyOf(alice, gold)], [0n, 0n]);
  await w.settle(bob);
});

test('a control asset serves in a batch too, where assets grow and shrink by the same commitment', async () => {
  const { w, alice, bob } = await scene('assets/reissue');
  const key = await issue(w, alice, 1n);
  const gold = await issue(w, alice, 500n, key);
  await pay(w, alice, bob, 1_000n, gold, 200n);
  const more = await order(alice, { assets: [changed(assetsOf(await coinsOf(alice)), gold, 70n)] });
  const less = await order(bob, { assets: [changed(assetsOf(await coinsOf(bob)), gold, -200n)] });
  await w.run(Promise.all([settle(alice.client, alice.account, more), settle(bob.client, bob.account, less)]));
  assert.deepEqual([await unitsOf(alice, gold), await unitsOf(bob, gold), await supplyOf(bob, gold)], [370n, 0n, 370n]);
});

test('a VTXO below dust carries assets, which come back together with others', async () => {
  const { w, alice, bob } = await scene('assets/dust');
  const gold = await issue(w, alice, 500n);
  const coins = await coinsOf(alice);
  const outputs = [
    { value: 100n, script: subDustScript(bob.account.vtxo.outputKey) },
    paid(alice.account, [], 49_900n),
  ];
  const plan = {
    outputs: [[{ assetId: gold, amount: 7n }], [{ assetId: gold, amount: 493n }]],
  };
  await w.run(send(alice.client, alice.account, coins, outputs, plan));
  const [dust] = await vtxosOf(bob.client, bob.account, 'recoverableOnly');
  assert.deepEqual(dust!.assets, [{ assetId: gold, amount: 7n }]);
  bob.pocket.push(coinOf(bob.account, 'recoverable', dust!.outpoint, dust!.amount, dust!.assets));
  await w.settle(bob);
  assert.deepEqual([await unitsOf(alice, gold), await unitsOf(bob, gold)], [493n, 7n]);
});

/** Alice, with an asset that she can issue more of, in coins that are settled. */
async function holder(seed: string) {
  const { w, alice, bob } = await scene(seed);
  const key = await issue(w, alice, 1n);
  const gold = await issue(w, alice, 500n, key);
  const coins = await coinsOf(alice);
  return { w, alice, bob, key, gold, coins };
}

/** Issues 100 units more and pays them all to Bob, over a server that dies at `crash`. Returns whether it came so far. */
async function crashPayment(crash: Crash): Promise<boolean> {
  const { w, alice, bob, key, gold, coins } = await holder(`assets/crash/payment/${crash.when}/${crash.write}`);
  const outputs = [paid(bob.account, [], 1_000n), paid(alice.account, [], 49_000n)];
  const plan = { outputs: [[{ assetId: gold, amount: 600n }], [{ assetId: key, amount: 1n }]] };
  const make = () => w.run(send(alice.client, alice.account, coins, outputs, plan));
  w.crashAt(crash);
  const outcome = await make().then(
    () => 'paid',
    () => 'died',
  );
  if (outcome === 'paid') return false;
  assert.ok(w.isDead);
  await w.restart();
  const supply = await supplyOf(alice, gold);
  const received = await unitsOf(bob, gold);
  assert.deepEqual([supply, received], received > 0n ? [600n, 600n] : [500n, 0n], 'supply and VTXOs change as one');
  const resumed = await w.run(resumePayments(alice.client, alice.account, coins));
  if (resumed.length === 0 && received === 0n) await make();
  assert.deepEqual([await supplyOf(alice, gold), await unitsOf(bob, gold)], [600n, 600n]);
  assert.equal(await unitsOf(alice, key), 1n);
  await w.settle(alice, bob);
  assert.deepEqual([await supplyOf(alice, gold), await unitsOf(bob, gold)], [600n, 600n]);
  return true;
}

async function crashBatch(crash: Crash): Promise<boolean> {
  const { w, alice, key, gold, coins } = await holder(`assets/crash/batch/${crash.when}/${crash.write}`);
  const assets = [
    [
      { assetId: gold, amount: 450n },
      { assetId: key, amount: 1n },
    ],
  ];
  const burn = { coins, receivers: [paid(alice.account, coins)], onchain: [], assets };
  w.crashAt(crash);
  const outcome = await w.run(settle(alice.client, alice.account, burn)).then(
    () => 'settled',
    () => 'died',
  );
  if (outcome === 'settled') return false;
  assert.ok(w.isDead);
  await w.restart();
  await w.mine(1);
  const supply = await supplyOf(alice, gold);
  assert.equal(supply, await unitsOf(alice, gold), 'supply and VTXOs change as one');
  await w.db.write((tx) => tx.run('delete from ark_intent where batch_id is null'));
  if (supply === 500n) await w.run(settle(alice.client, alice.account, burn));
  assert.deepEqual([await supplyOf(alice, gold), await unitsOf(alice, gold)], [450n, 450n]);
  return true;
}

for (const when of ['before', 'after'] as const) {
  test(`assets are neither lost nor doubled by a server that dies ${when} any write of a payment or a batch`, async () => {
    let [payments, batches] = [0, 0];
    for (let write = 1; await crashPayment({ write, when }); write++) payments++;
    for (let write = 1; await crashBatch({ write, when }); write++) batches++;
    assert.equal(payments, 2);
    assert.ok(batches >= 4, `${batches} deaths`);
  });
}

test('a batch that a longer chain undoes takes back what it burned, and what was issued from it counts for nothing', async () => {
  const { w, alice, bob, key, gold } = await holder('assets/undone');
  const lock = locksOf(secp, 'bob').p2tr;
  const funding = await w.chain.faucet(lock.script, sats(100_000));
  await w.mine(1);
  const coin = chainCoin((await w.chain.transaction(funding))!.tx, 0, lock);
  const { height: fork } = await w.chain.tip();
  const toBoarding = spend([coin], [{ value: 99_000n, script: bob.account.boarding.script }]);
  const outpoint = { txid: await w.chain.broadcast(toBoarding), vout: 0 };
  await w.mine(1);
  const boarding = coinOf(bob.account, 'boarding', outpoint, 99_000n);
  const burn = await order(alice, { assets: [changed(assetsOf(await coinsOf(alice)), gold, -100n)] });
  await w.run(
    Promise.all([
      settle(alice.client, alice.account, burn),
      settle(bob.client, bob.account, { coins: [boarding], receivers: [paid(bob.account, [boarding])], onchain: [] }),
    ]),
  );
  await w.mine(1);
  const lead = await issue(w, alice, 7n);
  await toSelf(w, alice, { outputs: [changed(assetsOf(await coinsOf(alice)), gold, 50n)] });
  assert.deepEqual([await supplyOf(alice, gold), await supplyOf(alice, lead)], [450n, 7n]);

  const rival = await rivalOf(w, fork);
  await rival.broadcast(spend([coin], [{ value: 99_500n, script: lock.script }]));
  await rival.mine(4);
  await takeOver(w, rival, fork);
  await w.mine(6);
  assert.deepEqual([await supplyOf(alice, gold), await supplyOf(alice, lead)], [500n, 0n]);
  assert.deepEqual([await unitsOf(alice, gold), await unitsOf(alice, lead), await unitsOf(alice, key)], [500n, 0n, 1n]);
  await w.audit.check();
  await w.settle(alice);
  assert.equal(await unitsOf(alice, gold), 500n);
});

/** Threat 11 and crashes: what an owner keeps, when, and until when; and when it is told to renew or to leave. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrivals } from '../../src/ark/client/arrivals.ts';
import { leavingOrder } from '../../src/ark/client/orders.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import { type Outpoint, outpointKey } from '../../src/base/bytes.ts';
import { type FeeRate, feeRate } from '../../src/base/units.ts';
import { type Lies, lying, refusal } from '../support/adversary.ts';
import { explorerOf } from '../support/explorer.ts';
import { fund, type Keeping, keeping, leave } from '../support/keeping.ts';
import { broadcastWithChild } from '../support/unroll.ts';
import { paid, type User, type World, world } from '../support/world.ts';

const keys = async ({ store }: Keeping): Promise<string[]> =>
  (await store.list()).map(({ outpoint }) => outpointKey(outpoint)).sort();

/** The one VTXO that is kept. */
const only = async ({ store }: Keeping): Promise<Outpoint> => (await store.list())[0]!.outpoint;

async function lone(seed: string, lies: Lies = {}): Promise<{ w: World; alice: User; kept: Keeping }> {
  const w = await world({ seed });
  const alice = await w.user('alice', lying(lies));
  await w.note(alice, 50_000);
  const kept = keeping(w, alice);
  await w.run(kept.keeper.settle(await w.everything(alice)));
  alice.pocket.length = 0;
  await w.mine(1);
  return { w, alice, kept };
}

test('the way out is kept before the forfeit leaves the house', async () => {
  const seen: string[][] = [];
  const { w, alice, kept } = await lone('keeper/forfeit', {
    async submitForfeitTxs(body, send) {
      seen.push(await keys(kept));
      return send(body);
    },
  });
  const old = await keys(kept);
  const { vtxos } = await w.run(kept.keeper.settle(await w.everything(alice)));
  const fresh = outpointKey(vtxos[0]!.outpoint);
  assert.deepEqual(seen, [[...old, fresh].sort()]);
});

test('the way out of the change is kept before the coin is given away', async () => {
  const seen: string[][] = [];
  const { w, alice, kept } = await lone('keeper/change', {
    async finalizeTx(body, send) {
      seen.push(await keys(kept));
      return send(body);
    },
  });
  const bob = await w.user('bob');
  const old = await keys(kept);
  const coins = await spendableCoins(alice.client, alice.account);
  const outputs = [paid(bob.account, [], 20_000n), paid(alice.account, [], 30_000n)];
  const { vtxos } = await w.run(kept.keeper.send(coins, outputs));
  const change = outpointKey(vtxos[1]!.outpoint);
  assert.deepEqual(seen, [[...old, change].sort()]);
  assert.deepEqual(await keys(kept), [change]);
  // The server dies, the change leaves.
  await fund(w, kept, 30_000);
  w.kill();
  assert.equal((await leave(w, kept, vtxos[1]!.outpoint)).at, 'claimed');
});

test('a client that dies at its forfeit can leave by the batch it paid for', async () => {
  let dies = false;
  const { w, alice, kept } = await lone('keeper/death', {
    async submitForfeitTxs(body, send) {
      const answer = await send(body);
      if (dies) throw new Error('the light went out');
      return answer;
    },
  });
  const [old] = await keys(kept);
  dies = true;
  const work = kept.keeper.settle(await w.everything(alice)).catch(() => {});
  await w.run(work);
  await w.advance(3_000);
  await w.mine(1);
  const next = keeping(w, alice, kept.records);
  const { disputed } = await next.keeper.sync();
  assert.deepEqual(
    disputed.map(({ outpoint }) => outpointKey(outpoint)),
    [old],
  );
  const [fresh] = (await next.store.list()).filter(({ outpoint }) => outpointKey(outpoint) !== old);
  await fund(w, next, 30_000);
  w.kill();
  assert.equal((await leave(w, next, fresh!.outpoint)).at, 'claimed');
});

test('renewal is advised in time and done, and what it replaced is forgotten once it is buried', async () => {
  const { w, kept } = await lone('keeper/renew');
  const advice = async () => (await kept.keeper.review()).map((holding) => holding.advice);
  assert.deepEqual(await advice(), ['none']);
  assert.equal(await kept.keeper.renew(), undefined);
  const [holding] = await kept.keeper.review();
  await w.mine(holding!.life!.renewFrom - holding!.life!.now);
  assert.deepEqual(await advice(), ['renew']);
  const before = await keys(kept);
  const outcome = await w.run(kept.keeper.renew());
  await w.mine(1);
  assert.deepEqual(await advice(), ['none']);
  assert.equal((await keys(kept)).length, 2);
  await w.mine(4);
  await kept.keeper.sync();
  assert.equal((await keys(kept)).length, 2, 'five blocks are not enough');
  await w.mine(1);
  await kept.keeper.sync();
  assert.deepEqual(await keys(kept), [outpointKey(outcome!.vtxos[0]!.outpoint)]);
  assert.notDeepEqual(await keys(kept), before);
});

test('who did not renew is told to leave in time, and is through before the server may sweep', async () => {
  const { w, kept } = await lone('keeper/late');
  await fund(w, kept, 30_000);
  const [holding] = await kept.keeper.review();
  await w.mine(holding!.life!.latestStart - holding!.life!.now);
  assert.deepEqual(
    (await kept.keeper.review()).map(({ advice }) => advice),
    ['renew'],
  );
  await w.mine(1);
  assert.deepEqual(
    (await kept.keeper.review()).map(({ advice }) => advice),
    ['exit'],
  );
  assert.equal((await leave(w, kept, holding!.vtxo.outpoint)).at, 'claimed');
});

test('what the server swept cannot leave any more, and is recovered in a batch', async () => {
  const { w, kept } = await lone('keeper/swept');
  await w.mine(150);
  const [holding] = await kept.keeper.review();
  assert.equal(holding!.advice, 'recover');
  await fund(w, kept, 30_000);
  assert.equal((await leave(w, kept, holding!.vtxo.outpoint)).at, 'lost');
  const outcome = await w.run(kept.keeper.renew());
  assert.equal(outcome!.vtxos[0]!.output.value, 50_000n);
  await w.mine(1);
  assert.deepEqual(
    (await kept.keeper.review()).map(({ advice }) => advice),
    ['none'],
  );
});

test('a payment interrupted between submission and finality is finished, its change kept first', async () => {
  let isDown = true;
  const seen: string[][] = [];
  const { w, alice, kept } = await lone('keeper/resume', {
    async finalizeTx(body, send) {
      if (isDown) throw new Error('the light went out');
      seen.push(await keys(kept));
      return send(body);
    },
  });
  const bob = await w.user('bob');
  const coins = await spendableCoins(alice.client, alice.account);
  const outputs = [paid(bob.account, [], 20_000n), paid(alice.account, [], 30_000n)];
  await assert.rejects(w.run(kept.keeper.send(coins, outputs)));
  isDown = false;
  const [txid] = await w.run(kept.keeper.resume());
  assert.equal(seen.length, 1);
  assert.ok(seen[0]!.includes(`${txid}:1`));
  assert.deepEqual(await keys(kept), [`${txid}:1`]);
  assert.deepEqual(await kept.keeper.resume(), []);
});

test('a step that is stuck pays more, whether it unrolls or claims', async () => {
  const { w, alice, kept } = await lone('keeper/stuck');
  let rate = feeRate(1);
  const moody = { ...explorerOf(w), feeRate: async (): Promise<FeeRate> => rate };
  const who = keeping(w, alice, kept.records, moody);
  await fund(w, who, 30_000);
  const outpoint = await only(who);
  const step = () => who.keeper.exit(outpoint, who);
  const change = async () => (await w.chain.unspent(who.fees.script)).map(({ value }) => value);

  const first = await step();
  const [cheap] = await change();
  assert.ok(first.at === 'unrolling' && first.sent.length === 1);
  const same = await step();
  assert.ok(same.at === 'unrolling' && same.sent.length === 0 && same.waiting.length === 1);
  rate = feeRate(8);
  const bumped = await step();
  assert.ok(bumped.at === 'unrolling' && bumped.sent.length === 1 && bumped.waiting.length === 0);
  const [dear] = await change();
  assert.ok(dear! < cheap! - 1_000n);
  await w.mine(1);

  rate = feeRate(1);
  await w.mine(19);
  const claiming = await step();
  assert.equal(claiming.at, 'claiming');
  assert.deepEqual(await step(), claiming);
  rate = feeRate(9);
  const again = await step();
  assert.ok(again.at === 'claiming' && claiming.at === 'claiming' && again.txid !== claiming.txid);
  await w.mine(1);
  assert.deepEqual(await step(), { at: 'claimed', txid: again.txid });
});

test('a stranger who bumps too little to hold an exit up is outbid', async () => {
  const { w, alice, kept } = await lone('keeper/pinned');
  let rate = feeRate(1);
  const moody = { ...explorerOf(w), feeRate: async (): Promise<FeeRate> => rate };
  const who = keeping(w, alice, kept.records, moody);
  await fund(w, who, 30_000);
  const outpoint = await only(who);
  const [root] = (await who.store.get(outpoint))!.txs;
  await broadcastWithChild(w, root!);
  const held = await who.keeper.exit(outpoint, who);
  assert.ok(held.at === 'unrolling' && held.waiting.length === 1);
  rate = feeRate(10);
  const outbid = await who.keeper.exit(outpoint, who);
  assert.ok(outbid.at === 'unrolling' && outbid.sent.length === 1);
  const [change] = await w.chain.unspent(who.fees.script);
  assert.ok(change!.value < 30_000n - 2_000n && !change!.confirmation);
});

test('a claim that its fee would eat waits for a better day', async () => {
  const { w, alice, kept } = await lone('keeper/uneconomical');
  let rate = feeRate(1);
  const moody = { ...explorerOf(w), feeRate: async (): Promise<FeeRate> => rate };
  const who = keeping(w, alice, kept.records, moody);
  await fund(w, who, 30_000);
  const outpoint = await only(who);
  await who.keeper.exit(outpoint, who);
  await w.mine(20);
  rate = feeRate(2_000);
  assert.deepEqual(await who.keeper.exit(outpoint, who), { at: 'uneconomical' });
  rate = feeRate(1);
  assert.equal((await who.keeper.exit(outpoint, who)).at, 'claiming');
});

test('a collaborative exit with change pays the server’s fee, and no more than there is', async () => {
  const fees = { offchainInput: '10.0', offchainOutput: '20.0', onchainInput: '0.0', onchainOutput: '100.0' };
  const w = await world({ seed: 'keeper/leaving', settings: { intentFee: fees } });
  const alice = await w.user('alice');
  const kept = keeping(w, alice);
  const coins = [await w.note(alice, 50_000)];
  const out = (value: bigint) => ({ value, script: kept.to });
  const order = await leavingOrder(alice.client, alice.account, coins, out(20_000n));
  assert.deepEqual(order.receivers, [paid(alice.account, [], 50_000n - 20_000n - 130n)]);
  await w.run(kept.keeper.settle(order));
  await w.mine(1);
  assert.deepEqual(
    (await w.chain.unspent(kept.to)).map(({ value }) => value),
    [20_000n],
  );
  assert.equal((await kept.keeper.review())[0]!.vtxo.output.value, 29_870n);

  const rest = await spendableCoins(alice.client, alice.account);
  const all = await leavingOrder(alice.client, alice.account, rest, out(29_760n));
  assert.deepEqual(all.receivers, []);
  const much = leavingOrder(alice.client, alice.account, rest, out(29_761n));
  assert.equal(await refusal(much), 'COINS_INSUFFICIENT');
  assert.equal(await refusal(leavingOrder(alice.client, alice.account, rest, out(30_000n))), 'COINS_INSUFFICIENT');
});

test('arrivals are told by the stream, and by the clock while there is none', async () => {
  const w = await world({ seed: 'keeper/arrivals' });
  const [alice, bob] = [await w.user('alice'), await w.user('bob')];
  await w.note(alice, 50_000);
  await w.settle(alice);
  const kept = keeping(w, bob);
  const abort = new AbortController();
  const pauses: (() => void)[] = [];
  const pause = (): Promise<void> => new Promise((resolve) => pauses.push(resolve));
  const values: bigint[][] = [];
  const listening = (async () => {
    for await (const _ of arrivals(bob.client, bob.account, pause, abort.signal)) {
      const { taken } = await kept.keeper.sync();
      values.push(taken.map(({ output }) => output!.value));
    }
  })();
  await w.rest();
  assert.deepEqual(values, [[]]);
  const pay = async (amount: bigint): Promise<void> => {
    const coins = await spendableCoins(alice.client, alice.account);
    const all = paid(alice.account, coins);
    await w.run(
      keeping(w, alice).keeper.send(coins, [paid(bob.account, [], amount), { ...all, value: all.value - amount }]),
    );
  };
  await pay(1_000n);
  await w.rest();
  assert.deepEqual(values, [[], [1_000n]]);

  await w.restart();
  await w.rest();
  assert.equal(pauses.length, 1, 'the stream broke, the clock is asked');
  await pay(2_000n);
  pauses.shift()!();
  await w.rest();
  assert.deepEqual(values, [[], [1_000n], [2_000n]]);
  await pay(3_000n);
  await w.rest();
  assert.deepEqual(values.at(-1), [3_000n]);
  abort.abort();
  await listening;
});

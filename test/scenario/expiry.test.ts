/**
 * Threat 11: server and client agree on who owes a forfeit, whatever the clock and the chain say between registration
 * and the end of a batch; and nobody is paid with a VTXO that expires before its receiver could leave with it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Coin, coinOf } from '../../src/ark/client/account.ts';
import { settle } from '../../src/ark/client/batch.ts';
import { send } from '../../src/ark/client/offchain.ts';
import { spendableCoins, vtxosOf } from '../../src/ark/client/vtxos.ts';
import { exitBlocks, mayExpireMeanwhile } from '../../src/ark/protocol/expiry.ts';
import { type UnixSeconds, unixSeconds } from '../../src/base/units.ts';
import { relativeTimelock } from '../../src/bitcoin/timelock.ts';
import { refusal } from '../support/adversary.ts';
import { pass } from '../support/fraud.ts';
import { paid, type User, type World, world } from '../support/world.ts';

const LIFE = 5_120;
const MARGIN = 10 + LIFE / 16;

/** Alice has a VTXO whose batch expires at a time; where its delays are counted in seconds, so are all others. */
async function timed(seed: string) {
  const settings = {
    batchExpiry: relativeTimelock(LIFE),
    unilateralExitDelay: relativeTimelock(1_024),
    publicUnilateralExitDelay: relativeTimelock(1_024),
    boardingExitDelay: relativeTimelock(2_048),
    checkpointExitDelay: relativeTimelock(512),
  };
  const w = await world({ seed, settings });
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  await w.settle(alice);
  await w.mine(1);
  const [row] = await w.db.read<{ expires_at: bigint }>("select expires_at from ark_vtxo where origin = 'batch'");
  return { w, alice, expiresAt: Number(row!.expires_at) };
}

const nowOf = ({ clock }: World): number => Math.floor(clock.now() / 1000);

/** Clock and chain go on to `time`. */
async function goTo({ clock, chain, rest }: World, time: number): Promise<void> {
  await clock.advance(time * 1000 - clock.now());
  await chain.advanceMedianTime(unixSeconds(Math.floor(clock.now() / 1000)));
  await rest();
}

const swept = async ({ client, account }: User): Promise<boolean[]> =>
  (await vtxosOf(client, account)).map(({ isSwept }) => isSwept);

describe('where batches expire at a time', () => {
  test('what is told is that time, and a VTXO is settled with a forfeit until shortly before it', async () => {
    const { w, alice, expiresAt } = await timed('expiry/told');
    assert.ok(Math.abs(expiresAt - nowOf(w) - LIFE) <= 2);
    await w.clock.advance((expiresAt - nowOf(w) - MARGIN - 30) * 1000);
    await w.settle(alice);
    const [row] = await w.db.read('select count(*) as n from ark_forfeit');
    assert.equal(row!.n, 1n);
    await w.audit.check();
  });

  test('one that is about to expire is refused until its batch is swept, then settled without a forfeit', async () => {
    const { w, alice, expiresAt } = await timed('expiry/window');
    await w.clock.advance((expiresAt - nowOf(w) - MARGIN + 5) * 1000);
    const order = await w.everything(alice);
    const attempt = (coins: readonly Coin[]) =>
      settle(alice.client, alice.account, { coins, receivers: [paid(alice.account, coins)], onchain: [] });
    assert.equal(await refusal(attempt(order.coins)), 'VTXO_RECOVERABLE');
    await w.clock.advance((expiresAt - nowOf(w) + 10) * 1000);
    await w.mine(1);
    assert.deepEqual(await swept(alice), [false], 'the median time is not there yet');
    assert.equal(await refusal(attempt(order.coins)), 'VTXO_RECOVERABLE');
    await goTo(w, expiresAt + 7_200);
    await w.mine(1);
    assert.deepEqual(await swept(alice), [true]);
    const [vtxo] = await vtxosOf(alice.client, alice.account);
    await w.run(attempt([coinOf(alice.account, 'recoverable', vtxo!.outpoint, vtxo!.amount)]));
    const [row] = await w.db.read('select count(*) as n from ark_forfeit');
    assert.equal(row!.n, 0n);
    await w.mine(1);
    await w.audit.check();
  });

  test('one that was registered in time and waited in the queue for too long is dropped, and nobody is convicted', async () => {
    const { w, alice, expiresAt } = await timed('expiry/queued');
    await w.admin('settings', { settings: { roundMinParticipantsCount: 2 } });
    await w.clock.advance((expiresAt - nowOf(w) - MARGIN - 30) * 1000);
    const leave = new AbortController();
    const waiting = refusal(settle(alice.client, alice.account, await w.everything(alice), leave.signal));
    await w.advance(60_000);
    const bob = await w.user('bob');
    await w.note(bob, 5_000);
    await w.admin('settings', { settings: { roundMinParticipantsCount: 1 } });
    await w.settle(bob);
    leave.abort();
    await w.run(waiting);
    assert.deepEqual(await w.db.read('select crime from ark_conviction'), []);
    assert.equal((await spendableCoins(alice.client, alice.account)).length, 1);
    await w.audit.check();
  });

  test('both ends of the margin, and heights, which clients do not look at', () => {
    const now = unixSeconds(1_700_000_000);
    const at = (seconds: number): UnixSeconds => unixSeconds(now + seconds);
    assert.equal(mayExpireMeanwhile(at(330), now, 10, LIFE), true);
    assert.equal(mayExpireMeanwhile(at(331), now, 10, LIFE), false);
    assert.equal(mayExpireMeanwhile(at(-1), now, 10, LIFE), true);
    assert.equal(mayExpireMeanwhile(at(610), now, 10, 604_672), true);
    assert.equal(mayExpireMeanwhile(at(611), now, 10, 604_672), false);
    assert.equal(mayExpireMeanwhile(800_000, now, 10, LIFE), false);
  });
});

describe('a client that has not heard of the sweep yet', () => {
  /** Alice has a swept VTXO and a live one, and thinks that both are live. */
  async function outdated(seed: string) {
    const w = await world({ seed, settings: { batchExpiry: relativeTimelock(30) } });
    const alice = await w.user('alice');
    await w.note(alice, 50_000);
    await w.settle(alice);
    await pass(w, 20);
    const old = await spendableCoins(alice.client, alice.account);
    await w.note(alice, 20_000);
    const { pocket } = alice;
    const note = { coins: pocket.splice(0), receivers: [paid(alice.account, [], 20_000n)], onchain: [] };
    await w.run(settle(alice.client, alice.account, note));
    await w.mine(1);
    const all = await spendableCoins(alice.client, alice.account);
    await pass(w, 9);
    const known = await spendableCoins(alice.client, alice.account);
    assert.equal(known.length, 1);
    return { w, alice, stale: all, old };
  }

  test('signs a forfeit that is not owed: it has a connector for it, and the batch settles', async () => {
    const { w, alice, stale } = await outdated('expiry/stale');
    assert.equal(stale.length, 2);
    const order = { coins: stale, receivers: [paid(alice.account, stale)], onchain: [] };
    await w.run(settle(alice.client, alice.account, order));
    await w.mine(1);
    assert.deepEqual(
      (await spendableCoins(alice.client, alice.account)).map(({ amount }) => amount),
      [70_000n],
    );
    assert.deepEqual(await w.db.read('select crime from ark_conviction'), []);
    await w.audit.check();
  });

  test('and one that has heard of it signs only what is owed, in the same place', async () => {
    const { w, alice, stale, old } = await outdated('expiry/fresh');
    const coins = stale.map((coin) =>
      old.some(({ outpoint }) => outpoint.txid === coin.outpoint.txid)
        ? { ...coin, kind: 'recoverable' as const }
        : coin,
    );
    await w.run(settle(alice.client, alice.account, { coins, receivers: [paid(alice.account, coins)], onchain: [] }));
    const [row] = await w.db.read('select count(*) as n from ark_forfeit');
    assert.equal(row!.n, 1n);
    await w.mine(1);
    await w.audit.check();
  });
});

describe('a payment from a VTXO that expires soon', () => {
  const pay = async (w: World, from: User, to: User) => {
    const coins = await spendableCoins(from.client, from.account);
    return w.run(send(from.client, from.account, coins, [paid(to.account, coins)]));
  };

  test('is refused where its receiver could not put it on chain in time, and made a block before', async () => {
    const w = await world({ seed: 'expiry/too-late', network: 'mainnet' });
    const [alice, bob] = [await w.user('alice'), await w.user('bob')];
    await w.note(alice, 50_000);
    await w.settle(alice);
    await w.mine(1);
    // The batch began before the block that it is in.
    await pass(w, 143 - exitBlocks(0));
    await pay(w, alice, bob);
    assert.equal(await refusal(pay(w, bob, alice)), 'VTXO_RECOVERABLE');
    await w.settle(bob);
    await w.mine(1);
    await pay(w, bob, alice);
    await w.audit.check();
  });

  test('is made to the very end on regtest', async () => {
    const w = await world({ seed: 'expiry/regtest' });
    const [alice, bob] = [await w.user('alice'), await w.user('bob')];
    await w.note(alice, 50_000);
    await w.settle(alice);
    await pass(w, 143);
    await pay(w, alice, bob);
    await w.audit.check();
  });
});

test('a renewal in the last block before expiry moves everything into the new batch', async () => {
  const w = await world({ seed: 'expiry/last-block', settings: { batchExpiry: relativeTimelock(30) } });
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  await w.settle(alice);
  await pass(w, 29);
  await w.settle(alice);
  await pass(w, 3);
  assert.deepEqual(
    (await spendableCoins(alice.client, alice.account)).map(({ amount }) => amount),
    [50_000n],
  );
  await w.audit.check();
});

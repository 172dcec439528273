/** What an operator changes while the server runs: in force at once, told to clients by the digest, kept over restarts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../src/ark/client/batch.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { AdminRefusal, paid, type User, type World, world } from '../support/world.ts';

interface Info {
  readonly digest: string;
  readonly sessionDuration: string;
  readonly fees: { readonly intentFee: { readonly offchainInput: string }; readonly txFeeRate: string };
  readonly scheduledSession: null | {
    readonly nextStartTime: string;
    readonly nextEndTime: string;
    readonly period: string;
    readonly duration: string;
    readonly fees: { readonly intentFee: { readonly offchainInput: string } };
  };
}

const info = async (w: World): Promise<Info> => (await (await w.server.publicApp.request('/v1/info')).json()) as Info;
const digest = async (w: World): Promise<string> => (await info(w)).digest;
const settings = async (w: World) =>
  (await w.admin<{ settings: Readonly<Record<string, string | boolean | null>> }>('settings')).settings;
const update = async (w: World, change: object): Promise<string[]> =>
  (await w.admin<{ changeLog: string[] }>('settings', { settings: change })).changeLog;
const refused = (status: number, code: number) => (error: unknown) =>
  error instanceof AdminRefusal && error.status === status && error.code === code;
const INVALID = refused(400, 3);

/** A call of the public API with these headers; the name of its refusal and what it says about it. */
async function post(w: World, path: string, headers: Readonly<Record<string, string>>) {
  const response = await w.server.publicApp.request(path, { method: 'POST', headers, body: '{}' });
  const { details } = (await response.json()) as { details: { name: string; metadata: object }[] };
  return details[0] ?? { name: '', metadata: {} };
}

async function owner(w: World): Promise<User> {
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  await w.settle(alice);
  return alice;
}

/** Settles all the user has, leaving `fee` to the server; the code of the refusal, or `settled`. */
async function settleLess(w: World, user: User, fee: bigint): Promise<string> {
  const coins = await spendableCoins(user.client, user.account);
  const all = coins.reduce((sum, coin) => sum + coin.amount, 0n);
  const order = { coins, receivers: [paid(user.account, coins, all - fee)], onchain: [] };
  const outcome = settle(user.client, user.account, order).then(
    () => 'settled',
    (error) => {
      if (error instanceof ProtocolError) return error.code;
      throw error;
    },
  );
  return w.run(outcome);
}

test('a change is logged, in force at once, and survives a restart; the digest follows it and nothing else', async () => {
  const w = await world({ seed: 'settings/change' });
  const before = await digest(w);
  assert.deepEqual(await update(w, { sessionDuration: 20, banThreshold: '5', vtxoMaxAmount: 1_000_000 }), [
    'session_duration',
    'ban_threshold',
    'vtxo_max_amount',
  ]);
  const after = await digest(w);
  assert.notEqual(after, before);
  assert.equal((await info(w)).sessionDuration, '20');
  assert.equal((await settings(w)).banThreshold, '5');
  assert.match(`${(await settings(w)).updatedAt}`, /^2025-01-01T00:00:0\dZ$/);
  await w.advance(3_000);
  await w.restart();
  assert.equal(await digest(w), after);
  assert.equal((await settings(w)).vtxoMaxAmount, '1000000');
  await update(w, { sessionDuration: 10, vtxoMaxAmount: -1, banThreshold: 3 });
  assert.equal(await digest(w), before);
});

test('saying what is so already changes nothing, so that what was read can be sent back', async () => {
  const w = await world({ seed: 'settings/same' });
  const before = await digest(w);
  assert.deepEqual(await update(w, await settings(w)), []);
  assert.deepEqual(await update(w, { ...(await settings(w)), maxOpReturnOutputs: 1 }), ['max_op_return_outputs']);
  assert.notEqual(await digest(w), before);
});

test('what makes no sense is refused whole', async () => {
  const w = await world({ seed: 'settings/nonsense' });
  const before = await settings(w);
  for (const change of [
    { sessionDuration: 1 },
    { sessionDuration: 'soon' },
    { sessionDuration: -20 },
    { banThreshold: 1.5 },
    { roundMinParticipantsCount: 0 },
    { roundMinParticipantsCount: 200 },
    { vtxoMinAmount: 0 },
    { vtxoMinAmount: 2_000, vtxoMaxAmount: 1_000 },
    { utxoMaxAmount: '2100000000000001' },
    { maxTxWeight: 5_000_000 },
    { unilateralExitDelay: 40 },
    { vtxoTreeExpiry: 288 },
    { publicUnilateralExitDelay: 19 },
    { publicUnilateralExitDelay: 1024 },
    { buildVersionHeader: 'new' },
    { buildVersionHeaderRequired: true },
    { digestHeaderRequired: 'yes' },
    { batchTrigger: 'intents_count' },
    { noteUriPrefix: 'no spaces' },
    { banThreshold: 7, doesNotExist: 1 },
    { constructor: 1 },
  ]) {
    await assert.rejects(update(w, change), INVALID, JSON.stringify(change));
  }
  assert.deepEqual(await settings(w), before);
});

test('two changes at once are both made', async () => {
  const w = await world({ seed: 'settings/both' });
  await Promise.all([
    update(w, { banThreshold: 9 }),
    update(w, { maxTxWeight: 50_000 }),
    update(w, { banDuration: 60 }),
  ]);
  await w.restart();
  const { banThreshold, maxTxWeight, banDuration } = await settings(w);
  assert.deepEqual([banThreshold, maxTxWeight, banDuration], ['9', '50000', '60']);
});

test('a fee that was set is asked for, told, kept, and gone when it is cleared', async () => {
  const w = await world({ seed: 'settings/fees' });
  await owner(w);
  const before = await digest(w);
  await w.admin('intentFees', { fees: { offchainInputFee: 'amount * 0.01' } });
  await w.admin('intentFees', { fees: { onchainOutputFee: '200.0' } });
  assert.notEqual(await digest(w), before);
  assert.deepEqual((await info(w)).fees, {
    intentFee: { offchainInput: 'amount * 0.01', offchainOutput: '', onchainInput: '', onchainOutput: '200.0' },
    txFeeRate: '0',
  });
  await w.restart();
  const again = await w.user('alice');
  assert.equal(await settleLess(w, again, 499n), 'INTENT_INSUFFICIENT_FEE');
  assert.equal(await settleLess(w, again, 500n), 'settled');
  await assert.rejects(w.admin('intentFees', { fees: { onchainInputFee: 'amount +' } }), (error: AdminRefusal) => {
    return error.refusal === 'INTENT_FEE_EVALUATION_FAILED';
  });
  await w.admin('intentFees/clear', {});
  assert.equal(await digest(w), before);
  assert.equal(await settleLess(w, await w.user('alice'), 0n), 'settled');
});

test('a client with outdated terms, or too old, is told so by every call but the one for the terms', async () => {
  const w = await world({ seed: 'settings/headers' });
  const stale = await digest(w);
  await update(w, {
    sessionDuration: 9,
    buildVersionHeader: '0.9.9',
    buildVersionHeaderRequired: true,
    digestHeaderRequired: true,
  });
  const fresh = { 'x-build-version': '0.9.9', 'x-digest': await digest(w) };
  for (const path of ['/v1/batch/registerIntent', '/v1/batch/ack', '/v1/tx/submit', '/v1/tx/pending']) {
    assert.deepEqual(
      await post(w, path, { ...fresh, 'x-digest': stale }).then(({ name, metadata }) => [name, metadata]),
      ['DIGEST_MISMATCH', { expected_digest: fresh['x-digest'], got_digest: stale }],
    );
    assert.equal((await post(w, path, { 'x-build-version': '0.9.9' })).name, 'DIGEST_MISMATCH');
    assert.deepEqual(
      await post(w, path, { ...fresh, 'x-build-version': '0.9.8' }).then(({ name, metadata }) => [name, metadata]),
      ['BUILD_VERSION_TOO_OLD', { client_version: '0.9.8', min_version: '0.9.9' }],
    );
    assert.equal((await post(w, path, { 'x-digest': fresh['x-digest'] })).name, 'BUILD_VERSION_TOO_OLD');
    assert.doesNotMatch((await post(w, path, fresh)).name, /DIGEST|BUILD/);
  }
  const old = { 'x-build-version': '0.0.1', 'x-digest': stale };
  assert.equal((await w.server.publicApp.request('/v1/info', { headers: old })).status, 200);
});

test('within its window a scheduled session has its own fees, participants and duration; the digest tells', async () => {
  const w = await world({ seed: 'settings/schedule' });
  await owner(w);
  const time = (seconds: number): string => new Date(w.clock.now() + seconds * 1000).toISOString();
  const start = Math.floor(w.clock.now() / 1000) + 600;
  const config = {
    startTime: time(600),
    endTime: time(660),
    period: '60',
    duration: '30',
    roundMinParticipantsCount: '1',
    fees: { intentFee: { offchainInput: '1000.0' } },
  };
  const before = await digest(w);
  await w.admin('scheduledSession', { config });
  const scheduled = await digest(w);
  assert.notEqual(scheduled, before);
  const { scheduledSession, sessionDuration } = await info(w);
  assert.equal(sessionDuration, '10');
  assert.deepEqual(
    [scheduledSession!.nextStartTime, scheduledSession!.nextEndTime, scheduledSession!.period],
    [`${start}`, `${start + 60}`, '60'],
  );
  assert.equal(scheduledSession!.fees.intentFee.offchainInput, '1000.0');
  await w.restart();
  assert.equal(await digest(w), scheduled);
  assert.equal(await settleLess(w, await w.user('alice'), 0n), 'settled');

  await w.advance(start * 1000 - w.clock.now());
  assert.equal((await info(w)).sessionDuration, '30');
  assert.equal((await info(w)).fees.intentFee.offchainInput, '1000.0');
  assert.notEqual(await digest(w), scheduled);
  const member = await w.user('alice');
  assert.equal(await settleLess(w, member, 999n), 'INTENT_INSUFFICIENT_FEE');
  assert.equal(await settleLess(w, member, 1_000n), 'settled');

  await w.advance((start + 60) * 1000 - w.clock.now());
  assert.equal(await digest(w), scheduled);
  assert.equal((await info(w)).scheduledSession!.nextStartTime, `${start + 3_600}`);
  assert.equal(await settleLess(w, await w.user('alice'), 0n), 'settled');

  assert.equal((await w.admin<{ config: { duration: string } }>('scheduledSession')).config.duration, '30');
  await w.admin('scheduledSession/clear', {});
  assert.deepEqual(await w.admin('scheduledSession'), { config: null });
  assert.equal(await digest(w), before);
});

test('a window may need more participants than usual: who comes alone waits for it to close', async () => {
  const w = await world({ seed: 'settings/window-participants' });
  await owner(w);
  const time = (seconds: number): string => new Date(w.clock.now() + seconds * 1000).toISOString();
  const config = { startTime: time(60), endTime: time(120), period: 60, roundMinParticipantsCount: 2 };
  await w.admin('scheduledSession', { config });
  await w.advance(61_000);
  const opened = w.clock.now();
  const alice = await w.user('alice');
  const order = await w.everything(alice);
  await w.run(settle(alice.client, alice.account, order));
  assert.ok(w.clock.now() - opened >= 50_000, 'the batch came before the window closed');
});

test('a schedule that makes no sense is refused', async () => {
  const w = await world({ seed: 'settings/bad-schedule' });
  const time = (seconds: number): string => new Date(w.clock.now() + seconds * 1000).toISOString();
  const config = { startTime: time(60), endTime: time(120), period: 1 };
  for (const change of [
    { startTime: time(-1) },
    { startTime: 'tomorrow' },
    { startTime: '2026-02-30T99:00:00Z' },
    { endTime: time(60) },
    { endTime: time(121) },
    { period: 0 },
    { period: -1 },
    { duration: 1 },
    { roundMinParticipantsCount: 5, roundMaxParticipantsCount: 4 },
    { roundMinParticipantsCount: 129 },
  ]) {
    await assert.rejects(
      w.admin('scheduledSession', { config: { ...config, ...change } }),
      INVALID,
      JSON.stringify(change),
    );
  }
  const bad = { ...config, fees: { intentFee: { offchainInput: 'nonsense' } } };
  await assert.rejects(w.admin('scheduledSession', { config: bad }));
  await assert.rejects(w.admin('scheduledSession', {}), INVALID);
  assert.deepEqual(await w.admin('scheduledSession'), { config: null });
  await w.admin('scheduledSession', { config });
});

test('a batch trigger holds batches back until it says yes', async () => {
  const w = await world({ seed: 'settings/trigger' });
  const [alice, bob] = [await w.user('alice'), await w.user('bob')];
  for (const user of [alice, bob]) await w.note(user, 50_000);
  await update(w, { batchTrigger: 'intents_count >= 2.0' });
  const first = settle(alice.client, alice.account, await w.everything(alice));
  await w.advance(60_000);
  assert.deepEqual((await w.admin<{ rounds: string[] }>('rounds')).rounds, []);
  await w.run(Promise.all([first, settle(bob.client, bob.account, await w.everything(bob))]));
  assert.equal((await w.admin<{ rounds: string[] }>('rounds')).rounds.length, 1);
});

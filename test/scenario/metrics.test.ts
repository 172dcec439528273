/** What an operator's monitoring is told while the server works. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { send } from '../../src/ark/client/offchain.ts';
import { createHealth } from '../../src/ark/server/health.ts';
import { NodeError } from '../../src/chain/node-error.ts';
import { createManualClock } from '../../src/runtime/clock.ts';
import { StoreError } from '../../src/store/db.ts';
import { ADMIN_TOKEN, type World, world } from '../support/world.ts';

/** Sample → value, as `/metrics` of the admin door tells them. */
async function scrape(ark: World): Promise<Map<string, number>> {
  const response = await ark.server.adminApp.request('/metrics');
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

test('batches, payments, refusals, streams and liquidity can be watched', async () => {
  const ark = await world({ seed: 'metrics' });
  const [alice, bob] = [await ark.user('alice'), await ark.user('bob')];
  await ark.note(alice, 50_000);
  await ark.board(bob, 30_000);
  await ark.settle(alice, bob);
  const { coins } = await ark.everything(alice);
  const receiver = { value: 50_000n, script: bob.account.vtxo.script };
  await ark.run(send(alice.client, alice.account, coins, [receiver]));
  const elsewhere = { ...receiver, script: alice.account.vtxo.script };
  await assert.rejects(ark.run(send(alice.client, alice.account, coins, [elsewhere])), { code: 'VTXO_ALREADY_SPENT' });
  await ark.server.publicApp.request('/v1/indexer/vtxos?scripts=zz');

  const samples = await scrape(ark);
  const expected = {
    'canalworks_ark_batches_total{outcome="settled"}': 1,
    'canalworks_ark_batches_total{outcome="failed"}': 0,
    canalworks_ark_batch_intents_sum: 2,
    'canalworks_ark_batch_phase_seconds_count{phase="signing"}': 1,
    'canalworks_ark_offchain_seconds_count{call="submit"}': 1,
    'canalworks_ark_offchain_seconds_count{call="finalize"}': 1,
    'canalworks_ark_refusals_total{code="VTXO_ALREADY_SPENT"}': 1,
    'canalworks_ark_refusals_total{code="MALFORMED_REQUEST"}': 1,
    'canalworks_ark_owed_sats{state="spendable"}': 80_000,
    'canalworks_ark_vtxos{state="spendable"}': 2,
    'canalworks_ark_streams{kind="batch"}': 0,
    canalworks_ark_queued_intents: 0,
    'canalworks_up{part="chain"}': 1,
    'canalworks_up{part="database"}': 1,
  };
  for (const [sample, value] of Object.entries(expected)) assert.equal(samples.get(sample), value, sample);
  assert.ok(samples.get('canalworks_ark_wallet_sats{state="available"}')! > 0);
});

test('no metric names a person, a key or a coin', async () => {
  const ark = await world({ seed: 'metrics-private' });
  const alice = await ark.user('alice');
  await ark.note(alice, 50_000);
  await ark.settle(alice);
  const text = await (await ark.server.adminApp.request('/metrics')).text();
  assert.doesNotMatch(text, /[0-9a-f]{40}/);
});

test('a sweep and a spent VTXO put on chain are counted', async () => {
  const ark = await world({ seed: 'metrics-sweep' });
  const alice = await ark.user('alice');
  await ark.note(alice, 50_000);
  await ark.settle(alice);
  await ark.mine(150);
  assert.equal((await scrape(ark)).get('canalworks_ark_sweeps_total{outcome="broadcast"}'), 1);
  assert.equal((await scrape(ark)).get('canalworks_ark_owed_sats{state="recoverable"}'), 50_000);
});

test('readiness tells which part is away, and life goes on', async () => {
  const ark = await world({ seed: 'ready' });
  const ready = await ark.server.publicApp.request('/readyz');
  assert.deepEqual([ready.status, await ready.json()], [200, { status: 'SERVING', troubles: [] }]);
  ark.kill();
  const dead = await ark.server.publicApp.request('/healthz');
  assert.deepEqual([dead.status, await dead.json()], [200, { status: 'SERVING' }]);
});

test('a chain or database that fails, or that says nothing, is trouble with a code', async () => {
  const clock = createManualClock();
  const parts = (chain: () => Promise<never>, read: () => Promise<never>) =>
    createHealth({ clock, chain: { tip: chain } as never, db: { read } as never });
  const silent = () => new Promise<never>(() => {});
  const failing = parts(
    async () => {
      throw new NodeError('NODE_UNREACHABLE', 'http://user:secret@host is gone');
    },
    async () => {
      throw new StoreError('STORE_UNAVAILABLE', 'gone');
    },
  );
  assert.deepEqual(await failing.troubles(), [
    { part: 'chain', code: 'NODE_UNREACHABLE' },
    { part: 'database', code: 'STORE_UNAVAILABLE' },
  ]);
  const asked = parts(silent, silent).troubles();
  await clock.advance(2_000);
  assert.deepEqual(await asked, [
    { part: 'chain', code: 'NO_ANSWER' },
    { part: 'database', code: 'NO_ANSWER' },
  ]);
});

test('a ban by the operator is a conviction, and is counted for as long as it counts', async () => {
  const ark = await world({ seed: 'metrics-bans' });
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  const body = JSON.stringify({ script: `5120${'ab'.repeat(32)}`, banDuration: 60, reason: 'test' });
  await ark.server.adminApp.request('/v1/admin/conviction/ban', { method: 'POST', headers, body });
  const samples = await scrape(ark);
  assert.equal(samples.get('canalworks_ark_convictions_total{crime="MANUAL"}'), 1);
  assert.equal(samples.get('canalworks_ark_banned_scripts'), 1);
  await ark.advance(61_000);
  assert.equal((await scrape(ark)).get('canalworks_ark_banned_scripts'), 0);
});

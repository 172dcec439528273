/** The operator's calls, one by one: what they show of a server that has done something, and what they refuse. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../src/ark/client/batch.ts';
import { outpointKey, type Txid, toHex } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { addressOf } from '../../src/bitcoin/address.ts';
import { p2wpkh } from '../../src/bitcoin/script.ts';
import { txHex } from '../../src/bitcoin/tx.ts';
import { refusal } from '../support/adversary.ts';
import { ADMIN_TOKEN, AdminRefusal, paid, type World, world } from '../support/world.ts';

const refused = (status: number, code: number) => (error: unknown) =>
  error instanceof AdminRefusal && error.status === status && error.code === code;
const INVALID = refused(400, 3);
const UNKNOWN = refused(404, 5);
const seconds = (w: World): number => Math.floor(w.clock.now() / 1000);

/** Status of a call with these headers. */
async function statusWith(w: World, headers: Readonly<Record<string, string>>): Promise<number> {
  return (await w.server.adminApp.request('/v1/admin/wallet/address', { headers })).status;
}

test('a token opens the API as bearer or as macaroon; a renewed one closes the door on the one before', async () => {
  const w = await world({ seed: 'admin/token' });
  assert.equal(await statusWith(w, { authorization: `Bearer ${ADMIN_TOKEN}` }), 200);
  assert.equal(await statusWith(w, { 'x-macaroon': ADMIN_TOKEN }), 200);
  assert.equal(await statusWith(w, { macaroon: ADMIN_TOKEN }), 200);
  for (const headers of [{}, { authorization: 'Bearer ' }, { 'x-macaroon': `${ADMIN_TOKEN}0` }]) {
    assert.equal(await statusWith(w, headers as Record<string, string>), 401);
  }
  for (const token of ['', 'other']) await assert.rejects(w.admin('auth/revoke', { token }), INVALID);
  const { token } = await w.admin<{ token: string }>('auth/revoke', { token: ADMIN_TOKEN });
  assert.match(token, /^[0-9a-f]{64}$/);
  assert.equal(await statusWith(w, { authorization: `Bearer ${ADMIN_TOKEN}` }), 401);
  assert.equal(await statusWith(w, { authorization: `Bearer ${token}` }), 200);
});

test('the wallet is there and open, and cannot be made, restored or locked', async () => {
  const w = await world({ seed: 'admin/wallet' });
  assert.deepEqual(await w.admin('wallet/status'), { initialized: true, unlocked: true, synced: true });
  assert.deepEqual(await w.admin('wallet/unlock', { password: 'any' }), {});
  await assert.rejects(w.admin('wallet/unlock', {}), INVALID);
  await assert.rejects(w.admin('wallet/seed'), refused(400, 9));
  await assert.rejects(w.admin('wallet/lock', {}), refused(400, 9));
  for (const call of ['create', 'restore']) {
    await assert.rejects(w.admin(`wallet/${call}`, { seed: 'words', password: 'secret' }), refused(409, 6));
  }
});

test('rounds are listed by time and outcome, and told in bitcoin', async () => {
  const w = await world({ seed: 'admin/rounds' });
  const alice = await w.user('alice');
  const before = seconds(w);
  await w.board(alice, 100_000);
  await w.settle(alice);
  const { rounds } = await w.admin<{ rounds: string[] }>('rounds');
  assert.equal(rounds.length, 1);
  const list = async (query: string) => (await w.admin<{ rounds: string[] }>(`rounds?${query}`)).rounds.length;
  assert.equal(await list(`after=${before - 1}&before=${seconds(w) + 1}`), 1);
  assert.equal(await list(`after=${seconds(w) + 1}`), 0);
  assert.equal(await list(`before=${before}`), 0);
  assert.equal(await list('withFailed=true&withCompleted=false'), 0);
  assert.equal(await list('withFailed=false&withCompleted=true'), 1);
  for (const query of ['after=5&before=5', 'after=-1', 'before=soon']) await assert.rejects(list(query), INVALID);

  const order = await w.everything(alice);
  const script = p2wpkh(new Uint8Array(20).fill(9));
  const [coin] = order.coins;
  const exit = { coins: [coin!], receivers: [paid(alice.account, [], 60_000n)], onchain: [{ value: 39_000n, script }] };
  await w.run(settle(alice.client, alice.account, exit));
  const last = (await w.admin<{ rounds: string[] }>('rounds')).rounds.at(-1)!;
  const round = await w.admin<Record<string, string | string[]>>(`round/${last}`);
  assert.deepEqual(
    { ...round, startedAt: '', endedAt: '', outputsVtxos: 1 },
    {
      roundId: last,
      startedAt: '',
      endedAt: '',
      commitmentTxid: round.commitmentTxid,
      forfeitedAmount: '0.00100000',
      totalVtxosAmount: '0.00060000',
      totalExitAmount: '0.00039000',
      totalFeeAmount: '0.00001000',
      inputsVtxos: [outpointKey(coin!.outpoint)],
      outputsVtxos: 1,
      exitAddresses: [addressOf('regtest', script)],
    },
  );
  await assert.rejects(w.admin('round/nothing'), UNKNOWN);
  assert.deepEqual(await w.admin('fees/collected'), { collectedFees: '1000' });
  assert.deepEqual(await w.admin(`fees/collected?before=${before}`), { collectedFees: '0' });
  await assert.rejects(w.admin('fees/collected?after=2&before=1'), INVALID);
});

test('an expired batch is told until it is swept', async () => {
  const w = await world({ seed: 'admin/expired', settings: { network: 'regtest' } });
  const alice = await w.user('alice');
  await w.note(alice, 100_000);
  await w.settle(alice);
  await w.mine(1);
  const expired = async () => (await w.admin<{ rounds: { expiredAt: string }[] }>('rounds/expired')).rounds;
  assert.deepEqual(await expired(), []);
  w.onBroadcast(() => Promise.reject(new Error('no network')));
  await w.mine(145);
  const [round] = await expired();
  assert.ok(round && Number(round.expiredAt) <= seconds(w));
});

test('what there is to sweep is told beforehand, and swept when the operator wants it', async () => {
  const w = await world({ seed: 'admin/sweep' });
  const alice = await w.user('alice');
  await w.note(alice, 100_000);
  await w.settle(alice);
  interface Scheduled {
    readonly roundId: string;
    readonly confirmed: boolean;
    readonly outputs: { readonly txid: string; readonly amount: string; readonly scheduledAt: string }[];
  }
  const scheduled = async () => (await w.admin<{ sweeps: Scheduled[] }>('sweeps')).sweeps;
  assert.deepEqual(
    (await scheduled()).map(({ confirmed, outputs }) => [confirmed, outputs]),
    [[false, []]],
  );
  await w.mine(1);
  const [{ outputs, roundId }] = (await scheduled()) as [Scheduled];
  const { commitmentTxid } = await w.admin<{ commitmentTxid: string }>(`round/${roundId}`);
  const { scheduledAt, ...output } = outputs[0]!;
  assert.deepEqual(output, { txid: commitmentTxid, vout: 0, amount: '0.00100000' });
  assert.equal(Number(scheduledAt) - seconds(w), 144 * 600);

  const sweep = (order: object) => w.admin<{ txid: Txid; hex: string }>('sweep', order);
  for (const order of [{}, { commitmentTxids: ['nothing'] }, { commitmentTxids: commitmentTxid }]) {
    await assert.rejects(sweep(order), INVALID);
  }
  await assert.rejects(sweep({ commitmentTxids: ['00'.repeat(32)] }), UNKNOWN);
  await assert.rejects(sweep({ commitmentTxids: [commitmentTxid] }), refused(400, 9));
  await assert.rejects(sweep({ connectors: true }), refused(400, 9));

  w.onBroadcast(() => Promise.reject(new ProtocolError('TX_REJECTED', 'a test')));
  await w.mine(144);
  await assert.rejects(sweep({ commitmentTxids: [commitmentTxid] }), refused(400, 9));
  w.onBroadcast(undefined);
  const { txid, hex } = await sweep({ commitmentTxids: [commitmentTxid, commitmentTxid] });
  assert.equal(txHex((await w.chain.transaction(txid))!.tx), hex);
  assert.deepEqual((await scheduled())[0]!.outputs, []);
  await assert.rejects(sweep({ commitmentTxids: [commitmentTxid] }), refused(400, 9));
  await w.mine(20);
  assert.deepEqual(await scheduled(), []);
});

test('the queue is listed, and what is deleted from it may come again', async () => {
  const w = await world({ seed: 'admin/intents', settings: { minParticipants: 2 } });
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  const settling = settle(alice.client, alice.account, await w.everything(alice));
  settling.catch(() => {});
  await w.rest();
  const { intents } = await w.admin<{ intents: { id: string; inputs: object[]; receivers: object[] }[] }>('intents');
  assert.equal(intents.length, 1);
  const [{ id, inputs, receivers }] = intents as [(typeof intents)[number]];
  assert.equal(inputs.length, 1);
  assert.deepEqual(receivers, [{ vtxoScript: toHex(alice.account.vtxo.script), amount: '50000' }]);
  assert.equal((await w.admin<{ intents: [] }>(`intents?intentIds=${id}&intentIds=other`)).intents.length, 1);
  assert.equal((await w.admin<{ intents: [] }>('intents?intentIds=other')).intents.length, 0);
  await assert.rejects(w.admin('intents/delete', { intentIds: ['other'] }), (error: AdminRefusal) => {
    return error.refusal === 'INTENT_NOT_FOUND';
  });
  await w.admin('intents/delete', { intentIds: [id] });
  assert.deepEqual(await w.admin('intents'), { intents: [] });
  await w.admin('intents/delete', {});
});

test('notes: as many as asked for, one if nothing is said, none of nothing', async () => {
  const w = await world({ seed: 'admin/notes' });
  const make = async (order: object) => (await w.admin<{ notes: string[] }>('note', order)).notes;
  assert.equal((await make({ amount: 1_000 })).length, 1);
  assert.equal(new Set(await make({ amount: '1000', quantity: 3 })).size, 3);
  for (const order of [
    {},
    { amount: 0 },
    { amount: 1_000, quantity: -1 },
    { amount: 1_000, quantity: 1_001 },
    { amount: 2 ** 32 },
  ]) {
    await assert.rejects(make(order), (error: AdminRefusal) => error.status === 400, JSON.stringify(order));
  }
  await w.admin('settings', { settings: { noteUriPrefix: 'ark' } });
  assert.match((await make({ amount: 1_000 }))[0]!, /^ark:\/\/arknote/);
});

test('the operator shuts a script out and pardons it; convictions are found by id, time, round and script', async () => {
  const w = await world({ seed: 'admin/convictions' });
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  await w.settle(alice);
  const script = toHex(alice.account.vtxo.script);
  const began = seconds(w);
  await w.admin('conviction/ban', { script, banDuration: 60, reason: 'a test' });
  const by = async (path: string) => (await w.admin<{ convictions: Record<string, unknown>[] }>(path)).convictions;
  const [{ id, ...conviction }] = (await by(`convictionsByScript/${script}`)) as [Record<string, unknown>];
  assert.deepEqual(conviction, {
    type: 'CONVICTION_TYPE_SCRIPT',
    createdAt: `${began}`,
    expiresAt: `${began + 60}`,
    pardoned: false,
    script,
    crimeType: 'CRIME_TYPE_MANUAL_BAN',
    roundId: '',
    reason: 'a test',
  });
  assert.equal((await by(`convictions/${id}`)).length, 1);
  assert.equal((await by(`convictionsInRange?from=${began - 1}&to=${began + 1}`)).length, 1);
  assert.equal((await by(`convictionsInRange?from=${began + 1}&to=${began + 2}`)).length, 0);
  assert.equal((await by('convictionsByRound/none')).length, 0);
  const order = await w.everything(alice);
  const attempt = () => w.run(refusal(settle(alice.client, alice.account, order)));
  assert.equal(await attempt(), 'VTXO_BANNED');
  await w.admin(`convictions/${id}/pardon`, {});
  assert.deepEqual(await by(`convictionsByScript/${script}`), []);
  await w.run(settle(alice.client, alice.account, order));

  await w.admin('conviction/ban', { script });
  assert.equal((await by(`convictionsByScript/${script}`))[0]!.expiresAt, '0');

  for (const ban of [{}, { script: 'nothex' }, { script, banDuration: -1 }, { script, reason: 'x'.repeat(501) }]) {
    await assert.rejects(w.admin('conviction/ban', ban), INVALID);
  }
  await assert.rejects(w.admin('convictions/none'), UNKNOWN);
  await assert.rejects(w.admin('convictions/none/pardon', {}), UNKNOWN);
  await assert.rejects(w.admin('convictionsInRange?from=2&to=2'), INVALID);
});

test('liquidity: what expires when, what is recoverable, what the next days take', async () => {
  const w = await world({ seed: 'admin/liquidity' });
  const [alice, bob] = [await w.user('alice'), await w.user('bob')];
  await w.board(alice, 100_000);
  await w.settle(alice);
  await w.mine(1);
  await w.note(bob, 7_000);
  interface Report {
    readonly wallet: { readonly available: string };
    readonly locked: string;
    readonly live: string;
    readonly recoverable: string;
    readonly notes: string;
    readonly days: { readonly expiring: string; readonly returning: string; readonly balance: string }[];
  }
  const report = await w.admin<Report>('liquidity/report?days=3&lead=0');
  assert.deepEqual([report.locked, report.live, report.recoverable, report.notes], ['100000', '100000', '0', '7000']);
  const available = Number(report.wallet.available);
  // A batch lives for 144 blocks, which is a day, and one has gone.
  assert.deepEqual(
    report.days.map(({ expiring, returning, balance }) => [expiring, returning, balance]),
    [
      ['100000', '100000', `${available - 7_000 - 100_000}`],
      ['0', '0', `${available - 7_000}`],
      ['0', '0', `${available - 7_000}`],
    ],
  );
  const expiring = async (query: string) => (await w.admin<{ amount: string }>(`liquidity/expiring${query}`)).amount;
  const day = seconds(w) + 143 * 600;
  assert.equal(await expiring(''), '100000');
  assert.equal(await expiring(`?before=${day + 1_000}`), '100000');
  assert.equal(await expiring(`?before=${day - 3_000}`), '0');
  assert.equal(await expiring(`?after=${day + 1_000}`), '0');
  await assert.rejects(expiring(`?after=${day}&before=${day}`), INVALID);
  for (const query of ['days=0', 'days=367', 'lead=-1', 'days=x']) {
    await assert.rejects(w.admin(`liquidity/report?${query}`), INVALID);
  }
  await w.mine(146);
  assert.deepEqual(await w.admin('liquidity/recoverable'), { amount: '100000' });
  assert.equal(await expiring(''), '0');
  const after = await w.admin<Report>('liquidity/report');
  assert.deepEqual([after.locked, after.live, after.recoverable], ['0', '0', '100000']);
  assert.equal(after.days.length, 14);
});

test('connectors are locked until their batch is swept', async () => {
  const w = await world({ seed: 'admin/connectors' });
  const alice = await w.user('alice');
  await w.note(alice, 100_000);
  await w.settle(alice);
  await w.settle(alice);
  const account = async () =>
    (await w.admin<{ connectorsAccount: { locked: string; available: string } }>('wallet/balance')).connectorsAccount;
  assert.deepEqual(await account(), { locked: '0.00000330', available: '0.00000000' });
  await w.mine(150);
  assert.deepEqual(await account(), { locked: '0.00000000', available: '0.00000330' });
});

/** `canalworks ark`, as an operator types it at a running server: what it prints, what it refuses, what it changes. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Ended, type RunningStack, runCommand, startStack } from '../support/stack.ts';

const ADDRESS = 'bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x';
const SCRIPT = '0014d0ee19a0b9636099ccf18f6a9ab3327f61cd36d4';

let stack: RunningStack;
let data: string;
before(async () => {
  data = await mkdtemp(join(tmpdir(), 'canalworks-ark-'));
  stack = await startStack(['--data', data]);
});
after(async () => {
  await stack?.stop();
  await rm(data, { recursive: true, force: true });
});

const run = (words: string, ...more: string[]): Promise<Ended> =>
  runCommand(['ark', ...words.split(' '), ...more, '--data', data]);

/** What a command prints that must succeed. */
async function ok(words: string, ...more: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(words, ...more);
  assert.equal(stderr, '');
  assert.equal(code, 0);
  return stdout;
}
const json = async (words: string, ...more: string[]) => JSON.parse(await ok(words, ...more, '--json'));

/** One line on stderr, nothing on stdout, code 1. */
async function refused(hint: RegExp, words: string, ...more: string[]): Promise<void> {
  const { code, stdout, stderr } = await run(words, ...more);
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /^[^\n]+\n$/);
  assert.match(stderr, hint);
}

test('help lists every group and how to reach another server', async () => {
  const help = await runCommand(['ark', '--help']);
  assert.equal(help.code, 0);
  for (const word of [
    ...['wallet', 'rounds', 'round', 'expired', 'sweeps', 'sweep', 'liquidity', 'fees', 'settings', 'signer'],
    ...['scheduled-session', 'intents', 'notes', 'convictions', 'token', 'tokens', 'verify', 'exit-quote', '--url'],
  ]) {
    assert.match(help.stdout, new RegExp(`(^|\\s)${word}\\s`, 'm'), word);
  }
  assert.match((await runCommand(['ark', 'wallet', 'withdraw', '--help'])).stdout, /--fee-rate <RATE>/);
  assert.equal((await runCommand(['ark', 'wallet', 'empty'])).code, 1);
});

test('wallet: balance, coins, a withdrawal and its way into the chain', async () => {
  assert.match(await ok('wallet balance'), /^ +available +locked\nwallet +[0-9,]+ +0\nconnectors +0 +0\n$/);
  assert.match(await ok('wallet address'), /^bcrt1p[0-9a-z]+\n$/);
  assert.match(await ok('wallet status'), /unlocked +yes/);
  assert.match(await ok('wallet reserve'), /shortfall +none/);
  const coins = (await json('wallet utxos')).utxos.length;
  assert.equal((await ok('wallet utxos')).trimEnd().split('\n').length, coins + 1);
  const txid = (await ok('wallet withdraw', ADDRESS, '50000', '--fee-rate', '3')).trimEnd();
  assert.match(await ok('wallet withdrawals'), new RegExp(`50,000 .*${ADDRESS} +${txid} +0\n`));
  await runCommand(['mine', '1', '--data', data]);
  assert.equal((await json('wallet withdrawals')).withdrawals[0].confirmations, 1);
  await refused(/not a regtest address/, 'wallet withdraw', 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4', '50000');
  await refused(/SATS/, 'wallet withdraw', ADDRESS, 'much');
  await refused(/not enough/, 'wallet withdraw', ADDRESS, '2000000000000000');
});

test('fees: set one by one, shown, and cleared', async () => {
  assert.equal(await ok('fees set', '--onchain-output', '200.0', '--offchain-input', 'amount * 0.001'), 'done\n');
  assert.match(await ok('fees show'), /off-chain input +amount \* 0.001\n.*\n.*\non-chain output +200.0\n/);
  assert.equal(await ok('fees collected', '--after', '-7d'), '0\n');
  await refused(/say what to change/, 'fees set');
  await refused(/INTENT_FEE_EVALUATION_FAILED/, 'fees set', '--onchain-output', 'nonsense');
  await ok('fees clear');
  assert.match(await ok('fees show'), /on-chain output +free/);
});

test('settings: set under either spelling, shown, kept over a restart', async () => {
  assert.equal(
    await ok('settings set', 'ban-threshold=5', 'roundMaxParticipantsCount=64'),
    'ban_threshold\nround_max_participants_count\n',
  );
  assert.equal(await ok('settings set', 'banThreshold=5'), 'nothing has changed\n');
  assert.match(await ok('settings show'), /^banThreshold +5$/m);
  await refused(/no setting/, 'settings set', 'nonsense=5');
  await refused(/NAME=VALUE/, 'settings set', 'banThreshold');
  await refused(/unilateralExitDelay/, 'settings set', 'unilateralExitDelay=50');
});

test('scheduled-session: set, shown in the info, cleared', async () => {
  assert.equal(await ok('scheduled-session show'), 'none\n');
  await ok(
    'scheduled-session set',
    '--start',
    '+2h',
    '--end',
    '+3h',
    '--period',
    '1d',
    '--duration',
    '30',
    '--offchain-input',
    '5.0',
  );
  assert.match(await ok('scheduled-session show'), /again every +1440 minutes\nsession +30 seconds/);
  const info = await (await fetch(`${stack.ready.ark.url}/v1/info`)).json();
  assert.equal((info as { scheduledSession: { period: string } }).scheduledSession.period, '1440');
  await ok('scheduled-session set', '--duration', '40');
  assert.match(await ok('scheduled-session show'), /again every +1440 minutes\nsession +40 seconds/);
  await refused(/whole minutes/, 'scheduled-session set', '--period', '90s');
  await ok('scheduled-session clear');
  assert.equal(await ok('scheduled-session show'), 'none\n');
});

test('convictions: a ban by address, found by script, pardoned', async () => {
  await ok('convictions ban', ADDRESS, '--duration', '7d', '--reason', 'a test');
  const { convictions } = await json('convictions list', '--script', ADDRESS);
  assert.deepEqual([convictions[0].script, convictions[0].reason], [SCRIPT, 'a test']);
  assert.match(await ok('convictions list'), new RegExp(`${SCRIPT} +manual ban +a test\n`));
  await ok('convictions pardon', convictions[0].id);
  assert.match(await ok('convictions show', convictions[0].id), /pardoned/);
  assert.equal(await ok('convictions list', '--script', SCRIPT), 'none\n');
  await refused(/no conviction/, 'convictions pardon', 'none');
  await refused(/SCRIPT/, 'convictions ban', 'nobody');
});

test('queue, rounds and liquidity of a server that has done nothing', async () => {
  for (const words of ['intents list', 'rounds', 'expired', 'sweeps', 'tokens list']) {
    assert.equal(await ok(words), 'none\n', words);
  }
  assert.equal(await ok('intents delete', '--all'), 'done\n');
  await refused(/name the intents/, 'intents delete');
  await refused(/no round/, 'round', 'none');
  await refused(/nothing to sweep/, 'sweep', '--connectors');
  const notes = (await ok('notes create', '5000', '--quantity', '2')).trimEnd().split('\n');
  assert.equal(new Set(notes).size, 2);
  assert.match(await ok('liquidity report', '--days', '2'), /notes, owed +10,000\n[\s\S]*wallet at least\n.*\n.*\n$/);
  assert.equal((await json('liquidity report', '--days', '2')).days.length, 2);
  assert.equal(await ok('liquidity expiring', '--before', '+1d'), '0\n');
  assert.equal(await ok('liquidity recoverable'), '0\n');
  await refused(/--days/, 'liquidity report', '--days', '0');
  await refused(/--after/, 'rounds', '--after', 'soon');
});

test('signer: rotated, listed, deprecated and retired', async () => {
  const first = (await json('signer list')).signers[0].pubkey;
  const second = (await ok('signer rotate', '--cutoff', '2030-01-01T00:00:00Z')).trimEnd();
  const listed = await ok('signer list');
  assert.match(listed, new RegExp(`${first} +deprecated +derived +2030-01-01 00:00:00\n`));
  assert.match(listed, new RegExp(`${second} +current +derived\n`));
  await ok('signer deprecate', first, '--cutoff', '+60');
  await ok('signer retire', first);
  assert.match(await ok('signer list'), new RegExp(`${first} +retired`));
  await refused(/current signer/, 'signer retire', second);
  await refused(/--cutoff/, 'signer rotate', '--cutoff', 'soon');
});

test('a renewed token is the one that later commands and a restart know', async () => {
  const before = stack.ready.ark.adminToken;
  const status = (token: string) =>
    fetch(`${stack.ready.ark.adminUrl}/v1/admin/wallet/status`, { headers: { 'x-macaroon': token } });
  assert.equal((await status(before)).status, 200);
  const token = (await ok('token renew')).trimEnd();
  assert.deepEqual([(await status(before)).status, (await status(token)).status], [401, 200]);
  await ok('wallet balance');
  await stack.stop();
  stack = await startStack(['--data', data]);
  assert.equal(stack.ready.ark.adminToken, token);
  assert.match(await ok('settings show'), /^banThreshold +5$/m);
});

test('another server is named by URL and token, as flags or as variables', async () => {
  const { adminUrl, adminToken } = stack.ready.ark;
  const elsewhere = ['--data', join(data, 'elsewhere')];
  const address = await ok('wallet address');
  const flags = ['--url', adminUrl, '--token', adminToken];
  assert.equal((await runCommand(['ark', 'wallet', 'address', ...elsewhere, ...flags])).stdout, address);
  const env = { CANALWORKS_URL: adminUrl, CANALWORKS_TOKEN: adminToken };
  assert.equal((await runCommand(['ark', 'wallet', 'address', ...elsewhere], { env })).stdout, address);
  await refused(/--token/, 'wallet address', '--url', adminUrl);
  await refused(/token is missing or wrong/, 'wallet address', '--url', adminUrl, '--token', 'wrong');
  await refused(/does not answer/, 'wallet address', '--url', 'http://127.0.0.1:1', '--token', 'any');
  await refused(/--url/, 'wallet address', '--url', 'nowhere', '--token', 'any');
});

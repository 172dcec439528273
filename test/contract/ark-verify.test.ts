/** `canalworks ark verify` and `exit-quote`, as anybody runs them against a server and an explorer. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { coinOfNote, createAccount } from '../../src/ark/client/account.ts';
import { settle } from '../../src/ark/client/batch.ts';
import { connect, createAggregators } from '../../src/ark/client/client.ts';
import { createTransport } from '../../src/ark/client/transport.ts';
import { parseNote } from '../../src/ark/protocol/note.ts';
import { outpointKey } from '../../src/base/bytes.ts';
import { call, controlUrl } from '../../src/cli/remote.ts';
import { systemEntropy } from '../../src/runtime/entropy.ts';
import { loadSecp } from '../../src/runtime/secp-wasm.ts';
import { type Ended, type RunningStack, runCommand, startStack } from '../support/stack.ts';

const AMOUNT = 50_000;
let stack: RunningStack;
let outpoint: string;

before(async () => {
  stack = await startStack(['--session-duration', '6']);
  const { ready } = stack;
  const secp = await loadSecp();
  const parts = {
    transport: createTransport(fetch, ready.ark.url),
    secp,
    random: systemEntropy.bytes,
    aggregators: createAggregators(secp),
  };
  const client = await connect(parts);
  const account = createAccount(secp, client.terms, systemEntropy.bytes(32));
  const made = await call<{ notes: string[] }>(ready, `${ready.ark.adminUrl}/v1/admin/note`, { amount: AMOUNT });
  const coins = [coinOfNote(secp, parseNote(made.notes[0]!))];
  const receivers = [{ value: BigInt(AMOUNT), script: account.vtxo.script }];
  const { vtxos } = await settle(client, account, { coins, receivers, onchain: [] });
  outpoint = outpointKey(vtxos[0]!.outpoint);
  await call(ready, controlUrl(ready, 'mine'), { blocks: 1 });
});
after(() => stack.stop());

const run = (command: string, target: string, ...flags: string[]): Promise<Ended> => {
  const { ark, chain } = stack.ready;
  return runCommand(['ark', command, target, '--url', `${ark.url}/`, '--explorer', chain.esplora, ...flags]);
};

test('a VTXO that is what it says', async () => {
  const { code, stdout, stderr } = await run('verify', outpoint);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^settled: 50000 sat\n/);
  const told = JSON.parse((await run('verify', outpoint, '--json')).stdout);
  assert.deepEqual([told.standing, told.findings, told.outpoint], ['settled', [], outpoint]);
  assert.deepEqual(told.output.value, `${AMOUNT}`);
});

test('what leaving with it would cost', async () => {
  const flags = ['--fee-rate', '3', '--coins', '500,400', '--crowd', '1000000', '--crowd-fee-rate', '90'];
  const { code, stdout } = await run('exit-quote', outpoint, '--json', ...flags);
  assert.equal(code, 0);
  const told = JSON.parse(stdout);
  assert.deepEqual([told.transactions, told.value, told.feeRate, told.isWorthIt], [1, `${AMOUNT}`, 3, true]);
  assert.equal(BigInt(told.shortfall), BigInt(told.unrollFee) + 330n);
  assert.equal(told.crowd.isInTime, false);
  assert.match((await run('exit-quote', outpoint, '--fee-rate', '1000')).stdout, /^not worth it: /);
});

const REFUSED: Readonly<Record<string, [string[], RegExp]>> = {
  'no outpoint': [['ark', 'verify', 'nonsense'], /OUTPOINT/],
  'a server that is not there': [
    ['ark', 'verify', `${'00'.repeat(32)}:0`, '--url', 'http://127.0.0.1:1', '--explorer', 'http://127.0.0.1:1'],
    /fetch/,
  ],
  'nothing running and nowhere named': [
    ['ark', 'verify', `${'00'.repeat(32)}:0`, '--data', '/nowhere'],
    /nothing is running/,
  ],
};

for (const [name, [args, hint]] of Object.entries(REFUSED)) {
  test(`${name}: one line, no stack`, async () => {
    const { code, stdout, stderr } = await runCommand(args);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^[^\n]+\n$/);
    assert.match(stderr, hint);
  });
}

test('a VTXO that nobody knows, and a rate that is none', async () => {
  const unknown = await run('verify', `${'00'.repeat(32)}:0`);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /VTXO_NOT_FOUND/);
  assert.match((await run('exit-quote', outpoint, '--fee-rate', 'much')).stderr, /--fee-rate/);
});

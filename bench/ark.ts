/**
 * What one Ark server does on this machine, driven over real sockets by honest clients in this process:
 * off-chain payments a second (submitted and final, durable in a SQLite file), and one batch of many users.
 *
 *   npm run bench:ark -- [--clients 8] [--payments 60] [--users 32] [--json]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Account, type Coin, coinOf, coinOfNote, createAccount } from '../src/ark/client/account.ts';
import { settle } from '../src/ark/client/batch.ts';
import { type ArkClient, connect, createAggregators } from '../src/ark/client/client.ts';
import { buildPayment, signCheckpoints } from '../src/ark/client/offchain.ts';
import { createTransport } from '../src/ark/client/transport.ts';
import { parseNote } from '../src/ark/protocol/note.ts';
import { ARK_ROUTES } from '../src/ark/wire/routes.ts';
import { psbtBase64 } from '../src/bitcoin/psbt.ts';
import type { Ready } from '../src/cli/ready.ts';
import { systemEntropy } from '../src/runtime/entropy.ts';
import { loadSecp } from '../src/runtime/secp-wasm.ts';
import { startStack } from '../test/support/stack.ts';

const NOTE_SATS = 10_000;
const MS_PER_TICK = 10;

interface BenchUser {
  readonly client: ArkClient;
  readonly account: Account;
  coins: readonly Coin[];
}

/** CPU time of a process so far, in milliseconds: user and system ticks from /proc (Linux). */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

const residentOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

async function createUsers(ready: Ready, count: number): Promise<BenchUser[]> {
  const secp = await loadSecp();
  const random = systemEntropy.bytes;
  const parts = {
    transport: createTransport(fetch, ready.ark.url),
    secp,
    random,
    aggregators: createAggregators(secp),
  };
  const client = await connect(parts);
  const response = await fetch(`${ready.ark.adminUrl}/v1/admin/note`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ready.ark.adminToken}` },
    body: JSON.stringify({ amount: NOTE_SATS, quantity: count }),
  });
  const { notes } = (await response.json()) as { notes: string[] };
  return notes.map((note) => ({
    client,
    account: createAccount(secp, client.terms, random(32)),
    coins: [coinOfNote(secp, parseNote(note))],
  }));
}

interface BatchFigures {
  readonly wallSeconds: number;
  readonly serverCpuSeconds: number;
  readonly batches: number;
}

/** Everybody turns all they have into one VTXO, at once. */
async function runBatch(ready: Ready, users: readonly BenchUser[]): Promise<BatchFigures> {
  const [start, cpu] = [performance.now(), cpuOf(ready.pid)];
  const outcomes = await Promise.all(
    users.map(({ client, account, coins }) => {
      const value = coins.reduce((sum, { amount }) => sum + amount, 0n);
      return settle(client, account, { coins, receivers: [{ value, script: account.vtxo.script }], onchain: [] });
    }),
  );
  const figures = {
    wallSeconds: (performance.now() - start) / 1000,
    serverCpuSeconds: (cpuOf(ready.pid) - cpu) / 1000,
    batches: new Set(outcomes.map(({ commitmentTxid }) => commitmentTxid)).size,
  };
  for (const [i, user] of users.entries()) {
    user.coins = outcomes[i]!.vtxos.map(({ outpoint, output }) => coinOf(user.account, 'vtxo', outpoint, output.value));
  }
  return figures;
}

interface Requests {
  readonly submit: string;
  readonly finalize: string;
}

/** A chain of payments to oneself, every request of it made and signed beforehand. */
function precompute({ client, account, coins }: BenchUser, count: number): Requests[] {
  let [coin] = coins as [Coin];
  return Array.from({ length: count }, () => {
    const { arkTxid, arkTx, checkpoints } = buildPayment(
      client,
      account,
      [coin],
      [{ value: coin.amount, script: account.vtxo.script }],
    );
    coin = coinOf(account, 'vtxo', { txid: arkTxid, vout: 0 }, coin.amount);
    const final = signCheckpoints(client, account, checkpoints);
    return {
      submit: JSON.stringify({ signedArkTx: psbtBase64(arkTx), checkpointTxs: checkpoints.map(psbtBase64) }),
      finalize: JSON.stringify({ arkTxid, finalCheckpointTxs: final.map(psbtBase64) }),
    };
  });
}

async function send(url: string, path: string, body: string): Promise<void> {
  const response = await fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
}

interface PaymentFigures {
  readonly payments: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly serverCpuMsPerPayment: number;
}

/** Every client pays in its own sequence; a payment's time is from the submission to the answer that it is final. */
async function runPayments(ready: Ready, queues: readonly (readonly Requests[])[]): Promise<PaymentFigures> {
  const times: number[] = [];
  const [start, cpu] = [performance.now(), cpuOf(ready.pid)];
  await Promise.all(
    queues.map(async (queue) => {
      for (const { submit, finalize } of queue) {
        const begun = performance.now();
        await send(ready.ark.url, ARK_ROUTES.submitTx.path, submit);
        await send(ready.ark.url, ARK_ROUTES.finalizeTx.path, finalize);
        times.push(performance.now() - begun);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  times.sort((a, b) => a - b);
  const percentile = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
  return {
    payments: times.length,
    perSecond: times.length / seconds,
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
    serverCpuMsPerPayment: (cpuOf(ready.pid) - cpu) / times.length,
  };
}

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '8' },
    payments: { type: 'string', default: '60' },
    users: { type: 'string', default: '32' },
    json: { type: 'boolean', default: false },
  },
});
const [clients, payments, users] = [Number(values.clients), Number(values.payments), Number(values.users)];

const data = mkdtempSync(join(tmpdir(), 'canalworks-bench-'));
const stack = await startStack(['--data', data, '--block-time', '0']);
try {
  const { ready } = stack;
  const everybody = await createUsers(ready, Math.max(users, clients));
  const crowd = everybody.slice(0, users);
  const notes = await runBatch(ready, crowd);
  const renewal = await runBatch(ready, crowd);
  const payers = everybody.slice(0, clients);
  if (clients > users) await runBatch(ready, everybody.slice(users));
  const queues = payers.map((payer) => precompute(payer, payments));
  const offchain = await runPayments(ready, queues);
  const residentMiB = residentOf(ready.pid);

  if (values.json) {
    console.log(JSON.stringify({ bench: 'ark', clients, users, offchain, notes, renewal, residentMiB }));
  } else {
    const fixed = (value: number, digits = 1): string => value.toFixed(digits);
    console.table({
      [`payments a second, ${clients} clients`]: fixed(offchain.perSecond),
      'payment, median (ms)': fixed(offchain.p50Ms),
      'payment, 99th percentile (ms)': fixed(offchain.p99Ms),
      'server CPU a payment (ms)': fixed(offchain.serverCpuMsPerPayment, 2),
      [`batch of ${users} notes, wall (s)`]: fixed(notes.wallSeconds, 2),
      [`batch of ${users} notes, server CPU (s)`]: fixed(notes.serverCpuSeconds, 2),
      [`renewal of ${users} VTXOs, wall (s)`]: fixed(renewal.wallSeconds, 2),
      [`renewal of ${users} VTXOs, server CPU (s)`]: fixed(renewal.serverCpuSeconds, 2),
      'batches needed': `${notes.batches} and ${renewal.batches}`,
      'server, resident (MiB)': fixed(residentMiB, 0),
    });
  }
} finally {
  await stack.stop();
  rmSync(data, { recursive: true, force: true });
}

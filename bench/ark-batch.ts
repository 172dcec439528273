/**
 * One batch of many users, server and clients in this one process (a thread each), over real sockets and a SQLite file: what it takes
 * from the first intent to the last client that has its branch, and how that grows with the number of users.
 *
 *   npm run bench:ark-batch -- [--users 2,4,8,16,32,64,128,256,512,1024] [--json]
 *
 * Everybody redeems a note into one VTXO. Each client verifies its branch, draws and uses nonces of its own, and checks
 * every signature; what all would compute alike (the aggregates of keys and of nonces) they share.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { coinOfNote, createAccount } from '../src/ark/client/account.ts';
import { settle } from '../src/ark/client/batch.ts';
import { connect, createAggregators } from '../src/ark/client/client.ts';
import { createTransport } from '../src/ark/client/transport.ts';
import { parseNote } from '../src/ark/protocol/note.ts';
import type { Bytes } from '../src/base/bytes.ts';
import { resolveUpConfig } from '../src/cli/options.ts';
import { type Stack, startStack } from '../src/cli/stack.ts';
import type { Secp } from '../src/crypto/secp.ts';
import { systemEntropy } from '../src/runtime/entropy.ts';
import { createLog } from '../src/runtime/log.ts';
import { loadSecp } from '../src/runtime/secp-wasm.ts';

const NOTE_SATS = 10_000;
const NOTES_AT_ONCE = 1_000;
/** Long enough for the slowest phase of the largest batch; a batch ends as soon as everybody is done. */
const SESSION_SECONDS = 90;

interface Figures {
  readonly users: number;
  readonly batches: number;
  /** From the first registration to the end of the last client, seconds. */
  readonly wallSeconds: number;
  /** Of the whole process, server and clients together, meanwhile. */
  readonly cpuSeconds: number;
  /** Of the server's thread. */
  readonly serverCpuSeconds: number;
}

async function admin({ ready }: Stack, path: string, body: object): Promise<{ notes: string[] }> {
  const response = await fetch(ready.ark.adminUrl + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${ready.ark.adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  return (await response.json()) as { notes: string[] };
}

async function notesFor(stack: Stack, count: number): Promise<string[]> {
  const notes: string[] = [];
  while (notes.length < count) {
    const quantity = Math.min(NOTES_AT_ONCE, count - notes.length);
    notes.push(...(await admin(stack, '/v1/admin/note', { amount: NOTE_SATS, quantity })).notes);
  }
  return notes;
}

/** The same nonces add up to the same, so they are added once for all clients. */
function sharingNonces(secp: Secp): Secp {
  const known = new Map<string, Bytes>();
  return {
    ...secp,
    musigAggregateNonces(nonces) {
      const id = createHash('sha256').update(Buffer.concat(nonces)).digest('base64');
      const sum = known.get(id) ?? secp.musigAggregateNonces(nonces);
      known.set(id, sum);
      return sum;
    },
  };
}

/** What the thread of the clients is given: the server, and a note for each user. */
interface Crowd {
  readonly url: string;
  readonly notes: readonly string[];
}

/** Everybody settles a note at once; returns the commitment that each was settled by. */
async function settleAll({ url, notes }: Crowd): Promise<string[]> {
  const secp = sharingNonces(await loadSecp());
  const random = systemEntropy.bytes;
  const transport = createTransport(fetch, url);
  const client = await connect({ transport, secp, random, aggregators: createAggregators(secp) });
  const outcomes = await Promise.all(
    notes.map((note) => {
      const account = createAccount(secp, client.terms, random(32));
      const coin = coinOfNote(secp, parseNote(note));
      const receivers = [{ value: coin.amount, script: account.vtxo.script }];
      return settle(client, account, { coins: [coin], receivers, onchain: [] });
    }),
  );
  return outcomes.map(({ commitmentTxid }) => commitmentTxid);
}

async function runBatch(stack: Stack, count: number): Promise<Figures> {
  const crowd: Crowd = { url: stack.ready.ark.url, notes: await notesFor(stack, count) };
  const cpu = process.cpuUsage();
  const { user, system } = process.threadCpuUsage();
  const start = performance.now();
  const [commitments] = (await once(new Worker(import.meta.filename, { workerData: crowd }), 'message')) as [string[]];
  const [all, own] = [process.cpuUsage(cpu), process.threadCpuUsage({ user, system })];
  return {
    users: count,
    batches: new Set(commitments).size,
    wallSeconds: (performance.now() - start) / 1000,
    cpuSeconds: (all.user + all.system) / 1e6,
    serverCpuSeconds: (own.user + own.system) / 1e6,
  };
}

if (!isMainThread) parentPort!.postMessage(await settleAll(workerData as Crowd));
else await main();

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      users: { type: 'string', default: '2,4,8,16,32,64,128,256,512,1024' },
      json: { type: 'boolean', default: false },
    },
  });
  const sizes = values.users.split(',').map(Number);

  const data = mkdtempSync(join(tmpdir(), 'canalworks-bench-'));
  const flags = { data, ports: 'auto', sessionDuration: `${SESSION_SECONDS}` };
  const config = resolveUpConfig(flags, {});
  const stack = await startStack({ config, folder: data, log: createLog('error') });
  try {
    await admin(stack, '/v1/admin/settings', { settings: { roundMaxParticipantsCount: Math.max(...sizes) } });
    for (const users of sizes) {
      const figures = await runBatch(stack, users);
      if (values.json) console.log(JSON.stringify({ bench: 'ark-batch', ...figures }));
      else
        console.log(
          `${users} users: ${figures.wallSeconds.toFixed(1)} s, CPU ${figures.cpuSeconds.toFixed(1)} s (server ${figures.serverCpuSeconds.toFixed(1)} s), ${figures.batches} batch(es)`,
        );
    }
  } finally {
    await stack.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

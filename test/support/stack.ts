/** Runs the real command as a child process, the way a user does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import type { Ready } from '../../src/cli/ready.ts';
import { type Bitcoind, requireBitcoind, startBitcoind, withCredentials } from './bitcoind.ts';
import { takePlace } from './postgres.ts';

const LAUNCHER = join(import.meta.dirname, '..', '..', 'bin', 'canalworks.js');

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningStack {
  readonly ready: Ready;
  /** Everything printed so far. */
  output(): Pick<Ended, 'stdout' | 'stderr'>;
  /** Asks for an end by SIGTERM, or by the signal given, and waits for it. */
  stop(signal?: NodeJS.Signals): Promise<Ended>;
  /** kill -9, as a crash would. */
  kill(): Promise<Ended>;
}

export interface LaunchOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** The launcher to run instead of this clone's. */
  readonly launcher?: string;
  /** The Node that runs the launcher; this one if absent. */
  readonly node?: string;
  /** Called with each text on stderr. */
  readonly onStderr?: (text: string) => void;
}

/** Children do not outlive the test process. */
const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

interface Launched {
  readonly child: ChildProcess;
  readonly printed: { stdout: string; stderr: string };
  readonly ended: Promise<Ended>;
}

function launch(
  args: readonly string[],
  { env = {}, launcher = LAUNCHER, node = process.execPath, onStderr }: LaunchOptions,
): Launched {
  const child = spawn(node, [launcher, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      CANALWORKS_DB: undefined,
      CANALWORKS_TEST_POSTGRES: undefined,
      CANALWORKS_TEST_CHAIN: undefined,
      ...env,
    },
  });
  const printed = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => (printed.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (printed.stderr += text));
  if (onStderr) child.stderr.on('data', onStderr);
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...printed }));
  children.add(child.once('close', () => children.delete(child)));
  return { child, printed, ended };
}

/** Whether the test process waits for the child: a test that fails before it stops its stack must still end. */
function wait(child: ChildProcess, whether: 'ref' | 'unref'): void {
  for (const handle of [child, child.stdout as Socket, child.stderr as Socket]) handle[whether]();
}

/** The schemas and folders that a test file used, gone at its end. */
const litter: (() => Promise<void>)[] = [];
if (process.env.CANALWORKS_DB || process.env.CANALWORKS_TEST_CHAIN) {
  after(async () => {
    for (const remove of litter) await remove();
  });
}

/** On the server that CANALWORKS_DB names, each data folder has a database of its own; what keeps nothing has none. */
async function withDatabase(args: readonly string[], options: LaunchOptions): Promise<LaunchOptions> {
  const server = process.env.CANALWORKS_DB;
  const folder = args[args.indexOf('--data') + 1];
  if (!server || args[0] !== 'up' || args.includes('--ephemeral') || !args.includes('--data') || !folder)
    return options;
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  const place = await takePlace(server, `test_${name}`);
  litter.push(place.remove);
  return { ...options, env: { CANALWORKS_DB: place.url, ...options.env } };
}

/** The nodes of CANALWORKS_TEST_CHAIN=bitcoind, by data folder. */
const nodes = new Map<string, Promise<Bitcoind>>();

/** With CANALWORKS_TEST_CHAIN=bitcoind each data folder, and each stack without one, has a bitcoind of its own. */
async function withNode(args: readonly string[], options: LaunchOptions): Promise<LaunchOptions> {
  if (process.env.CANALWORKS_TEST_CHAIN !== 'bitcoind' || args[0] !== 'up' || args.includes('--chain')) return options;
  const folder = args.includes('--data') ? args[args.indexOf('--data') + 1]! : `${nodes.size}`;
  let starting = nodes.get(folder);
  if (!starting) {
    const { binary, skip } = requireBitcoind('stacks on bitcoind');
    if (skip) throw new Error(skip);
    nodes.set(folder, (starting = startBitcoind(binary!)));
    litter.push(async () => (await starting!).stop());
  }
  const { url } = await starting;
  return { ...options, env: { CANALWORKS_CHAIN: withCredentials(url), ...options.env } };
}

/** Where the child finds its chain and its database. */
const placed = async (args: readonly string[], options: LaunchOptions): Promise<LaunchOptions> =>
  withNode(args, await withDatabase(args, options));

/** Where a stack keeps its data that was told nothing about it. */
async function anywhere(): Promise<string[]> {
  if (!process.env.CANALWORKS_DB) return ['--ephemeral'];
  const folder = await mkdtemp(join(tmpdir(), 'canalworks-stack-'));
  litter.push(() => rm(folder, { recursive: true, force: true }));
  return ['--data', folder];
}

/** Runs `canalworks ARGS` to its end. */
export const runCommand = async (args: readonly string[], options: LaunchOptions = {}): Promise<Ended> =>
  launch(args, await placed(args, options)).ended;

/**
 * Runs `canalworks up --json` on free ports until stopped; leaves nothing unless `flags` name a data folder.
 * Rejects with what was printed when the process ends before it is ready.
 */
export async function startStack(flags: readonly string[] = [], options: LaunchOptions = {}): Promise<RunningStack> {
  const keeping = flags.includes('--data') || flags.includes('--ephemeral') ? [] : await anywhere();
  const args = ['up', '--ports', 'auto', '--json', ...keeping, ...flags];
  const { child, printed, ended } = launch(args, await placed(args, options));
  const line = once(createInterface(child.stdout!), 'line').then(([text]) => text as string);
  const failed = ended.then(({ code, stderr }) => {
    throw new Error(`canalworks ended with ${code} before it was ready: ${stderr}`);
  });
  const ready = JSON.parse(await Promise.race([line, failed])) as Ready;
  failed.catch(() => {});
  wait(child, 'unref');
  const end = (pid: number, signal: NodeJS.Signals): Promise<Ended> => {
    wait(child, 'ref');
    if (child.exitCode === null && child.signalCode === null) process.kill(pid, signal);
    return ended;
  };
  return {
    ready,
    output: () => printed,
    stop: (signal = 'SIGTERM') => end(child.pid!, signal),
    kill: () => end(ready.pid, 'SIGKILL'),
  };
}

/** Runs the real command as a child process, the way a user does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Ready } from '../../src/cli/ready.ts';

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
  { env = {}, launcher = LAUNCHER, node = process.execPath }: LaunchOptions,
): Launched {
  const child = spawn(node, [launcher, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const printed = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => (printed.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (printed.stderr += text));
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...printed }));
  children.add(child.once('close', () => children.delete(child)));
  return { child, printed, ended };
}

/** Whether the test process waits for the child: a test that fails before it stops its stack must still end. */
function wait(child: ChildProcess, whether: 'ref' | 'unref'): void {
  for (const handle of [child, child.stdout as Socket, child.stderr as Socket]) handle[whether]();
}

/** Runs `canalworks ARGS` to its end. */
export const runCommand = (args: readonly string[], options: LaunchOptions = {}): Promise<Ended> =>
  launch(args, options).ended;

/**
 * Runs `canalworks up --json` on free ports until stopped; keeps nothing unless `flags` name a data folder.
 * Rejects with what was printed when the process ends before it is ready.
 */
export async function startStack(flags: readonly string[] = [], options: LaunchOptions = {}): Promise<RunningStack> {
  const keeping = flags.includes('--data') ? [] : ['--ephemeral'];
  const { child, printed, ended } = launch(['up', '--ports', 'auto', '--json', ...keeping, ...flags], options);
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

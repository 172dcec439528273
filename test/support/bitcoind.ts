/** A real bitcoind as judge: the one that BITCOIND names, one on the PATH, or one under .cache/bitcoind. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const CACHED = join(import.meta.dirname, '..', '..', '.cache', 'bitcoind', 'bin', 'bitcoind');
const START_TIMEOUT_MS = 60_000;

/** Nodes do not outlive the test process. */
const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

function versionOf(binary: string): string | undefined {
  const result = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  return result.status === 0 ? result.stdout : undefined;
}

/** The program to run; `undefined` when there is none. A BITCOIND that does not run is an error. */
function findBitcoind(): string | undefined {
  const named = process.env.BITCOIND;
  if (named) {
    if (!versionOf(named)) throw new Error(`BITCOIND does not run: ${named}`);
    return named;
  }
  if (versionOf('bitcoind')) return 'bitcoind';
  return existsSync(CACHED) ? CACHED : undefined;
}

/** The bitcoind to test against; where there is none, says loudly that what `title` names does not run. */
export function requireBitcoind(title: string): { readonly binary: string | undefined; readonly skip: false | string } {
  const binary = findBitcoind();
  const skip = binary ? false : 'NOT RUN: no bitcoind (set BITCOIND, or put one on the PATH)';
  if (skip) process.stderr.write(`${title}: ${skip}\n`);
  return { binary, skip };
}

/** A test with a node of its own. */
export function bitcoindTest(title: string, run: (node: Bitcoind) => Promise<void>): void {
  const { binary, skip } = requireBitcoind(title);
  test(title, { skip }, async () => {
    const node = await startBitcoind(binary!, { flags: ['-txindex=1'] });
    try {
      await run(node);
    } finally {
      await node.stop();
    }
  });
}

/** What bitcoind answered to a call that it refused. */
export class RpcError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** A method with its parameters. */
export type RpcCall = readonly [method: string, ...params: readonly unknown[]];

export interface RpcAnswer {
  readonly result: unknown;
  readonly error: { readonly code: number; readonly message: string } | null;
}

export interface Bitcoind {
  readonly url: string;
  /** Its data folder, where it leaves its cookie file if it was started to. */
  readonly folder: string;
  /** Throws {@link RpcError} on a refusal. */
  rpc<T>(method: string, ...params: unknown[]): Promise<T>;
  /** Many calls in one request, made one after the other; answers in the same order. */
  batch(calls: readonly RpcCall[]): Promise<readonly RpcAnswer[]>;
  /** Ends the process; its data stays, and {@link Bitcoind.resume} continues with them. */
  halt(): Promise<void>;
  /** Starts it again after a halt, with more flags if given. */
  resume(...flags: string[]): Promise<void>;
  /** Ends it and forgets its data. */
  stop(): Promise<void>;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** `credentials: 'cookie'` leaves it to bitcoind to make some up. */
export interface BitcoindOptions {
  readonly flags?: readonly string[];
  readonly credentials?: 'password' | 'cookie';
}

/** For calls that broadcast: no guard against fees and burnt amounts that a person did not mean. */
export const NO_CAPS: readonly number[] = [0, 21_000_000];

export const BITCOIND_USER = 'judge';
export const BITCOIND_PASSWORD = 'judge';

/** The URL of a node as `--chain` takes it. */
export const withCredentials = (url: string): string => url.replace('//', `//${BITCOIND_USER}:${BITCOIND_PASSWORD}@`);

export async function startBitcoind(binary: string, options: BitcoindOptions = {}): Promise<Bitcoind> {
  const { flags = [], credentials = 'password' } = options;
  const folder = mkdtempSync(join(tmpdir(), 'judge-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const byCookie = credentials === 'cookie';
  const cookie = join(folder, '.cookie');
  // Bitcoin Knots has a policy of its own unless told to have Core's, which since 29.1 has BIP54's limit.
  const policy = versionOf(binary)?.includes('Knots') ? ['-corepolicy=1', '-maxtxlegacysigops=2500'] : [];
  const fixed = [
    '-regtest',
    '-listen=0',
    '-connect=0',
    '-dnsseed=0',
    '-server=1',
    '-disablewallet=1',
    // Core lowered these by default in some 29.x; both chains shall ask the same.
    '-minrelaytxfee=0.00001',
    '-incrementalrelayfee=0.00001',
    '-maxtipage=1000000000',
    `-datadir=${folder}`,
    `-rpcport=${port}`,
    ...(byCookie ? [`-rpccookiefile=${cookie}`] : [`-rpcuser=${BITCOIND_USER}`, `-rpcpassword=${BITCOIND_PASSWORD}`]),
    ...policy,
  ];
  let child: ChildProcess;

  async function post<T>(body: unknown): Promise<T> {
    const auth = byCookie ? readFileSync(cookie, 'utf8').trim() : `${BITCOIND_USER}:${BITCOIND_PASSWORD}`;
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(auth).toString('base64')}` },
      body: JSON.stringify(body),
    });
    return (await response.json()) as T;
  }

  const requestOf = ([method, ...params]: RpcCall, id: number) => ({ jsonrpc: '1.0', id, method, params });

  async function rpc<T>(method: string, ...params: unknown[]): Promise<T> {
    const { result, error } = await post<RpcAnswer>(requestOf([method, ...params], 1));
    if (error) throw new RpcError(error.code, error.message);
    return result as T;
  }

  async function run(more: readonly string[]): Promise<void> {
    child = spawn(binary, [...fixed, ...more], { stdio: ['ignore', 'ignore', 'inherit'] });
    children.add(child);
    await untilReady(child, () => rpc('getblockcount'));
  }

  async function halt(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill();
    await ended;
    children.delete(child);
  }

  await run(flags);
  return {
    url,
    folder,
    rpc,
    batch: async (calls) => (calls.length === 0 ? [] : post(calls.map(requestOf))),
    halt,
    resume: (...more) => run([...flags, ...more]),
    async stop() {
      await halt();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilReady(child: ChildProcess, probe: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await probe();
      return;
    } catch (error) {
      if (child.exitCode !== null || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

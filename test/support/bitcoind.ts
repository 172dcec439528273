/** A real bitcoind as judge: the one that BITCOIND names, one on the PATH, or one under .cache/bitcoind. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const CACHED = join(import.meta.dirname, '..', '..', '.cache', 'bitcoind', 'bin', 'bitcoind');
const AUTH = 'judge:judge';
const START_TIMEOUT_MS = 60_000;

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

/** A test with a node of its own; says loudly that it did not run where there is no bitcoind. */
export function bitcoindTest(title: string, run: (node: Bitcoind) => Promise<void>): void {
  const binary = findBitcoind();
  const absent = binary ? false : 'NOT RUN: no bitcoind (set BITCOIND, or put one on the PATH)';
  if (absent) process.stderr.write(`${title}: ${absent}\n`);
  test(title, { skip: absent }, async () => {
    const node = await startBitcoind(binary!);
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

export interface Bitcoind {
  /** Throws {@link RpcError} on a refusal. */
  rpc<T>(method: string, ...params: unknown[]): Promise<T>;
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

async function startBitcoind(binary: string): Promise<Bitcoind> {
  const folder = mkdtempSync(join(tmpdir(), 'judge-'));
  const port = await freePort();
  const [user, password] = AUTH.split(':');
  // Bitcoin Knots has a policy of its own unless told to have Core's.
  const policy = versionOf(binary)?.includes('Knots') ? ['-corepolicy=1'] : [];
  const child = spawn(
    binary,
    [
      '-regtest',
      '-listen=0',
      '-connect=0',
      '-dnsseed=0',
      '-server=1',
      '-txindex=1',
      '-disablewallet=1',
      // Core lowered these by default in some 29.x; both chains shall ask the same.
      '-minrelaytxfee=0.00001',
      '-incrementalrelayfee=0.00001',
      '-maxtipage=1000000000',
      `-datadir=${folder}`,
      `-rpcport=${port}`,
      `-rpcuser=${user}`,
      `-rpcpassword=${password}`,
      ...policy,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );

  async function rpc<T>(method: string, ...params: unknown[]): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${port}`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(AUTH).toString('base64')}` },
      body: JSON.stringify({ jsonrpc: '1.0', id: 1, method, params }),
    });
    const { result, error } = (await response.json()) as { result: T; error: { code: number; message: string } | null };
    if (error) throw new RpcError(error.code, error.message);
    return result;
  }

  await untilReady(child, () => rpc('getblockcount'));
  return {
    rpc,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await ended;
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

/**
 * A real PostgreSQL server for tests: the one that CANALWORKS_TEST_POSTGRES names by URL, or a cluster of our own from
 * the binaries that Debian installs, thrown away at the end.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';

/** A schema of its own within a database. */
export interface Place {
  readonly url: string;
  remove(): Promise<void>;
}

export interface PostgresServer {
  readonly url: string;
  /** Stops and starts the server; absent for a server that is not ours. */
  readonly power?: {
    /** `immediate` is a crash: no commit under way is finished. */
    stop(mode: 'fast' | 'immediate'): Promise<void>;
    start(): Promise<void>;
  };
  /** Ends a cluster of our own and deletes it. */
  close(): Promise<void>;
}

/** Runs statements on a connection of their own; returns the rows of the last. */
export async function onServer(url: string, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}

/** An empty schema on the server at `url`; the one called `name` may exist already. */
export async function takePlace(url: string, name = `test_${randomBytes(8).toString('hex')}`): Promise<Place> {
  await onServer(url, `create schema if not exists ${name}`);
  const inSchema = new URL(url);
  inSchema.searchParams.set('options', `-c search_path=${name}`);
  return {
    url: inSchema.href,
    remove: async () => void (await onServer(url, `drop schema if exists ${name} cascade`)),
  };
}

/** A server for tests, or why there is none. */
export async function startPostgres(): Promise<PostgresServer | string> {
  const url = process.env.CANALWORKS_TEST_POSTGRES;
  if (url) return { url, close: async () => {} };
  const bin = await findBinaries();
  if (!bin) return 'NO POSTGRESQL: set CANALWORKS_TEST_POSTGRES, or run scripts/install-postgres.sh';
  return startCluster(bin);
}

async function findBinaries(): Promise<string | undefined> {
  const root = '/usr/lib/postgresql';
  const versions = (await readdir(root).catch(() => [])).sort((a, b) => Number(b) - Number(a));
  return versions[0] && join(root, versions[0], 'bin');
}

/** PostgreSQL refuses to run as root. */
async function unprivilegedUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const [, , uid, gid] = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody')!;
  return { uid: Number(uid), gid: Number(gid) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

async function startCluster(bin: string): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'canalworks-postgres-'));
  const user = await unprivilegedUser();
  if (user) await chown(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const as = { ...user, cwd: folder };
  await promisify(execFile)(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'canalworks', '--auth=trust', '--encoding=UTF8', '--no-locale', '--no-sync'],
    as,
  );
  const port = await freePort();
  const url = `postgres://canalworks@127.0.0.1:${port}/postgres`;
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, 'fsync=on'];
  let stop = async (_mode: 'fast' | 'immediate'): Promise<void> => {};

  async function start(): Promise<void> {
    const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
    const server = spawn(join(bin, 'postgres'), args, { ...as, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    server.stderr.setEncoding('utf8').on('data', (text) => (said = (said + text).slice(-4_000)));
    const ended = once(server, 'close');
    stop = async (mode) => {
      if (server.exitCode !== null || server.signalCode !== null) return;
      // SIGINT is a fast shutdown, SIGQUIT an immediate one.
      server.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
      await ended;
    };
    process.once('exit', () => server.exitCode === null && server.kill('SIGQUIT'));
    while (!(await onServer(url, 'select 1').catch(() => undefined))) {
      if (server.exitCode !== null) throw new Error(`postgres did not start: ${said}`);
      await setTimeout(50);
    }
  }

  await start();
  return {
    url,
    power: { start, stop: (mode) => stop(mode) },
    async close() {
      await stop('immediate');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

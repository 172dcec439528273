/** Real `canalworks up` processes on one PostgreSQL database: what it keeps, who may use it, who comes next. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { onServer, startPostgres, takePlace } from '../support/postgres.ts';
import { type RunningStack, runCommand, startStack } from '../support/stack.ts';

const LAUNCHER = join(import.meta.dirname, '..', '..', 'bin', 'canalworks.js');
const server = await startPostgres();
let root: string;
let folders = 0;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'canalworks-standby-'));
});
after(async () => {
  await rm(root, { recursive: true, force: true });
  if (typeof server !== 'string') await server.close();
});

interface Place {
  readonly url: string;
  readonly data: string;
  start(data?: string): Promise<RunningStack>;
}

async function freshPlace(): Promise<Place> {
  const { url } = await takePlace((server as Exclude<typeof server, string>).url);
  const data = join(root, `data${++folders}`);
  return { url, data, start: (at = data) => startStack(['--db', url, '--data', at]) };
}

const notes = async (place: Place): Promise<unknown[]> =>
  (await onServer(place.url, "select amount from ark_vtxo where origin = 'note' order by amount")).map(
    (row) => row.amount,
  );

const note = async ({ data }: Place, amount: number): Promise<void> => {
  const { code, stderr } = await runCommand(['note', `${amount}`, '--data', data]);
  assert.equal(code, 0, stderr);
};

const isServed = async ({ ready }: RunningStack): Promise<boolean> =>
  fetch(`${ready.ark.url}/v1/info`).then(
    ({ status }) => status === 200,
    () => false,
  );

/** Starts a process that has to stand by, and waits until it does. */
async function startSecond(place: Place): Promise<{ readonly starting: Promise<RunningStack> }> {
  const standing = Promise.withResolvers<void>();
  const onStderr = (text: string): void => (text.includes('standing by') ? standing.resolve() : undefined);
  const starting = startStack(['--db', place.url, '--data', place.data], { onStderr });
  await Promise.race([standing.promise, starting.then(() => assert.fail('it did not stand by'))]);
  return { starting };
}

/** Breaks the connection that holds the schema's lock. */
const END_HOLDER = `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted
  and (classid::bigint << 32 | objid::bigint) = hashtextextended('canalworks ' || current_schema(), 0)`;

describe('canalworks up --db postgres://…', { skip: typeof server === 'string' ? server : false }, () => {
  test('what was written is there after a restart, and after kill -9', async () => {
    const place = await freshPlace();
    const first = await place.start();
    await note(place, 1_000);
    assert.equal((await first.stop()).code, 0);
    const second = await place.start();
    await note(place, 2_000);
    await second.kill();
    const third = await place.start();
    assert.deepEqual(await notes(place), ['1000', '2000']);
    assert.equal((await third.stop()).code, 0);
  });

  test('the second process stands by with its doors closed, and takes over when the first is killed', async () => {
    const place = await freshPlace();
    const first = await place.start();
    const info = await (await fetch(`${first.ready.ark.url}/v1/info`)).json();
    await note(place, 1_000);
    const { starting } = await startSecond(place);
    assert.equal(await Promise.race([starting, setTimeout(1_000, 'waiting')]), 'waiting');
    await first.kill();
    const second = await starting;
    assert.equal(second.output().stderr.match(/standing by/g)?.length, 1);
    assert.deepEqual(await (await fetch(`${second.ready.ark.url}/v1/info`)).json(), info);
    await note(place, 2_000);
    assert.deepEqual(await notes(place), ['1000', '2000']);
    assert.equal((await second.stop()).code, 0);
  });

  test('a process that loses its hold closes its doors and ends; the one standing by goes on', async () => {
    const place = await freshPlace();
    const first = await place.start();
    const { starting } = await startSecond(place);
    const began = Date.now();
    assert.equal((await onServer(place.url, END_HOLDER)).length, 1);
    const second = await starting;
    const { code, stderr } = await first.stop();
    assert.ok(Date.now() - began < 10_000);
    assert.equal(code, 1);
    assert.match(stderr, /canalworks: stopped, since the hold on the database is lost[^\n]*\n$/);
    assert.equal(await isServed(first), false);
    assert.equal(await isServed(second), true);
    assert.equal((await second.stop()).code, 0);
  });

  test('a signal ends a process that stands by', async () => {
    const place = await freshPlace();
    const first = await place.start();
    const waiting = spawn(process.execPath, [LAUNCHER, 'up', '--db', place.url, '--data', place.data]);
    await once(waiting.stderr, 'data');
    waiting.kill('SIGTERM');
    assert.deepEqual(await once(waiting, 'close'), [0, null]);
    assert.equal(await isServed(first), true);
    assert.equal((await first.stop()).code, 0);
  });

  test('a database keeps to the keys it began with', async () => {
    const place = await freshPlace();
    await (await place.start()).stop();
    const elsewhere = join(root, `data${++folders}`);
    const args = ['up', '--ports', 'auto', '--db', place.url, '--data', elsewhere];
    const { code, stderr } = await runCommand(args);
    assert.equal(code, 1);
    assert.match(stderr, /^canalworks: the database belongs to the server key [0-9a-f]{66}[^\n]*\n$/);
    await rm(elsewhere, { recursive: true });
    await cp(place.data, elsewhere, { recursive: true });
    assert.equal((await (await place.start(elsewhere)).stop()).code, 0);
  });

  test('a database without a schema is one clear line, and leaves nothing running', async () => {
    const nowhere = new URL((await freshPlace()).url);
    nowhere.searchParams.set('options', '-c search_path=absent');
    const { code, stderr } = await runCommand(['up', '--ports', 'auto', '--db', nowhere.href, '--data', root]);
    assert.equal(code, 1);
    assert.match(stderr, /^canalworks: cannot use the database [^\n]*schema[^\n]*\n$/);
  });

  for (const [what, args, hint] of [
    ['a URL of something else', ['--db', 'mysql://u:hush@host/name'], /--db: must be a URL/],
    [
      'a server that is not there',
      ['--db', 'postgres://u:hush@127.0.0.1:1/x'],
      /cannot use the database 127.0.0.1:1\/x/,
    ],
    ['a database and nothing kept', ['--db', 'postgres://h/x', '--ephemeral'], /--ephemeral/],
  ] as const) {
    test(`${what} is one clear line`, async () => {
      const { code, stdout, stderr } = await runCommand(['up', '--ports', 'auto', ...args]);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /^[^\n]+\n$/);
      assert.match(stderr, hint);
      assert.doesNotMatch(stderr, /hush/);
    });
  }
});

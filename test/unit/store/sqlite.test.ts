import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { openSqlite } from '../../../src/store/sqlite.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'canalworks-sqlite-'));
});
after(() => rm(folder, { recursive: true }));

test('writes that come together are committed together', async () => {
  const path = join(folder, 'group.sqlite');
  const db = openSqlite(path);
  await db.write((tx) => tx.run('create table coin (id bigint primary key)'));
  const walBytes = async (): Promise<number> => (await stat(`${path}-wal`)).size;
  const before = await walBytes();
  await Promise.all(
    Array.from({ length: 400 }, (_, i) => db.write((tx) => tx.run('insert into coin (id) values ($1)', [i]))),
  );
  // One at a time, every commit would append a page of 4 KiB: 1.6 MB.
  assert.ok((await walBytes()) - before < 100_000);
  await db.close();
});

test('a file that is no database, or a folder that does not exist, is an operator error', async () => {
  const path = join(folder, 'garbage.sqlite');
  await writeFile(path, 'this is not a database, however long one looks at it'.repeat(50));
  assert.throws(() => openSqlite(path), { code: 'DATA_UNREADABLE' });
  assert.throws(() => openSqlite(join(folder, 'absent', 'x.sqlite')), { code: 'DATA_UNREADABLE' });
});

test('the file is opened so that a commit is on the disk when it returns', async () => {
  const path = join(folder, 'pragmas.sqlite');
  const db = openSqlite(path);
  assert.deepEqual(await db.read('pragma journal_mode'), [{ journal_mode: 'wal' }]);
  assert.deepEqual(await db.write((tx) => tx.read('pragma synchronous')), [{ synchronous: 2n }]);
  assert.deepEqual(await db.write((tx) => tx.read('pragma foreign_keys')), [{ foreign_keys: 1n }]);
  await db.close();
});

test('a transaction that cannot begin fails its works and leaves the queue alive', async () => {
  const path = join(folder, 'busy.sqlite');
  const db = openSqlite(path);
  await db.write((tx) => tx.run('create table coin (id text primary key)'));
  const intruder = new DatabaseSync(path);
  intruder.exec('begin immediate');
  const insert = (id: string) => db.write((tx) => tx.run('insert into coin (id) values ($1)', [id]));
  const results = await Promise.allSettled([insert('a'), insert('b')]);
  assert.deepEqual(
    results.map((result) => result.status),
    ['rejected', 'rejected'],
  );
  intruder.exec('rollback');
  intruder.close();
  await insert('c');
  assert.deepEqual(await db.read('select id from coin'), [{ id: 'c' }]);
  await db.close();
});

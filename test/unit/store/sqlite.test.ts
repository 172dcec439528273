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

/** A disk that takes its time, and fails when told to. */
function slowDisk() {
  const waiting: PromiseWithResolvers<void>[] = [];
  const open = (path: string) => {
    assert.match(path, /-wal$/);
    return {
      sync: () => {
        waiting.push(Promise.withResolvers());
        return waiting.at(-1)!.promise;
      },
      close: () => {},
    };
  };
  return { waiting, open };
}

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

test('a write is told, and its effect readable, once it is on the disk and not before', async () => {
  const { waiting, open } = slowDisk();
  const db = openSqlite(join(folder, 'slow.sqlite'), open);
  const told: string[] = [];
  const create = db.write((tx) => tx.run('create table coin (id text primary key)')).then(() => told.push('written'));
  await turns(5);
  const read = db.read('select count(*) as n from coin').then(() => told.push('read'));
  await turns(5);
  assert.deepEqual([told, waiting.length], [[], 1]);
  waiting[0]!.resolve();
  await Promise.all([create, read]);
  assert.deepEqual(told.toSorted(), ['read', 'written']);
  await db.close();
});

test('what comes while the disk is busy is committed together afterwards', async () => {
  const { waiting, open } = slowDisk();
  const db = openSqlite(join(folder, 'busy-disk.sqlite'), open);
  const create = db.write((tx) => tx.run('create table coin (id text primary key)'));
  await turns(5);
  const inserts = ['a', 'b', 'c'].map((id) => db.write((tx) => tx.run('insert into coin (id) values ($1)', [id])));
  await turns(5);
  assert.equal(waiting.length, 1);
  waiting[0]!.resolve();
  await create;
  await turns(5);
  assert.equal(waiting.length, 2);
  waiting[1]!.resolve();
  await Promise.all(inserts);
  await db.close();
});

test('a disk that fails fails the write and all that comes after it', async () => {
  const { waiting, open } = slowDisk();
  const db = openSqlite(join(folder, 'failing.sqlite'), open);
  const create = db.write((tx) => tx.run('create table coin (id text primary key)'));
  await turns(5);
  const read = db.read('select 1 as one');
  waiting[0]!.reject(new Error('EIO'));
  await assert.rejects(create, { code: 'COMMIT_UNKNOWN' });
  await assert.rejects(read, { code: 'COMMIT_UNKNOWN' });
  await assert.rejects(
    db.write((tx) => tx.run('insert into coin (id) values ($1)', ['a'])),
    { code: 'COMMIT_UNKNOWN' },
  );
  await assert.rejects(db.read('select 1 as one'), { code: 'COMMIT_UNKNOWN' });
  await db.close();
});

test('foreign keys are enforced, and the log is what reaches the disk at each commit', async () => {
  const db = openSqlite(join(folder, 'pragmas.sqlite'));
  assert.deepEqual(await db.read('pragma journal_mode'), [{ journal_mode: 'wal' }]);
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

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Db } from '../../../src/store/db.ts';
import { migrate } from '../../../src/store/migrate.ts';
import { testDatabase } from '../../support/database.ts';

const FIRST = { id: '0001', sql: 'create table coin (id text primary key);\ncreate table note (id text primary key);' };
const SECOND = { id: '0002', sql: "insert into coin (id) values ('from 0002')" };

const withDb = async (body: (db: Db) => Promise<void>): Promise<void> => body(await (await testDatabase())());

test('each migration is applied once, in order, whenever it is met', () =>
  withDb(async (db) => {
    await migrate(db, 'ark', [FIRST]);
    await migrate(db, 'ark', [FIRST]);
    await migrate(db, 'ark', [FIRST, SECOND]);
    await migrate(db, 'ark', [FIRST, SECOND]);
    assert.deepEqual(await db.read('select id from coin'), [{ id: 'from 0002' }]);
    assert.deepEqual(await db.read('select id from note'), []);
  }));

test('modules do not mix up their histories', () =>
  withDb(async (db) => {
    await migrate(db, 'ark', [FIRST]);
    await migrate(db, 'chain', [{ id: '0001', sql: 'create table block (id text primary key)' }]);
    await migrate(db, 'ark', [FIRST, SECOND]);
    assert.deepEqual(await db.read('select module, id from migration order by module, id'), [
      { module: 'ark', id: '0001' },
      { module: 'ark', id: '0002' },
      { module: 'chain', id: '0001' },
    ]);
  }));

test('a database from a newer program is refused and left alone', () =>
  withDb(async (db) => {
    await migrate(db, 'ark', [FIRST, SECOND]);
    await assert.rejects(migrate(db, 'ark', [FIRST]), { code: 'DATA_TOO_NEW' });
    assert.equal((await db.read('select * from migration')).length, 2);
  }));

test('an edited, reordered or skipped migration is refused', () =>
  withDb(async (db) => {
    await migrate(db, 'ark', [FIRST]);
    await assert.rejects(migrate(db, 'ark', [{ ...FIRST, sql: `${FIRST.sql} ` }]), { code: 'DATA_ALTERED' });
    const earlier = { id: '0000', sql: 'create table early (id text)' };
    await assert.rejects(migrate(db, 'ark', [earlier, FIRST]), { code: 'DATA_ALTERED' });
  }));

test('a migration that fails leaves nothing behind', () =>
  withDb(async (db) => {
    const broken = { id: '0002', sql: 'create table half (id text);\ninsert into absent (id) values (1);' };
    await assert.rejects(migrate(db, 'ark', [FIRST, broken]));
    await migrate(db, 'ark', [{ ...FIRST, sql: FIRST.sql.replace('coin', 'half') }]);
    assert.deepEqual(await db.read('select id from migration'), [{ id: '0001' }]);
  }));

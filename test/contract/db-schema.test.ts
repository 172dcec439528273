/** One schema: what migrations make of either engine is what `src/store/schema.sql` says. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { migrateAll } from '../../src/cli/modules.ts';
import type { Db } from '../../src/store/db.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { onServer, startPostgres, takePlace } from '../support/postgres.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const server = await startPostgres();
after(() => (typeof server === 'string' ? undefined : server.close()));
const skip = typeof server === 'string' ? server : false;

const schema = await readFile(join(ROOT, 'src', 'store', 'schema.sql'), 'utf8');
const [common] = schema.split('-- PostgreSQL only');

/** `table column type null default` of every column, the same on both engines. */
const COLUMNS_OF_SQLITE = `select t.name || ' ' || c.name || ' ' || lower(c.type) ||
    case when c."notnull" + c.pk > 0 then '' else ' null' end || coalesce(' ' || c.dflt_value, '') as line
  from sqlite_master t join pragma_table_info(t.name) c where t.type = 'table'`;
const COLUMNS_OF_POSTGRES = `select table_name || ' ' || column_name || ' ' || data_type ||
    case is_nullable when 'NO' then '' else ' null' end ||
    coalesce(' ' || regexp_replace(regexp_replace(column_default, '''(.*)''::bigint', '\\1'), '::text$', ''), '') as line
  from information_schema.columns where table_schema = current_schema() and table_name <> 'commit_mark'`;
/** `index-or-table unique columns` of every index; those that constraints made go by their table. */
const INDEXES_OF_SQLITE = `select case i.origin when 'c' then i.name else t.name end ||
    case i."unique" when 1 then ' unique' else '' end || ' ' ||
    (select group_concat(name, ',') from (select name from pragma_index_info(i.name) order by seqno)) as line
  from sqlite_master t join pragma_index_list(t.name) i where t.type = 'table'`;
const INDEXES_OF_POSTGRES = `select case when k.oid is null then c.relname else t.relname end ||
    case when i.indisunique then ' unique' else '' end || ' ' ||
    (select string_agg(a.attname, ',' order by a.attnum) from pg_attribute a where a.attrelid = c.oid) as line
  from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
    left join pg_constraint k on k.conindid = c.oid and k.contype in ('p', 'u')
  where t.relnamespace = current_schema()::regnamespace and t.relname <> 'commit_mark'`;
/** Everything that only one engine's own words can tell. */
const RULES_OF_POSTGRES = `select conrelid::regclass || ' ' || pg_get_constraintdef(oid) as line from pg_constraint
    where connamespace = current_schema()::regnamespace
  union all select table_name || ' ' || ordinal_position || ' ' || column_name || ' ' || data_type
    from information_schema.columns where table_schema = current_schema()`;

const lines = async (db: Db, ...queries: string[]): Promise<string[]> =>
  (await Promise.all(queries.map((sql) => db.read<{ line: string }>(sql))))
    .flat()
    .map(({ line }) => line)
    .toSorted();

const ofSqlite = (db: Db): Promise<string[]> => lines(db, COLUMNS_OF_SQLITE, INDEXES_OF_SQLITE);
const ofPostgres = (db: Db): Promise<string[]> => lines(db, COLUMNS_OF_POSTGRES, INDEXES_OF_POSTGRES);

test('schema.sql is what the migrations add up to', async () => {
  await promisify(execFile)(process.execPath, [join(ROOT, 'scripts', 'schema.ts'), '--check']);
});

test('SQLite: a migrated database has the columns, keys and indexes of schema.sql', async () => {
  const [migrated, written] = [openSqlite(':memory:'), openSqlite(':memory:')];
  await migrateAll(migrated);
  await written.write(async (tx) => {
    for (const statement of common!.split(/;\n/).filter((part) => part.includes('create'))) await tx.run(statement);
  });
  assert.deepEqual(await ofSqlite(migrated), await ofSqlite(written));
  await Promise.all([migrated.close(), written.close()]);
});

test('PostgreSQL: a migrated database is schema.sql to the last rule, and has the tables of SQLite', {
  skip,
}, async () => {
  const { url } = server as Exclude<typeof server, string>;
  const [here, there] = [await takePlace(url), await takePlace(url)];
  const migrated = await openPostgres(here.url);
  await migrateAll(migrated);
  await onServer(there.url, schema);
  const written = await openPostgres(there.url);
  assert.deepEqual(await ofPostgres(migrated), await ofPostgres(written));
  assert.deepEqual(await lines(migrated, RULES_OF_POSTGRES), await lines(written, RULES_OF_POSTGRES));

  const sqlite = openSqlite(':memory:');
  await migrateAll(sqlite);
  assert.deepEqual(await ofPostgres(migrated), await ofSqlite(sqlite));
  await Promise.all([migrated, written, sqlite].map((db) => db.close()));
  await Promise.all([here.remove(), there.remove()]);
});

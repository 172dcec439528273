/**
 * Writes `src/store/schema.sql`: what the migrations add up to, for people to read and for tests to check databases by.
 * `--check` writes nothing and fails when the file is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { migrateAll } from '../src/cli/modules.ts';
import { COMMIT_MARKS } from '../src/store/postgres-session.ts';
import { openSqlite } from '../src/store/sqlite.ts';

const FILE = join(import.meta.dirname, '..', 'src', 'store', 'schema.sql');
const COMMAND = 'node scripts/schema.ts';

/** The first line and the last stand at the margin, those between by two. */
const tidy = (sql: string): string => {
  const lines = sql
    .replace(/^create (table|unique index|index) /i, (words) => words.toLowerCase())
    .split('\n')
    .map((line) => line.trim());
  return lines.map((line, i) => (i === 0 || i === lines.length - 1 ? line : `  ${line}`)).join('\n');
};

const db = openSqlite(':memory:');
await migrateAll(db);
const made = await db.read<{ sql: string }>('select sql from sqlite_master where sql is not null order by rowid');
await db.close();

const text = `-- Made from the migrations by "${COMMAND}". Edit those instead.

${made.map(({ sql }) => `${tidy(sql)};\n`).join('\n')}
-- PostgreSQL only

${tidy(COMMIT_MARKS)};
`;

if (!process.argv.includes('--check')) writeFileSync(FILE, text);
else if (readFileSync(FILE, 'utf8') !== text) {
  process.stderr.write(`src/store/schema.sql is out of date: run ${COMMAND}\n`);
  process.exitCode = 1;
}

/** Brings a schema forward. What has been applied is remembered with a checksum, so history can be neither lost nor edited. */
import { toHex, utf8 } from '../base/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { OperatorError } from '../runtime/operator-error.ts';
import type { Db, DbTx, Migration } from './db.ts';

const TABLE = `create table if not exists migration (
  module text not null, id text not null, checksum text not null, primary key (module, id)
)`;

const checksumOf = (migration: Migration): string => toHex(sha256(utf8(migration.sql)));

/** Statements of a migration end with a semicolon at the end of a line. */
const statementsOf = (migration: Migration): string[] =>
  migration.sql
    .split(/;\s*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');

interface Applied {
  readonly id: string;
  readonly checksum: string;
}

/** In order of id, by code unit: engines order text each in their own way. */
async function appliedTo(tx: DbTx, module: string): Promise<Applied[]> {
  const sql = 'select id, checksum from migration where module = $1';
  const rows = await tx.run<{ id: string; checksum: string }>(sql, [module]);
  return rows.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * Applies, in one transaction, the migrations of `module` that the database lacks; `migrations` are in order of id.
 * Throws `OperatorError` DATA_TOO_NEW when the database has one that the list lacks, and DATA_ALTERED when an applied
 * one has another text or a place before it was skipped. Then nothing has changed.
 */
export async function migrate(db: Db, module: string, migrations: readonly Migration[]): Promise<void> {
  await db.write(async (tx) => {
    await tx.run(TABLE);
    const applied = await appliedTo(tx, module);
    applied.forEach((row, i) => {
      const known = migrations[i];
      if (!migrations.some((migration) => migration.id === row.id)) {
        throw new OperatorError('DATA_TOO_NEW', `the data was written by a newer program (${module} ${row.id})`);
      }
      if (known?.id !== row.id || checksumOf(known) !== row.checksum) {
        throw new OperatorError(
          'DATA_ALTERED',
          `the data's history differs from this program's at ${module} ${row.id}`,
        );
      }
    });
    for (const migration of migrations.slice(applied.length)) {
      for (const statement of statementsOf(migration)) await tx.run(statement);
      await tx.run('insert into migration (module, id, checksum) values ($1, $2, $3)', [
        module,
        migration.id,
        checksumOf(migration),
      ]);
    }
  });
}

/** Databases for tests, on the engine that CANALWORKS_DB names, or on SQLite. */
import { after } from 'node:test';
import type { Db } from '../../src/store/db.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { takePlace } from './postgres.ts';

/** Opens a PostgreSQL URL or a file of SQLite's. */
export const openPlace = async (place: string): Promise<Db> =>
  place.startsWith('postgres') ? openPostgres(place) : openSqlite(place);

/**
 * Finds an empty database for the test that is running, gone at its end, and returns what opens it. Opened again, it is
 * the same one, except on SQLite without a `file`. Not for use in a hook, whose end comes too soon.
 */
export async function testDatabase(file = ':memory:'): Promise<() => Promise<Db>> {
  const server = process.env.CANALWORKS_DB;
  const place = server ? await takePlace(server) : undefined;
  const opened: Db[] = [];
  after(async () => {
    for (const db of opened) await db.close();
    await place?.remove();
  });
  return async () => {
    const db = await openPlace(place?.url ?? file);
    opened.push(db);
    return db;
  };
}

/** `db`, and whether it is at work: what a test waits for that wants everything to come to rest. */
export function observed(db: Db): { readonly db: Db; isBusy(): boolean } {
  let running = 0;
  const counted = async <T>(work: Promise<T>): Promise<T> => {
    running++;
    try {
      return await work;
    } finally {
      running--;
    }
  };
  return {
    db: {
      read: (sql, args) => counted(db.read(sql, args)),
      write: (work) => counted(db.write(work)),
      close: db.close,
    },
    isBusy: () => running > 0,
  };
}

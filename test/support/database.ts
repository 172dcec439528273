/** Databases for tests, on the engine that CANALWORKS_DB names, or on SQLite. */
import type { Db } from '../../src/store/db.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { takePlace } from './postgres.ts';

/** Opens a PostgreSQL URL or a file of SQLite's. */
export const openPlace = async (place: string): Promise<Db> =>
  place.startsWith('postgres') ? openPostgres(place) : openSqlite(place);

/** An empty database that is gone once closed. */
export async function freshDb(): Promise<Db> {
  const url = process.env.CANALWORKS_DB;
  if (!url) return openSqlite(':memory:');
  const place = await takePlace(url);
  const db = await openPostgres(place.url);
  return {
    ...db,
    async close() {
      await db.close();
      await place.remove();
    },
  };
}

/** PostgreSQL behind the storage port: one connection that writes, serializably and in groups, and a pool that reads. */
import pg from 'pg';
import { messageOf } from '../base/errors.ts';
import { OperatorError } from '../runtime/operator-error.ts';
import type { Db, Row, SqlValue, StoreError } from './db.ts';
import {
  ATTEMPTS,
  clientConfig,
  connectWriter,
  discard,
  isLost,
  pause,
  queryOf,
  rowsOf,
  toStoreError,
} from './postgres-client.ts';
import { type Turn, takeTurn } from './postgres-lock.ts';
import { COMMIT_MARKS, createPostgresSession } from './postgres-session.ts';
import { databaseName } from './postgres-url.ts';
import { createWriteQueue } from './write-queue.ts';

const READERS = 8;

/** Two processes may open a new database at once; the lock keeps them from both creating the table. */
const SET_UP = `begin;
  select pg_advisory_xact_lock(hashtextextended('canalworks set-up', 0));
  ${COMMIT_MARKS};
  delete from commit_mark where written_at < now() - interval '1 day';
  commit`;

/** Asks to have the database alone, and waits for it. */
export interface Alone extends Turn {
  /** Called once when the hold on the database is lost: from then on every call is refused. */
  readonly onLost: (error: StoreError) => void;
}

/**
 * Opens the database at `url` (postgres://…). A lost connection is replaced, and what it interrupted is run again where
 * that is safe, else refused with a `StoreError`; with `alone`, losing the writing connection is the end of it all.
 * Throws `OperatorError` DATABASE_UNREACHABLE.
 */
export async function openPostgres(url: string, alone?: Alone): Promise<Db> {
  const config = clientConfig(url);
  const connect = (): Promise<pg.Client> => connectWriter(config);
  const first = await unlessUnreachable(url, async () => {
    const client = await (alone ? takeTurn(connect, alone) : connect());
    await client.query(SET_UP).catch((error) => {
      discard(client);
      throw error;
    });
    return client;
  });
  const readers = new pg.Pool({ ...clientConfig(url, ['default_transaction_read_only=on']), max: READERS });
  readers.on('error', () => {});
  let refusal: Error | undefined;
  const session = createPostgresSession({
    connect,
    first,
    replaceable: !alone,
    onLost: (error) => {
      refusal ??= error;
      alone?.onLost(error);
    },
  });
  const queue = createWriteQueue(session);

  async function read<T extends Row>(sql: string, args?: readonly SqlValue[]): Promise<T[]> {
    const query = queryOf(sql, args);
    for (let attempt = 1; ; attempt++) {
      if (refusal) throw refusal;
      try {
        return rowsOf<T>(await readers.query(query));
      } catch (error) {
        if (!isLost(error) || attempt === ATTEMPTS) throw toStoreError(error);
        await pause(attempt);
      }
    }
  }

  let closing: Promise<void> | undefined;
  return {
    read,
    write: queue.write,
    close: () =>
      (closing ??= (async () => {
        refusal ??= new TypeError('the database is closed');
        await queue.close();
        await readers.end();
      })()),
  };
}

async function unlessUnreachable<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') throw error;
    throw new OperatorError(
      'DATABASE_UNREACHABLE',
      `cannot use the database ${databaseName(url)}: ${messageOf(error)}`,
    );
  }
}

/**
 * SQLite behind the storage port: one connection that writes, one that reads. The engine itself waits for the disk only
 * where its file's order needs it; a commit is brought to the disk by {@link DiskSync}, while this thread goes on, and
 * until then neither its writers nor any reader hear of it.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { InvariantError, messageOf } from '../base/errors.ts';
import { OperatorError } from '../runtime/operator-error.ts';
import { ConstraintError, type Db, type Row, type SqlValue, StoreError } from './db.ts';
import { type DiskSync, openDiskSync } from './disk-sync.ts';
import { toStored } from './value.ts';
import { createWriteQueue, type Session } from './write-queue.ts';

/** How long a statement waits for another process's lock. */
const BUSY_TIMEOUT_MS = 5_000;
const LARGEST_CACHE = 500;
/** Extended result codes of `SQLITE_CONSTRAINT` for a primary key and for a unique index. */
const UNIQUENESS = new Set([1555, 2067]);

interface Prepared {
  readonly statement: StatementSync;
  readonly names: readonly string[];
}

const toConstraintError = (error: unknown): unknown =>
  error instanceof Error && UNIQUENESS.has((error as { errcode?: number }).errcode ?? 0)
    ? new ConstraintError(error.message, { cause: error })
    : error;

/** One connection with its prepared statements. */
function connect(path: string, readOnly: boolean) {
  const database = new DatabaseSync(path, { readOnly, timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  const cache = new Map<string, Prepared>();

  function prepare(sql: string): Prepared {
    const known = cache.get(sql);
    if (known) return known;
    if (/;\s*\S/.test(sql)) throw new TypeError('one statement at a time');
    const statement = database.prepare(sql);
    statement.setReadBigInts(true);
    const arity = Math.max(0, ...[...sql.matchAll(/\$([0-9]+)/g)].map((match) => Number(match[1])));
    const prepared = { statement, names: Array.from({ length: arity }, (_, i) => `$${i + 1}`) };
    if (cache.size >= LARGEST_CACHE) cache.delete(cache.keys().next().value!);
    cache.set(sql, prepared);
    return prepared;
  }

  return {
    exec: (sql: string): void => database.exec(sql),
    inTransaction: (): boolean => database.isTransaction,
    all<T extends Row>(sql: string, args: readonly SqlValue[] = []): T[] {
      const { statement, names } = prepare(sql);
      if (args.length !== names.length)
        throw new TypeError(`statement takes ${names.length} values, not ${args.length}`);
      const named = Object.fromEntries(names.map((name, i) => [name, toStored(args[i]!)]));
      return statement.all(named).map((row) => ({ ...row }) as T);
    },
    close(): void {
      cache.clear();
      database.close();
    },
  };
}

type Connection = ReturnType<typeof connect>;

/** The write-ahead log, which every commit is appended to. */
const walOf = (path: string): string => `${path}-wal`;

interface Opened {
  readonly writer: Connection;
  readonly reader: Connection;
  /** Absent in memory. */
  readonly disk?: DiskSync;
}

function open(path: string, openDisk: (path: string) => DiskSync): Opened {
  try {
    const writer = connect(path, false);
    if (path === ':memory:') return { writer, reader: writer };
    writer.exec('pragma journal_mode = wal');
    writer.exec('pragma synchronous = normal');
    // The log comes into being with the first thing that is read or written.
    writer.exec('begin immediate; commit');
    return { writer, reader: connect(path, true), disk: openDisk(walOf(path)) };
  } catch (error) {
    throw new OperatorError('DATA_UNREADABLE', `cannot open the database ${path}: ${messageOf(error)}`);
  }
}

/** When what was committed is on the disk. */
interface Durability {
  /** Resolves once all that was committed is. Throws, now and from then on, when the disk fails. */
  reach(): void | Promise<void>;
  /** Set while something committed is not yet. */
  reaching(): Promise<void> | undefined;
  /** Throws once the disk has failed. */
  check(): void;
}

function createDurability(disk: DiskSync | undefined): Durability {
  let reaching: Promise<void> | undefined;
  let failure: StoreError | undefined;
  return {
    reach() {
      reaching = disk?.sync().then(
        () => {
          reaching = undefined;
        },
        (error) => {
          reaching = undefined;
          failure = new StoreError('COMMIT_UNKNOWN', `the disk does not take what is written: ${messageOf(error)}`);
          throw failure;
        },
      );
      return reaching;
    },
    reaching: () => reaching,
    check() {
      if (failure) throw failure;
    },
  };
}

/** Transactions on the connection that writes. */
function createSession(writer: Connection, durability: Durability): Session {
  let failed: unknown;
  return {
    begin() {
      durability.check();
      failed = undefined;
      writer.exec('begin immediate');
    },
    query(sql, args) {
      try {
        return writer.all(sql, args);
      } catch (error) {
        // On a full disk, say, SQLite rolls back everything by itself.
        failed = error;
        throw toConstraintError(error);
      }
    },
    control: (sql) => writer.exec(sql),
    commit() {
      writer.exec('commit');
      return durability.reach();
    },
    rollback() {
      if (writer.inTransaction()) writer.exec('rollback');
    },
    failure: () =>
      writer.inTransaction() ? undefined : (failed ?? new InvariantError('the engine gave up the whole transaction')),
    giveUp: (error) => error,
    end: () => writer.close(),
  };
}

/**
 * Opens (creating it if absent) the database at `path`, or a private one in memory for `:memory:`.
 * Throws `OperatorError` DATA_UNREADABLE when the file is no database or may not be used.
 */
export function openSqlite(path: string, openDisk = openDiskSync): Db {
  const { writer, reader, disk } = open(path, openDisk);
  const durability = createDurability(disk);
  const queue = createWriteQueue(createSession(writer, durability));
  let closed = false;
  return {
    async read(sql, args) {
      if (closed) throw new TypeError('the database is closed');
      // In memory there is one connection only, so a reader waits until nothing uncommitted can be seen.
      while (reader === writer && queue.committing()) await queue.committing();
      // Nobody is told what a power cut could take back.
      while (durability.reaching()) await durability.reaching()?.catch(() => {});
      durability.check();
      return reader.all(sql, args);
    },
    write: queue.write,
    async close() {
      if (closed) return;
      closed = true;
      await queue.close();
      disk?.close();
      if (reader !== writer) reader.close();
    },
  };
}

/**
 * SQLite behind the storage port. Writes wait in a queue and are committed in groups: every work that is waiting when a
 * turn of the event loop ends shares one transaction and one fsync, each in a savepoint of its own.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { invariant, messageOf } from '../base/errors.ts';
import { OperatorError } from '../runtime/operator-error.ts';
import { ConstraintError, type Db, type DbTx, type Row, type SqlValue } from './db.ts';

/** How long a statement waits for another process's lock. */
const BUSY_TIMEOUT_MS = 5_000;
/** So that a flood of writes still commits, and answers, every so often. */
const LARGEST_GROUP = 256;
const LARGEST_CACHE = 500;
/** Extended result codes of `SQLITE_CONSTRAINT` for a primary key and for a unique index. */
const UNIQUENESS = new Set([1555, 2067]);

interface Prepared {
  readonly statement: StatementSync;
  readonly names: readonly string[];
}

/** Settles a write's promise; chosen when its work ends, called when the group's commit is durable. */
type Settle = () => void;

interface PendingWrite {
  /** Runs the work inside the open transaction and says how to settle it once that is committed. */
  run(): Promise<Settle>;
  reject(error: unknown): void;
}

const toConstraintError = (error: unknown): unknown =>
  error instanceof Error && UNIQUENESS.has((error as { errcode?: number }).errcode ?? 0)
    ? new ConstraintError(error.message, { cause: error })
    : error;

const toSqlite = (value: SqlValue): SQLInputValue => {
  if (typeof value !== 'number') return value;
  if (!Number.isSafeInteger(value)) throw new TypeError(`not a whole number: ${value}`);
  return BigInt(value);
};

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
      const named = Object.fromEntries(names.map((name, i) => [name, toSqlite(args[i]!)]));
      return statement.all(named).map((row) => ({ ...row }) as T);
    },
    close(): void {
      cache.clear();
      database.close();
    },
  };
}

type Connection = ReturnType<typeof connect>;

function open(path: string): { readonly writer: Connection; readonly reader: Connection } {
  try {
    const writer = connect(path, false);
    if (path === ':memory:') return { writer, reader: writer };
    writer.exec('pragma journal_mode = wal');
    writer.exec('pragma synchronous = full');
    return { writer, reader: connect(path, true) };
  } catch (error) {
    throw new OperatorError('DATA_UNREADABLE', `cannot open the database ${path}: ${messageOf(error)}`);
  }
}

/** The statements of one work. The first that fails dooms the work, as PostgreSQL has it, even if the work carries on. */
function createTx(connection: Connection): { readonly tx: DbTx; end(): void } {
  let doom: { readonly error: unknown } | undefined;
  let ended = false;
  async function run<T extends Row>(sql: string, args?: readonly SqlValue[]): Promise<T[]> {
    if (ended) throw new TypeError('the transaction has ended');
    if (doom) throw doom.error;
    try {
      return connection.all<T>(sql, args);
    } catch (error) {
      doom = { error: toConstraintError(error) };
      throw doom.error;
    }
  }
  return {
    tx: { read: run, run },
    end() {
      ended = true;
      if (doom) throw doom.error;
    },
  };
}

/**
 * Opens (creating it if absent) the database at `path`, or a private one in memory for `:memory:`.
 * Throws `OperatorError` DATA_UNREADABLE when the file is no database or may not be used.
 */
export function openSqlite(path: string): Db {
  const { writer, reader } = open(path);
  const queue: PendingWrite[] = [];
  /** Set from the first waiting write until the queue is empty. */
  let draining: Promise<void> | undefined;
  /** Set while a transaction is open. */
  let committing: Promise<void> | undefined;
  let closed = false;

  async function commitGroup(): Promise<void> {
    const group: PendingWrite[] = [];
    const settles: Settle[] = [];
    try {
      writer.exec('begin immediate');
      for (let next = queue.shift(); next; next = group.length < LARGEST_GROUP ? queue.shift() : undefined) {
        group.push(next);
        settles.push(await next.run());
        invariant(writer.inTransaction(), 'the engine gave up the whole transaction');
      }
      writer.exec('commit');
    } catch (error) {
      if (writer.inTransaction()) writer.exec('rollback');
      for (const write of group.length > 0 ? group : queue.splice(0)) write.reject(error);
      return;
    }
    for (const settle of settles) settle();
  }

  async function drain(): Promise<void> {
    do {
      // A turn of the event loop later, whatever else this turn brings has joined the group.
      await new Promise<void>((resolve) => setImmediate(resolve));
      committing = commitGroup();
      await committing;
      committing = undefined;
    } while (queue.length > 0);
    draining = undefined;
  }

  async function runInSavepoint<R>(work: (tx: DbTx) => Promise<R>): Promise<R> {
    const { tx, end } = createTx(writer);
    writer.exec('savepoint work');
    try {
      const result = await work(tx);
      end();
      writer.exec('release work');
      return result;
    } catch (error) {
      // A full disk, say, makes SQLite roll back everything by itself.
      if (writer.inTransaction()) writer.exec('rollback to work; release work');
      throw error;
    }
  }

  const assertOpen = (): void => {
    if (closed) throw new TypeError('the database is closed');
  };

  return {
    async read(sql, args) {
      assertOpen();
      // In memory there is one connection only, so a reader waits until nothing uncommitted can be seen.
      while (reader === writer && committing) await committing;
      return reader.all(sql, args);
    },
    write: (work) =>
      new Promise((resolve, reject) => {
        assertOpen();
        queue.push({
          reject,
          run: () =>
            runInSavepoint(work).then(
              (result) => () => resolve(result),
              (error) => () => reject(error),
            ),
        });
        draining ??= drain();
      }),
    async close() {
      if (closed) return;
      closed = true;
      await draining;
      if (reader !== writer) reader.close();
      writer.close();
    },
  };
}

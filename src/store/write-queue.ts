/**
 * The order of writes, the same for every engine. Writes wait in a queue and are committed in groups: every work that
 * is waiting when its turn comes shares one transaction and one fsync, each in a savepoint of its own.
 */
import type { DbTx, Row, SqlValue } from './db.ts';

/** So that a flood of writes still commits, and answers, every so often. */
const LARGEST_GROUP = 256;

/** The one connection that writes, as the queue drives it. */
export interface Session {
  begin(): void | Promise<void>;
  query<T extends Row>(sql: string, args?: readonly SqlValue[]): T[] | Promise<T[]>;
  /** `savepoint work`, `release work` and the like. */
  control(sql: string): void | Promise<void>;
  /** Returns once what was written is durable; throws only when nothing was, or with an error that says otherwise. */
  commit(): void | Promise<void>;
  /** Ends what is left of a failed transaction. Never throws. */
  rollback(): void | Promise<void>;
  /** What ended the open transaction as a whole, and not just a statement of it. */
  failure(): unknown;
  /** Resolves, after a pause, with nothing when a failed group should run again, else with the error for its works. */
  giveUp(error: unknown, attempt: number): unknown;
  end(): void | Promise<void>;
}

export interface WriteQueue {
  write<R>(work: (tx: DbTx) => Promise<R>): Promise<R>;
  /** Set while a transaction is open. */
  committing(): Promise<void> | undefined;
  /** Waits for what was accepted, then ends the session. */
  close(): Promise<void>;
}

/** Settles a write's promise; chosen when its work ends, called when the group's commit is durable. */
type Settle = () => void;

interface PendingWrite {
  /** Runs the work inside the open transaction and says how to settle it once that is committed. */
  run(): Promise<Settle>;
  reject(error: unknown): void;
}

/** The statements of one work. The first that fails dooms the work, even if the work carries on. */
function createTx(session: Session): { readonly tx: DbTx; end(): void; check(): void } {
  let doom: { readonly error: unknown } | undefined;
  let ended = false;
  async function run<T extends Row>(sql: string, args?: readonly SqlValue[]): Promise<T[]> {
    if (ended) throw new TypeError('the transaction has ended');
    if (doom) throw doom.error;
    try {
      return await session.query<T>(sql, args);
    } catch (error) {
      doom ??= { error };
      throw doom.error;
    }
  }
  return {
    tx: { read: run, run },
    end() {
      ended = true;
    },
    check() {
      if (doom) throw doom.error;
    },
  };
}

async function runInSavepoint<R>(session: Session, work: (tx: DbTx) => Promise<R>): Promise<R> {
  const { tx, end, check } = createTx(session);
  await session.control('savepoint work');
  try {
    const result = await work(tx).finally(end);
    check();
    await session.control('release work');
    return result;
  } catch (error) {
    if (session.failure() === undefined) await session.control('rollback to work; release work');
    throw error;
  }
}

export function createWriteQueue(session: Session): WriteQueue {
  const queue: PendingWrite[] = [];
  /** Set from the first waiting write until the queue is empty. */
  let draining: Promise<void> | undefined;
  let committing: Promise<void> | undefined;
  let closed = false;

  /** Runs the works of `group`, and those that join it meanwhile, in one transaction. */
  async function runGroup(group: PendingWrite[]): Promise<Settle[]> {
    const settles: Settle[] = [];
    await session.begin();
    while (settles.length < LARGEST_GROUP) {
      const write = group[settles.length] ?? queue.shift();
      if (!write) break;
      if (settles.length === group.length) group.push(write);
      settles.push(await write.run());
      const failure = session.failure();
      if (failure !== undefined) throw failure;
    }
    await session.commit();
    return settles;
  }

  async function commitGroup(): Promise<void> {
    const group: PendingWrite[] = [];
    for (let attempt = 1; ; attempt++) {
      try {
        for (const settle of await runGroup(group)) settle();
        return;
      } catch (error) {
        await session.rollback();
        const refusal = await session.giveUp(error, attempt);
        if (refusal === undefined) continue;
        for (const write of group.length > 0 ? group : queue.splice(0)) write.reject(refusal);
        return;
      }
    }
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

  return {
    write: (work) =>
      new Promise((resolve, reject) => {
        if (closed) throw new TypeError('the database is closed');
        queue.push({
          reject,
          run: () =>
            runInSavepoint(session, work).then(
              (result) => () => resolve(result),
              (error) => () => reject(error),
            ),
        });
        draining ??= drain();
      }),
    committing: () => committing,
    async close() {
      if (closed) return;
      closed = true;
      await draining;
      await session.end();
    },
  };
}

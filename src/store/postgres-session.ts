/**
 * The connection to PostgreSQL that writes. Each transaction leaves a mark of its own, so that when the connection
 * breaks during a commit the next one can find out how that ended: the mark is there, or never will be.
 */
import type pg from 'pg';
import { toHex } from '../base/bytes.ts';
import { invariant } from '../base/errors.ts';
import { systemEntropy } from '../runtime/entropy.ts';
import { type Row, type SqlValue, StoreError } from './db.ts';
import { ATTEMPTS, discard, isConflict, isLost, pause, queryOf, rowsOf, toStoreError } from './postgres-client.ts';
import type { Session } from './write-queue.ts';

/** A table of this engine's own. */
export const COMMIT_MARKS = `create table if not exists commit_mark (
  writer text not null, sequence bigint not null, written_at timestamptz not null default now(),
  primary key (writer, sequence)
)`;

/** Old marks go whenever this many new ones were left. */
const MARKS_KEPT = 1_000n;

export interface PostgresSessionParts {
  readonly connect: () => Promise<pg.Client>;
  /** The connection to begin with. */
  readonly first: pg.Client;
  /** Whether another connection may take its place when it is lost. */
  readonly replaceable: boolean;
  /** Called once when a connection is lost that may not be replaced. */
  readonly onLost: (error: StoreError) => void;
}

export function createPostgresSession({ connect, first, replaceable, onLost }: PostgresSessionParts): Session {
  const writer = toHex(systemEntropy.bytes(16));
  let sequence = 0n;
  let client: pg.Client | undefined;
  let failed: unknown;
  let ended = false;

  const gone = (): StoreError => new StoreError('STORE_UNAVAILABLE', 'the hold on the database is lost');

  function adopt(adopted: pg.Client): void {
    client = adopted;
    adopted.once('end', () => {
      if (client !== adopted) return;
      client = undefined;
      if (!replaceable && !ended) onLost(gone());
    });
  }

  function drop(dropped: pg.Client): void {
    if (client !== dropped) return;
    client = undefined;
    discard(dropped);
    if (!replaceable) onLost(gone());
  }

  async function send(query: string | pg.QueryConfig): Promise<pg.QueryResult> {
    const used = client;
    try {
      if (!used) throw gone();
      return await used.query(query);
    } catch (error) {
      if (used && isLost(error)) drop(used);
      if (isLost(error) || isConflict(error)) failed ??= error;
      throw toStoreError(error);
    }
  }

  const mark = (): string => `insert into commit_mark (writer, sequence) values ('${writer}', ${sequence})`;
  const forgetMarks = () => send(`delete from commit_mark where writer = '${writer}'`);

  /**
   * How a commit ended whose answer was lost. Leaving the same mark waits for a commit that is still under way; once
   * the mark is left here, the transaction can never leave it any more.
   */
  async function wasCommitted(): Promise<boolean> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      let other: pg.Client | undefined;
      try {
        other = await connect();
        const { rows } = await other.query(`${mark()} on conflict do nothing returning sequence`);
        return rows.length === 0;
      } catch {
        await pause(attempt);
      } finally {
        if (other) discard(other);
      }
    }
    throw new StoreError('COMMIT_UNKNOWN', 'the connection broke during a commit, and how that ended is not known');
  }

  adopt(first);
  return {
    async begin() {
      failed = undefined;
      if (!client) {
        if (!replaceable) throw gone();
        adopt(await connect());
      }
      if (sequence % MARKS_KEPT === 0n && sequence > 0n) await forgetMarks();
      sequence += 1n;
      await send(`begin isolation level serializable; ${mark()}`);
    },

    async query<T extends Row>(sql: string, args?: readonly SqlValue[]) {
      return rowsOf<T>(await send(queryOf(sql, args)));
    },

    async control(sql) {
      await send(sql);
    },

    async commit() {
      let result: pg.QueryResult;
      try {
        result = await send('commit');
      } catch (error) {
        // Whoever says no and is still there has not committed.
        if (!isLost(error) && (await send('rollback').then(Boolean, () => false))) throw error;
        if (await wasCommitted()) return;
        throw error;
      }
      invariant(result.command === 'COMMIT', 'the server rolled back instead of committing');
    },

    async rollback() {
      // Where this fails the connection is dropped, and the server rolls back by itself.
      if (client) await send('rollback').catch(() => {});
    },

    failure: () => failed,

    async giveUp(error, attempt) {
      const again = isConflict(error) || (isLost(error) && replaceable);
      if (!again || attempt >= ATTEMPTS) return toStoreError(error);
      await pause(attempt);
    },

    async end() {
      ended = true;
      if (!client) return;
      await forgetMarks().catch(() => {});
      await client?.end().catch(() => {});
    },
  };
}

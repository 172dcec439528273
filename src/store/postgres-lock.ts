/** One process at a time: an advisory lock that lives and dies with the connection that took it. */
import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { invariant } from '../base/errors.ts';
import { discard, isLost } from './postgres-client.ts';

const RETRY_MS = 500;

/** Each schema of a database has a lock of its own. */
const TAKE = "select pg_try_advisory_lock(hashtextextended('canalworks ' || current_schema(), 0)) as taken";

export interface Turn {
  /** Called once if another process holds the database. */
  readonly onStandby: () => void;
  /** Ends the wait: it then throws the signal's reason. */
  readonly signal: AbortSignal;
}

/**
 * Waits until no other process holds the database, and holds it with the connection returned. While waiting it outlives
 * failures of the server. Throws StoreError STORE_UNAVAILABLE when the server cannot be reached at first.
 */
export async function takeTurn(connect: () => Promise<pg.Client>, { onStandby, signal }: Turn): Promise<pg.Client> {
  let client: pg.Client | undefined = await connect();
  try {
    for (let waiting = false; ; waiting = true) {
      try {
        client ??= await connect();
        if (await isTaken(client)) return client;
        if (!waiting) onStandby();
      } catch (error) {
        if (!isLost(error)) throw error;
        if (client) discard(client);
        client = undefined;
      }
      await setTimeout(RETRY_MS, undefined, { signal });
    }
  } catch (error) {
    if (client) discard(client);
    throw error;
  }
}

async function isTaken(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query(TAKE);
  invariant(rows[0].taken !== null, 'the database has no schema to keep tables in');
  return rows[0].taken === 1n;
}

/** The PostgreSQL database of a run, which one process at a time may use: the next one stands by until that ends. */
import { readSetting, writeSetting } from '../ark/server/store/settings.ts';
import { OperatorError } from '../runtime/operator-error.ts';
import type { Db } from '../store/db.ts';
import { databaseName } from '../store/postgres-url.ts';

export interface HeldDatabase {
  readonly db: Db;
  /** Whether another process had it before, which may still be on its way out. */
  readonly stoodBy: boolean;
  /** Resolves with the reason once this process may not go on. */
  readonly lost: Promise<OperatorError>;
}

/**
 * Waits for its turn on the database at `url`; `undefined` when `ended` comes first. Throws `OperatorError`
 * DATABASE_UNREACHABLE.
 */
export async function holdDatabase(url: string, ended: Promise<void>): Promise<HeldDatabase | undefined> {
  // Only who needs the driver waits for it to load.
  const { openPostgres } = await import('../store/postgres.ts');
  const name = databaseName(url);
  const lost = Promise.withResolvers<OperatorError>();
  const waiting = new AbortController();
  let stoodBy = false;
  void ended.then(() => waiting.abort());
  try {
    const db = await openPostgres(url, {
      signal: waiting.signal,
      onStandby: () => {
        stoodBy = true;
        process.stderr.write(`canalworks: standing by, to take over when the process that uses ${name} ends\n`);
      },
      onLost: ({ message }) =>
        lost.resolve(new OperatorError('DATABASE_UNREACHABLE', `stopped, since ${message}: ${name}`)),
    });
    return { db, stoodBy, lost: lost.promise };
  } catch (error) {
    if (waiting.signal.aborted) return undefined;
    throw error;
  }
}

/**
 * Ties a database to the server key that its coins are locked to: with another, none of them could be moved.
 * Throws `OperatorError` DATA_ALTERED.
 */
export async function claimDatabase(db: Db, signer: string): Promise<void> {
  const owner = await db.write(async (tx) => {
    const known = await readSetting(tx, 'signer');
    if (known === undefined) await writeSetting(tx, 'signer', signer);
    return known ?? signer;
  });
  if (owner !== signer) {
    throw new OperatorError(
      'DATA_ALTERED',
      `the database belongs to the server key ${owner}, but the data folder has ${signer}: put back its secrets.json`,
    );
  }
}

/** Connections to PostgreSQL: how they are configured, how values cross them, and what their errors mean. */
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { InvariantError, messageOf } from '../base/errors.ts';
import { ConstraintError, type Row, type SqlValue, StoreError } from './db.ts';
import { toStored } from './value.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** A server that stays silent for this long after a statement should have been cut off is taken for lost. */
const ANSWER_TIMEOUT_MS = STATEMENT_TIMEOUT_MS + 5_000;
const KEEP_ALIVE_DELAY_MS = 10_000;

/** What the server holds every connection to. The keepalives free the locks of a machine that vanished. */
const SERVER_SETTINGS = [
  'synchronous_commit=on',
  `statement_timeout=${STATEMENT_TIMEOUT_MS}`,
  'idle_in_transaction_session_timeout=60000',
  'tcp_keepalives_idle=10',
  'tcp_keepalives_interval=5',
  'tcp_keepalives_count=3',
  // Everything is looked up by an index. A table that filled up since its last analysis looks small to the planner, which
  // would then read it whole, once for every generation of a long descent.
  'enable_hashjoin=off',
  'enable_mergejoin=off',
  'enable_seqscan=off',
  // Worth its compilation only where a statement reads a great deal, which none does, whatever the planner believes.
  'jit=off',
];

const wholeNumeric = (text: string): bigint => {
  if (!/^-?[0-9]+$/.test(text)) throw new TypeError(`not a whole number: ${text}`);
  return BigInt(text);
};

/** PostgreSQL's type numbers (pg_type.oid) → the values SQLite would give. Everything else arrives as text. */
const PARSERS: Readonly<Record<number, (text: string) => SqlValue>> = {
  16: (text) => (text === 't' ? 1n : 0n),
  17: (text) => Uint8Array.from(Buffer.from(text.slice(2), 'hex')),
  20: BigInt,
  21: BigInt,
  23: BigInt,
  1700: wholeNumeric,
};

/** `settings` are `name=value` pairs for this kind of connection. Throws TypeError when `url` is none. */
export function clientConfig(url: string, settings: readonly string[] = []): pg.ClientConfig {
  const target = new URL(url);
  const own = [...SERVER_SETTINGS, ...settings].map((setting) => `-c ${setting}`);
  target.searchParams.set('options', [target.searchParams.get('options') ?? '', ...own].join(' ').trim());
  return {
    connectionString: target.href,
    fallback_application_name: 'canalworks',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    types: { getTypeParser: (oid) => PARSERS[oid as number] ?? ((text: string) => text) } as pg.CustomTypesConfig,
  };
}

/** Always one statement, since the extended protocol takes no more. */
export const queryOf = (sql: string, args: readonly SqlValue[] = []): pg.QueryConfig & { queryMode: 'extended' } => ({
  text: sql,
  values: args.map(toStored),
  queryMode: 'extended',
});

export const rowsOf = <T extends Row>(result: pg.QueryResult): T[] => result.rows.map((row) => ({ ...row }) as T);

/** Faults of the server or the connection rather than of a statement; most of them end the connection. */
const UNFIT = new Set(['25P03', '53300', '57P01', '57P02', '57P03', '57P04', '57P05']);
const CONFLICTS = new Set(['40001', '40P01']);
const CANCELLED = '57014';
const UNIQUE_VIOLATION = '23505';

/** The server's own word that it refused a statement. */
const isRefusal = (error: unknown): error is pg.DatabaseError =>
  error instanceof pg.DatabaseError && !UNFIT.has(error.code ?? '');

/** A serialization failure or a deadlock: the same work may succeed next time. */
export function isConflict(error: unknown): boolean {
  if (error instanceof StoreError) return error.code === 'STORE_CONTENDED';
  return isRefusal(error) && CONFLICTS.has(error.code ?? '');
}

/** Whether the connection is lost, could not be made, or is of no use any more. */
export function isLost(error: unknown): boolean {
  if (error instanceof StoreError) return error.code === 'STORE_UNAVAILABLE';
  return !isRefusal(error) && !(error instanceof TypeError || error instanceof InvariantError);
}

/** The port's error for one of the server's; others are passed on as they are. */
export function toStoreError(error: unknown): unknown {
  if (error instanceof StoreError) return error;
  if (isLost(error))
    return new StoreError('STORE_UNAVAILABLE', `the database is out of reach: ${messageOf(error)}`, error);
  if (isConflict(error)) return new StoreError('STORE_CONTENDED', 'other writers kept getting in between', error);
  if (!isRefusal(error)) return error;
  if (error.code === CANCELLED) return new StoreError('STORE_TIMEOUT', 'a statement took too long', error);
  return error.code === UNIQUE_VIOLATION ? new ConstraintError(error.message, { cause: error }) : error;
}

/** A connection that may write. Throws StoreError STORE_UNAVAILABLE. */
export async function connectWriter(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config);
  // A connection that breaks while idle tells it by this event, and unheard it would end the process.
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query('show transaction_read_only');
    if (rows[0].transaction_read_only !== 'off') throw new Error('the server takes no writes');
    return client;
  } catch (error) {
    discard(client);
    throw new StoreError('STORE_UNAVAILABLE', messageOf(error), error);
  }
}

/** Lets go of a connection without waiting for its server. */
export function discard(client: pg.Client): void {
  client.end().catch(() => {});
}

/** How often something is tried before the trouble is told. */
export const ATTEMPTS = 7;

/** Waits longer after each failed attempt, and never quite as long as others that failed at the same time. */
export const pause = (attempt: number): Promise<void> =>
  setTimeout(Math.min(1_000, 50 * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2));

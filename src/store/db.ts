/**
 * The storage port. One SQL text serves both engines, so keep to text, bigint, bytea, `$1`, `on conflict`, `returning`.
 * Where nothing else tells the type of an argument, as in `$1 = 0`, write `cast($1 as bigint)`; text holds no NUL and is
 * ordered as each engine likes.
 */

export type SqlValue = string | number | bigint | Uint8Array | null;

/** Columns of type bigint arrive as `bigint`, bytea as `Uint8Array`, text as `string`. */
export type Row = Readonly<Record<string, SqlValue>>;

export interface DbTx {
  read<T extends Row = Row>(sql: string, args?: readonly SqlValue[]): Promise<T[]>;
  /** Runs a statement; returns its rows when it has `returning`, else none. */
  run<T extends Row = Row>(sql: string, args?: readonly SqlValue[]): Promise<T[]>;
}

export interface Db {
  /** A read outside any transaction: sees only what is committed. */
  read<T extends Row = Row>(sql: string, args?: readonly SqlValue[]): Promise<T[]>;
  /**
   * One serializable transaction: commits when `work` resolves, leaves no trace when it throws (the error is passed on).
   * Resolves only once the commit is durable. `work` must do nothing but use its `DbTx`, since it may be run again.
   */
  write<R>(work: (tx: DbTx) => Promise<R>): Promise<R>;
  close(): Promise<void>;
}

/** One forward-only change of a schema; `id` sorts and never changes once released. */
export interface Migration {
  readonly id: string;
  readonly sql: string;
}

/** True when a write failed on a primary key or unique constraint. Adapters throw this. */
export class ConstraintError extends Error {
  override readonly name = 'ConstraintError';
}

export type StoreErrorCode =
  /** The server cannot be reached or broke the connection off. Nothing was written. */
  | 'STORE_UNAVAILABLE'
  /** Other writers kept getting in between. Nothing was written. */
  | 'STORE_CONTENDED'
  /** A statement ran for longer than it may. Nothing was written. */
  | 'STORE_TIMEOUT'
  /** The connection broke during the commit and nobody could say how that ended: look before doing it again. */
  | 'COMMIT_UNKNOWN';

/** The database could not do what was asked of it, through no fault of the statement. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

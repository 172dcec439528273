/** The storage port. One SQL text serves both engines, so keep to text, bigint, bytea, `$1`, `on conflict`, `returning`. */

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

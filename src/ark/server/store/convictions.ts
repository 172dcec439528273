/** Who misbehaved in a batch, by input script: identities are free, coins are not. */
import type { DbTx, Row } from '../../../store/db.ts';
import type { Reader } from './vtxos.ts';

export type CrimeType = 'NONCES' | 'SIGNATURES' | 'FORFEIT' | 'BOARDING_SIGNATURE' | 'MANUAL';

export interface Conviction {
  readonly id: string;
  /** Hex of the convicted input's script. */
  readonly script: string;
  readonly crime: CrimeType;
  readonly batchId: string;
  readonly reason: string;
  /** Unix seconds. */
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly pardoned: boolean;
}

const toConviction = (row: Row): Conviction => ({
  id: row.id as string,
  script: row.script as string,
  crime: row.crime as CrimeType,
  batchId: row.batch_id as string,
  reason: row.reason as string,
  createdAt: Number(row.created_at),
  expiresAt: Number(row.expires_at),
  pardoned: row.pardoned === 1n,
});

export async function insertConviction(tx: DbTx, conviction: Omit<Conviction, 'pardoned'>): Promise<void> {
  const { id, script, crime, batchId, reason, createdAt, expiresAt } = conviction;
  await tx.run(
    `insert into ark_conviction (id, script, crime, batch_id, reason, created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [id, script, crime, batchId, reason, createdAt, expiresAt],
  );
}

/** Convictions of a script that still count at `nowSeconds`. */
export async function activeConvictions(db: Reader, script: string, nowSeconds: number): Promise<Conviction[]> {
  const rows = await db.read(
    'select * from ark_conviction where script = $1 and expires_at > $2 and pardoned = 0 order by created_at',
    [script, nowSeconds],
  );
  return rows.map(toConviction);
}

export async function convictionsOfBatch(db: Reader, batchId: string): Promise<Conviction[]> {
  return (await db.read('select * from ark_conviction where batch_id = $1 order by created_at', [batchId])).map(
    toConviction,
  );
}

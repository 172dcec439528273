/** Who misbehaved in a batch, by input script: identities are free, coins are not. */
import type { DbTx, Row } from '../../../store/db.ts';
import type { Reader } from './vtxos.ts';

export type CrimeType =
  | 'CONFIRMATION'
  | 'NONCES'
  | 'SIGNATURES'
  | 'FORFEIT'
  | 'BOARDING_SIGNATURE'
  | 'DOUBLE_SPEND'
  | 'MANUAL';

export interface Conviction {
  readonly id: string;
  /** Hex of the convicted input's script. */
  readonly script: string;
  readonly crime: CrimeType;
  /** Empty where no batch was concerned. */
  readonly batchId: string;
  readonly reason: string;
  /** Unix seconds. */
  readonly createdAt: number;
  /** Unix seconds, 0 for never. */
  readonly expiresAt: number;
  readonly pardoned: boolean;
}

/** Parameters of one statement, well below what either engine takes. */
const CHUNK = 500;

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

/** Makes a conviction count no more. False when there is none of that id. */
export async function pardonConviction(tx: DbTx, id: string): Promise<boolean> {
  return (await tx.run('update ark_conviction set pardoned = 1 where id = $1 returning id', [id])).length === 1;
}

const COUNTS = 'pardoned = 0 and (expires_at = 0 or expires_at > $1)';

/** Convictions of a script that still count at `nowSeconds`, oldest first. */
export async function activeConvictions(db: Reader, script: string, nowSeconds: number): Promise<Conviction[]> {
  const rows = await db.read(`select * from ark_conviction where ${COUNTS} and script = $2 order by created_at, id`, [
    nowSeconds,
    script,
  ]);
  return rows.map(toConviction);
}

/** Scripts with `threshold` convictions (0 for never so many) or the operator's own ban, as things stand at `nowSeconds`. */
export async function countBanned(db: Reader, threshold: number, nowSeconds: number): Promise<number> {
  const [row] = await db.read(
    `select count(*) as n from (
       select script from ark_conviction where ${COUNTS} group by script
       having max(case when crime = 'MANUAL' then 1 else 0 end) = 1
         or (cast($2 as bigint) > 0 and count(*) >= cast($2 as bigint))
     ) banned`,
    [nowSeconds, threshold],
  );
  return Number(row?.n ?? 0);
}

/** Which of these scripts have a conviction that still counts at `nowSeconds`. */
export async function convictedAmong(
  db: Reader,
  scripts: readonly string[],
  nowSeconds: number,
): Promise<ReadonlySet<string>> {
  const convicted = new Set<string>();
  for (let from = 0; from < scripts.length; from += CHUNK) {
    const chunk = scripts.slice(from, from + CHUNK);
    const marks = chunk.map((_, i) => `$${i + 2}`).join(', ');
    const rows = await db.read(`select distinct script from ark_conviction where ${COUNTS} and script in (${marks})`, [
      nowSeconds,
      ...chunk,
    ]);
    for (const row of rows) convicted.add(row.script as string);
  }
  return convicted;
}

export async function convictionById(db: Reader, id: string): Promise<Conviction | undefined> {
  return (await db.read('select * from ark_conviction where id = $1', [id])).map(toConviction)[0];
}

/** Convictions made from `from` until `to` (unix seconds, 0 for no bound), oldest first. */
export async function convictionsInRange(db: Reader, from: number, to: number): Promise<Conviction[]> {
  const rows = await db.read(
    `select * from ark_conviction where created_at >= $1 and (cast($2 as bigint) = 0 or created_at <= $2)
     order by created_at, id`,
    [from, to],
  );
  return rows.map(toConviction);
}

export async function convictionsOfBatch(db: Reader, batchId: string): Promise<Conviction[]> {
  return (await db.read('select * from ark_conviction where batch_id = $1 order by created_at, id', [batchId])).map(
    toConviction,
  );
}

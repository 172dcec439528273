/** Sums over everybody's VTXOs: what the server's coins have to be good for. */
import { liveBatches } from './batches.ts';
import type { Reader } from './vtxos.ts';

export interface Owed {
  /** Satoshi and number of VTXOs that their owners can spend or settle. */
  readonly spendable: bigint;
  readonly spendableCount: number;
  /** Swept and still owed. */
  readonly recoverable: bigint;
  readonly recoverableCount: number;
}

export async function owed(db: Reader): Promise<Owed> {
  const rows = await db.read(
    `select swept, count(*) as n, cast(sum(amount) as bigint) as amount from ark_vtxo
     where spent_by is null and unrolled = 0 group by swept`,
  );
  const of = (swept: bigint) => rows.find((row) => row.swept === swept);
  return {
    spendable: BigInt((of(0n)?.amount as bigint | undefined) ?? 0n),
    spendableCount: Number(of(0n)?.n ?? 0),
    recoverable: BigInt((of(1n)?.amount as bigint | undefined) ?? 0n),
    recoverableCount: Number(of(1n)?.n ?? 0),
  };
}

/** Satoshi by the height or time at which they expire. */
export interface Expiring {
  readonly expiresAt: number;
  readonly amount: bigint;
}

/** VTXOs that their owners can spend, notes not among them: those never expire. */
export async function liveByExpiry(db: Reader): Promise<Expiring[]> {
  const rows = await db.read(
    `select expires_at, cast(sum(amount) as bigint) as amount from ark_vtxo
     where spent_by is null and unrolled = 0 and swept = 0 and origin <> 'note' group by expires_at order by expires_at`,
  );
  return rows.map((row) => ({ expiresAt: Number(row.expires_at), amount: row.amount as bigint }));
}

/** What the batches that are not swept hold, less the VTXOs that were taken on chain. */
export async function lockedByExpiry(db: Reader): Promise<Expiring[]> {
  const unrolled = await db.read(
    `select commitment_txids, cast(sum(amount) as bigint) as amount from ark_vtxo
     where origin = 'batch' and unrolled = 1 group by commitment_txids`,
  );
  const gone = new Map(unrolled.map((row) => [row.commitment_txids, row.amount as bigint]));
  const locked: Expiring[] = [];
  for (const { commitmentTxid, expiresAt, summary } of await liveBatches(db)) {
    locked.push({ expiresAt, amount: summary.vtxoAmount - (gone.get(commitmentTxid) ?? 0n) });
  }
  return locked;
}

/** Satoshi owed for notes that nobody has redeemed. */
export async function outstandingNotes(db: Reader): Promise<bigint> {
  const [row] = await db.read(
    "select cast(sum(amount) as bigint) as amount from ark_vtxo where origin = 'note' and spent_by is null",
  );
  return (row?.amount as bigint | null) ?? 0n;
}

/** Throws, or takes forever, when the database cannot be asked. */
export async function askAnything(db: Reader): Promise<void> {
  await db.read('select name from ark_setting limit 1');
}

/** Sums over everybody's VTXOs: what the server's coins have to be good for. */
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

/** Throws, or takes forever, when the database cannot be asked. */
export async function askAnything(db: Reader): Promise<void> {
  await db.read('select name from ark_setting limit 1');
}

/** Cases: spent VTXOs that were put on chain all the same, until what became of them lies deep in the chain. */
import type { OutpointKey } from '../../../base/bytes.ts';
import type { DbTx } from '../../../store/db.ts';
import { type Reader, toVtxo, type Vtxo } from './vtxos.ts';

/** Spent VTXOs that appeared on chain: somebody takes what is not theirs any more, or was lied to. Oldest first. */
export async function openCases(db: Reader): Promise<Vtxo[]> {
  const rows = await db.read(
    `select * from ark_vtxo where unrolled = 1 and spent_by is not null and spent_by <> coalesce(settled_by, '')
     and not exists (select 1 from ark_closed_case c where c.outpoint = ark_vtxo.outpoint)
     order by updated_at, outpoint`,
  );
  return rows.map(toVtxo);
}

/** `closedAt` in unix seconds. Doing it again changes nothing. */
export async function closeCase(
  tx: DbTx,
  outpoint: OutpointKey,
  outcome: 'answered' | 'lost',
  closedAt: number,
): Promise<void> {
  await tx.run(
    'insert into ark_closed_case (outpoint, outcome, closed_at) values ($1, $2, $3) on conflict (outpoint) do nothing',
    [outpoint, outcome, closedAt],
  );
}

/**
 * What could still be put on chain although it is spent: satoshi and number of VTXOs that were paid on or forfeited
 * and whose batches are not swept.
 */
export async function exposure(db: Reader): Promise<{ readonly count: number; readonly amount: bigint }> {
  const [row] = await db.read(
    `select count(*) as n, cast(coalesce(sum(amount), 0) as bigint) as amount from ark_vtxo
     where spent_by is not null and swept = 0 and origin <> 'note' and spent_by <> coalesce(settled_by, '')
     and not exists (select 1 from ark_closed_case c where c.outpoint = ark_vtxo.outpoint)`,
  );
  return { count: Number(row?.n ?? 0), amount: BigInt((row?.amount as bigint | undefined) ?? 0n) };
}

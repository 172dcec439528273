/** Sweeps: transactions by which the server took back what was its own again, of expired batches and of checkpoints. */
import type { Txid } from '../../../base/bytes.ts';
import type { DbTx, Row } from '../../../store/db.ts';
import type { Reader } from './vtxos.ts';

export interface Sweep {
  readonly txid: Txid;
  /** Fully signed, hex. */
  readonly tx: string;
  /** Satoshi. */
  readonly fee: bigint;
  /** Height of the tip when it was made. */
  readonly height: number;
  /** Unix seconds. */
  readonly createdAt: number;
  readonly confirmedHeight: number | undefined;
}

const toSweep = (row: Row): Sweep => ({
  txid: row.txid as Txid,
  tx: row.tx as string,
  fee: row.fee as bigint,
  height: Number(row.height),
  createdAt: Number(row.created_at),
  confirmedHeight: row.confirmed_height === null ? undefined : Number(row.confirmed_height),
});

/** Records a sweep of what is left of these commitments' batches, of none for one of checkpoints. */
export async function insertSweep(
  tx: DbTx,
  sweep: Omit<Sweep, 'confirmedHeight'>,
  commitmentTxids: readonly Txid[],
): Promise<void> {
  const { txid, tx: raw, fee, height, createdAt } = sweep;
  await tx.run('insert into ark_sweep (txid, tx, fee, height, created_at) values ($1, $2, $3, $4, $5)', [
    txid,
    raw,
    fee,
    height,
    createdAt,
  ]);
  for (const commitmentTxid of commitmentTxids) {
    await tx.run('insert into ark_sweep_batch (sweep_txid, commitment_txid) values ($1, $2)', [txid, commitmentTxid]);
  }
}

/** `height` is null while the sweep is in no block. */
export async function confirmSweep(tx: DbTx, txid: Txid, height: number | null): Promise<void> {
  await tx.run('update ark_sweep set confirmed_height = $2 where txid = $1', [txid, height]);
}

export async function deleteSweep(tx: DbTx, txid: Txid): Promise<void> {
  await tx.run('delete from ark_sweep_batch where sweep_txid = $1', [txid]);
  await tx.run('delete from ark_sweep where txid = $1', [txid]);
}

export async function sweepsOf(db: Reader, commitmentTxid: string): Promise<Sweep[]> {
  const rows = await db.read(
    `select s.* from ark_sweep s join ark_sweep_batch b on b.sweep_txid = s.txid
     where b.commitment_txid = $1 order by s.created_at, s.txid`,
    [commitmentTxid],
  );
  return rows.map(toSweep);
}

/** The commitments whose batches a sweep takes from. */
export async function sweptCommitments(db: Reader, txid: Txid): Promise<Txid[]> {
  const rows = await db.read(
    'select commitment_txid from ark_sweep_batch where sweep_txid = $1 order by commitment_txid',
    [txid],
  );
  return rows.map((row) => row.commitment_txid as Txid);
}

/** Sweeps that are in no block, or in one at `height` or above, where the chain may still turn back; oldest first. */
export async function openSweeps(db: Reader, height: number): Promise<Sweep[]> {
  const rows = await db.read(
    'select * from ark_sweep where confirmed_height is null or confirmed_height >= $1 order by created_at, txid',
    [height],
  );
  return rows.map(toSweep);
}

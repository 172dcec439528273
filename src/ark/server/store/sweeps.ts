/** Sweeps: transactions by which the server took back what was left of expired batches. */
import type { Txid } from '../../../base/bytes.ts';
import type { DbTx, Row } from '../../../store/db.ts';
import type { Reader } from './vtxos.ts';

export interface Sweep {
  readonly txid: Txid;
  readonly commitmentTxid: Txid;
  /** Fully signed, hex. */
  readonly tx: string;
  /** Unix seconds. */
  readonly createdAt: number;
  readonly confirmedHeight: number | undefined;
}

const toSweep = (row: Row): Sweep => ({
  txid: row.txid as Txid,
  commitmentTxid: row.commitment_txid as Txid,
  tx: row.tx as string,
  createdAt: Number(row.created_at),
  confirmedHeight: row.confirmed_height === null ? undefined : Number(row.confirmed_height),
});

export async function insertSweep(tx: DbTx, sweep: Omit<Sweep, 'confirmedHeight'>): Promise<void> {
  const { txid, commitmentTxid, tx: raw, createdAt } = sweep;
  await tx.run('insert into ark_sweep (txid, commitment_txid, tx, created_at) values ($1, $2, $3, $4)', [
    txid,
    commitmentTxid,
    raw,
    createdAt,
  ]);
}

export async function confirmSweep(tx: DbTx, txid: Txid, height: number): Promise<void> {
  await tx.run('update ark_sweep set confirmed_height = $2 where txid = $1', [txid, height]);
}

export async function deleteSweep(tx: DbTx, txid: Txid): Promise<void> {
  await tx.run('delete from ark_sweep where txid = $1', [txid]);
}

export async function sweepsOf(db: Reader, commitmentTxid: string): Promise<Sweep[]> {
  const rows = await db.read('select * from ark_sweep where commitment_txid = $1 order by created_at, txid', [
    commitmentTxid,
  ]);
  return rows.map(toSweep);
}

export async function unconfirmedSweeps(db: Reader): Promise<Sweep[]> {
  return (await db.read('select * from ark_sweep where confirmed_height is null order by created_at')).map(toSweep);
}

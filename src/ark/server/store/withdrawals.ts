/** Payments out of the server's wallet that its operator asked for. */
import type { Txid } from '../../../base/bytes.ts';
import type { DbTx, Row } from '../../../store/db.ts';
import type { Reader } from './vtxos.ts';

export interface Withdrawal {
  readonly txid: Txid;
  /** Fully signed, hex. */
  readonly tx: string;
  readonly address: string;
  /** Satoshi. */
  readonly amount: bigint;
  readonly fee: bigint;
  /** Unix seconds. */
  readonly createdAt: number;
  /** `open` until it is buried, or can never confirm. */
  readonly state: 'open' | 'buried' | 'lost';
}

const toWithdrawal = (row: Row): Withdrawal => ({
  txid: row.txid as Txid,
  tx: row.tx as string,
  address: row.address as string,
  amount: row.amount as bigint,
  fee: row.fee as bigint,
  createdAt: Number(row.created_at),
  state: row.state as Withdrawal['state'],
});

export async function insertWithdrawal(tx: DbTx, withdrawal: Omit<Withdrawal, 'state'>): Promise<void> {
  const { txid, tx: raw, address, amount, fee, createdAt } = withdrawal;
  await tx.run(
    `insert into ark_withdrawal (txid, tx, address, amount, fee, created_at, state)
     values ($1, $2, $3, $4, $5, $6, 'open')`,
    [txid, raw, address, amount, fee, createdAt],
  );
}

export async function closeWithdrawal(tx: DbTx, txid: Txid, state: 'buried' | 'lost'): Promise<void> {
  await tx.run('update ark_withdrawal set state = $2 where txid = $1', [txid, state]);
}

export async function deleteWithdrawal(tx: DbTx, txid: Txid): Promise<void> {
  await tx.run('delete from ark_withdrawal where txid = $1', [txid]);
}

export async function openWithdrawals(db: Reader): Promise<Withdrawal[]> {
  const rows = await db.read("select * from ark_withdrawal where state = 'open' order by created_at, txid");
  return rows.map(toWithdrawal);
}

/** Newest first. */
export async function latestWithdrawals(db: Reader, limit: number): Promise<Withdrawal[]> {
  const rows = await db.read('select * from ark_withdrawal order by created_at desc, txid limit $1', [limit]);
  return rows.map(toWithdrawal);
}

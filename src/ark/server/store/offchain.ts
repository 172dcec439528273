/** Off-chain transactions and their checkpoints, from submission to finality. */
import type { OutpointKey, Txid } from '../../../base/bytes.ts';
import { parse, print } from '../../../base/codec.ts';
import type { DbTx, Row } from '../../../store/db.ts';
import type { AssetChange } from '../../protocol/assets.ts';
import { parseChanges, printChanges } from './assets.ts';
import type { NewVtxo, Reader } from './vtxos.ts';

const SHAPE = 1;

export interface OffchainTx {
  readonly txid: Txid;
  /** Base64, signed by owners and server. */
  readonly psbt: string;
  /** The VTXOs it creates once final. */
  readonly outputs: readonly NewVtxo[];
  /** What it issues and burns once final. */
  readonly assetChanges: readonly AssetChange[];
  /** Script (hex) of its first input. */
  readonly payer: string;
  /** Unix seconds. */
  readonly createdAt: number;
  readonly finalizedAt: number | undefined;
}

export interface CheckpointTx {
  readonly txid: Txid;
  readonly arkTxid: Txid;
  readonly outpoint: OutpointKey;
  /** Base64; the owners' signatures join the server's at finalization. */
  readonly psbt: string;
  /** The server's leaf in its output, hex: delays change with the configuration. Unknown of the oldest. */
  readonly tapscript?: string | undefined;
}

const toOffchainTx = (row: Row): OffchainTx => ({
  txid: row.txid as Txid,
  psbt: row.psbt as string,
  outputs: parse<NewVtxo[]>(SHAPE, row.outputs as string),
  assetChanges: parseChanges(row.asset_changes as string),
  payer: row.payer as string,
  createdAt: Number(row.created_at),
  finalizedAt: row.finalized_at === null ? undefined : Number(row.finalized_at),
});

const toCheckpoint = (row: Row): CheckpointTx => ({
  txid: row.txid as Txid,
  arkTxid: row.ark_txid as Txid,
  outpoint: row.outpoint as OutpointKey,
  psbt: row.psbt as string,
  tapscript: (row.tapscript ?? undefined) as string | undefined,
});

export async function insertOffchainTx(
  tx: DbTx,
  offchain: Omit<OffchainTx, 'finalizedAt'>,
  checkpoints: readonly CheckpointTx[],
): Promise<void> {
  await tx.run(
    `insert into ark_offchain_tx (txid, psbt, outputs, created_at, asset_changes, payer)
     values ($1, $2, $3, $4, $5, $6)`,
    [
      offchain.txid,
      offchain.psbt,
      print(SHAPE, offchain.outputs),
      offchain.createdAt,
      printChanges(offchain.assetChanges),
      offchain.payer,
    ],
  );
  for (const [position, checkpoint] of checkpoints.entries()) {
    await tx.run(
      `insert into ark_checkpoint_tx (txid, ark_txid, position, outpoint, psbt, tapscript)
       values ($1, $2, $3, $4, $5, $6)`,
      [checkpoint.txid, offchain.txid, position, checkpoint.outpoint, checkpoint.psbt, checkpoint.tapscript ?? null],
    );
  }
}

/** Payments of a script that were submitted and are not final. */
export async function countPending(db: Reader, payer: string): Promise<number> {
  const [row] = await db.read('select count(*) as n from ark_offchain_tx where payer = $1 and finalized_at is null', [
    payer,
  ]);
  return Number(row?.n ?? 0);
}

export async function offchainTxById(db: Reader, txid: string): Promise<OffchainTx | undefined> {
  return (await db.read('select * from ark_offchain_tx where txid = $1', [txid])).map(toOffchainTx)[0];
}

/** Checkpoints in the order of the ark transaction's inputs. */
export async function checkpointsOf(db: Reader, arkTxid: string): Promise<CheckpointTx[]> {
  return (await db.read('select * from ark_checkpoint_tx where ark_txid = $1 order by position', [arkTxid])).map(
    toCheckpoint,
  );
}

export async function checkpointById(db: Reader, txid: string): Promise<CheckpointTx | undefined> {
  return (await db.read('select * from ark_checkpoint_tx where txid = $1', [txid])).map(toCheckpoint)[0];
}

/** Makes an off-chain transaction final; false when it was already. */
export async function finalizeOffchainTx(
  tx: DbTx,
  txid: Txid,
  checkpoints: readonly Pick<CheckpointTx, 'txid' | 'psbt'>[],
  nowSeconds: number,
): Promise<boolean> {
  const rows = await tx.run(
    'update ark_offchain_tx set finalized_at = $2 where txid = $1 and finalized_at is null returning txid',
    [txid, nowSeconds],
  );
  if (rows.length === 0) return false;
  for (const checkpoint of checkpoints) {
    await tx.run('update ark_checkpoint_tx set psbt = $2 where txid = $1', [checkpoint.txid, checkpoint.psbt]);
  }
  return true;
}

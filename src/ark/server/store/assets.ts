/** Assets: what exists, how much of it, and by which transactions it grew and shrank. */
import type { Txid } from '../../../base/bytes.ts';
import { parse, print } from '../../../base/codec.ts';
import type { DbTx, Row } from '../../../store/db.ts';
import type { AssetId } from '../../protocol/asset-packet.ts';
import type { AssetChange, KnownAsset } from '../../protocol/assets.ts';
import { inChunks, slots } from './chunks.ts';
import type { Reader } from './vtxos.ts';

const SHAPE = 1;

export interface Asset extends KnownAsset {
  readonly id: AssetId;
  /** Units issued and not burned. */
  readonly supply: bigint;
  /** Hex of the serialized list, empty without any. */
  readonly metadata: string;
}

const toAsset = (row: Row): Asset => ({
  id: row.id as AssetId,
  supply: BigInt(row.supply as string),
  metadata: row.metadata as string,
  controlAsset: (row.control_asset ?? undefined) as AssetId | undefined,
});

export const printChanges = (changes: readonly AssetChange[]): string =>
  changes.length > 0 ? print(SHAPE, changes) : '';

/** Reads what {@link printChanges} wrote. */
export const parseChanges = (text: string): readonly AssetChange[] =>
  text === '' ? [] : parse<readonly AssetChange[]>(SHAPE, text);

export async function assetsById(db: Reader, ids: readonly AssetId[]): Promise<ReadonlyMap<AssetId, Asset>> {
  const rows = await inChunks(ids, (chunk) =>
    db.read(`select * from ark_asset where id in (${slots(chunk.length)})`, chunk),
  );
  return new Map(rows.map(toAsset).map((asset) => [asset.id, asset]));
}

async function addToSupply(tx: DbTx, id: AssetId, amount: bigint): Promise<void> {
  const [row] = await tx.read<{ supply: string }>('select supply from ark_asset where id = $1', [id]);
  await tx.run('update ark_asset set supply = $2 where id = $1', [id, `${BigInt(row!.supply) + amount}`]);
}

/** Books what transaction `txid` issues and burns, each asset once. */
export async function applyAssetChanges(tx: DbTx, txid: Txid, changes: readonly AssetChange[]): Promise<void> {
  for (const { assetId, amount, issued } of changes) {
    if (issued) {
      await tx.run('insert into ark_asset (id, supply, metadata, control_asset) values ($1, $2, $3, $4)', [
        assetId,
        '0',
        issued.metadata,
        issued.controlAsset ?? null,
      ]);
    }
    await addToSupply(tx, assetId, amount);
    await tx.run('insert into ark_asset_change (txid, asset_id, amount) values ($1, $2, $3)', [
      txid,
      assetId,
      `${amount}`,
    ]);
  }
}

/** Takes back what these transactions issued and burned. What they issued stays known, with nothing of it in supply. */
export async function revertAssetChanges(tx: DbTx, txids: readonly Txid[]): Promise<void> {
  for (const txid of txids) {
    const undone = await tx.run('delete from ark_asset_change where txid = $1 returning asset_id, amount', [txid]);
    for (const row of undone) await addToSupply(tx, row.asset_id as AssetId, -BigInt(row.amount as string));
  }
}

/** The transactions that stay off-chain unless somebody leaves, wherever they are kept. */
import type { Txid } from '../../../base/bytes.ts';
import { inChunks, slots } from './chunks.ts';
import type { Reader } from './vtxos.ts';

/** PSBTs (base64) by txid, of those that are known. */
export async function virtualTxsByTxid(db: Reader, txids: readonly Txid[]): Promise<ReadonlyMap<Txid, string>> {
  const tables = ['ark_offchain_tx', 'ark_checkpoint_tx', 'ark_tree_tx', 'ark_forfeit'];
  const rows = await inChunks(txids, (chunk) =>
    db.read(
      tables
        .map((table) => `select txid, psbt from ${table} where txid in (${slots(chunk.length)})`)
        .join(' union all '),
      chunk,
    ),
  );
  return new Map(rows.map((row) => [row.txid as Txid, row.psbt as string]));
}

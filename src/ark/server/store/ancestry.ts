/** Where VTXOs come from: off-chain transactions back to the trees of batches, many generations in one question. */
import type { OutpointKey, Txid } from '../../../base/bytes.ts';
import type { Row } from '../../../store/db.ts';
import { inChunks, slots } from './chunks.ts';
import type { Reader, Vtxo } from './vtxos.ts';

/** A VTXO as far as its descent goes. */
export interface Descendant extends Pick<Vtxo, 'outpoint' | 'txid' | 'origin' | 'expiresAt' | 'depth'> {
  /** The checkpoints of the transaction that made it, in order, with the VTXOs they spend; none in a batch. */
  readonly parents: readonly { readonly checkpointTxid: Txid; readonly outpoint: OutpointKey }[];
}

function toDescendants(rows: readonly Row[]): Descendant[] {
  const found = new Map<string, Descendant & { parents: { checkpointTxid: Txid; outpoint: OutpointKey }[] }>();
  for (const row of rows) {
    const outpoint = row.outpoint as OutpointKey;
    let vtxo = found.get(outpoint);
    if (!vtxo) {
      vtxo = {
        outpoint,
        txid: row.txid as Txid,
        origin: row.origin as Vtxo['origin'],
        expiresAt: Number(row.expires_at),
        depth: Number(row.depth),
        parents: [],
      };
      found.set(outpoint, vtxo);
    }
    if (row.checkpoint_txid === null) continue;
    vtxo.parents.push({ checkpointTxid: row.checkpoint_txid as Txid, outpoint: row.spends as OutpointKey });
  }
  return [...found.values()];
}

/**
 * These VTXOs and all their ancestors that have at least `depth` off-chain transactions behind them. A parent is less
 * deep than its child, so whoever asks for less and less depth comes to know all of them.
 */
export const ancestorsDownTo = (db: Reader, outpoints: readonly OutpointKey[], depth: number): Promise<Descendant[]> =>
  inChunks(outpoints, async (chunk) =>
    toDescendants(
      await db.read(
        `with recursive line (outpoint, txid, origin, expires_at, depth) as (
           select outpoint, txid, origin, expires_at, depth from ark_vtxo where outpoint in (${slots(chunk.length, 2)})
           union
           select v.outpoint, v.txid, v.origin, v.expires_at, v.depth
           from line join ark_checkpoint_tx c on c.ark_txid = line.txid join ark_vtxo v on v.outpoint = c.outpoint
           where v.depth >= $1
         )
         select line.outpoint, line.txid, line.origin, line.expires_at, line.depth,
           c.txid as checkpoint_txid, c.outpoint as spends
         from line left join ark_checkpoint_tx c on c.ark_txid = line.txid
         order by line.outpoint, c.position`,
        [depth, ...chunk],
      ),
    ),
  );

/** A tree transaction as far as its descent goes. */
export interface TreeStep {
  readonly txid: Txid;
  readonly parentTxid: Txid;
  readonly commitmentTxid: Txid;
}

/** These tree transactions and those between them and their roots. */
export const treeStepsUp = (db: Reader, txids: readonly Txid[]): Promise<TreeStep[]> =>
  inChunks(txids, async (chunk) =>
    (
      await db.read(
        `with recursive branch (txid, parent_txid, commitment_txid) as (
           select txid, parent_txid, commitment_txid from ark_tree_tx where txid in (${slots(chunk.length)})
           union
           select t.txid, t.parent_txid, t.commitment_txid
           from branch join ark_tree_tx t on t.txid = branch.parent_txid
         )
         select txid, parent_txid, commitment_txid from branch`,
        chunk,
      )
    ).map((row) => ({
      txid: row.txid as Txid,
      parentTxid: row.parent_txid as Txid,
      commitmentTxid: row.commitment_txid as Txid,
    })),
  );

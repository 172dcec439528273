/** Off-chain ancestries of any shape, written through the server's own store. */
import { insertTreeTxs, type TreeTx } from '../../src/ark/server/store/batches.ts';
import { finalizeOffchainTx, insertOffchainTx } from '../../src/ark/server/store/offchain.ts';
import { ARK_MIGRATIONS } from '../../src/ark/server/store/schema.ts';
import { insertVtxos, type NewVtxo, spendVtxo } from '../../src/ark/server/store/vtxos.ts';
import { type OutpointKey, type Txid, toHex, utf8 } from '../../src/base/bytes.ts';
import { sats } from '../../src/base/units.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import type { Db, DbTx } from '../../src/store/db.ts';
import { migrate } from '../../src/store/migrate.ts';
import { testDatabase } from './database.ts';

export const idOf = (name: string): Txid => toHex(sha256(utf8(name))) as Txid;
export const outpointOf = (name: string, vout = 0): OutpointKey => `${idOf(name)}:${vout}` as OutpointKey;

const EXPIRES_AT = 1_000;
const WRITTEN_AT = 1_900_000_000_000;

const vtxo = (name: string, vout: number, depth: number, more: Partial<NewVtxo> = {}): NewVtxo => ({
  txid: idOf(name),
  vout,
  amount: sats(1_000),
  script: '5120aa',
  origin: depth === 0 ? 'batch' : 'offchain',
  commitmentTxids: [idOf('commitment')],
  depth,
  createdAt: depth,
  expiresAt: EXPIRES_AT,
  swept: false,
  ...more,
});

export interface Lineage {
  readonly db: Db;
  /** A batch whose tree is a line from `root` down to each of these leaves. */
  batch(leaves: readonly string[]): Promise<void>;
  /** An ark transaction that spends these outpoints and has so many outputs. */
  pay(name: string, spent: readonly OutpointKey[], outputs?: number): Promise<void>;
  /** All that `work` does in one commit. */
  together(work: (lineage: Pick<Lineage, 'pay'>) => Promise<void>): Promise<void>;
}

export async function createLineage(): Promise<Lineage> {
  const db = await (await testDatabase())();
  await migrate(db, 'ark', ARK_MIGRATIONS);
  const depths = new Map<OutpointKey, number>();

  async function pay(tx: DbTx, name: string, spent: readonly OutpointKey[], outputs: number): Promise<void> {
    const depth = Math.max(...spent.map((outpoint) => depths.get(outpoint)!)) + 1;
    const created = Array.from({ length: outputs }, (_, vout) => vtxo(name, vout, depth));
    const checkpoints = spent.map((outpoint) => ({
      txid: idOf(`checkpoint of ${outpoint}`),
      arkTxid: idOf(name),
      outpoint,
      psbt: `checkpoint of ${outpoint}`,
    }));
    await insertOffchainTx(
      tx,
      { txid: idOf(name), psbt: name, outputs: created, assetChanges: [], payer: '5120aa', createdAt: 0 },
      checkpoints,
    );
    for (const { outpoint, txid: spentBy } of checkpoints) {
      await spendVtxo(tx, { outpoint, spentBy, arkTxid: idOf(name) }, WRITTEN_AT);
    }
    await finalizeOffchainTx(tx, idOf(name), checkpoints, 0);
    await insertVtxos(tx, created, WRITTEN_AT);
    for (const { vout } of created) depths.set(outpointOf(name, vout), depth);
  }

  return {
    db,
    async batch(leaves) {
      const node = (name: string, parent: string, children: readonly string[]): TreeTx => ({
        txid: idOf(name),
        commitmentTxid: idOf('commitment'),
        tree: 'vtxo',
        parentTxid: idOf(parent),
        children: Object.fromEntries(children.map((child, vout) => [vout, idOf(child)])),
        psbt: name,
      });
      const nodes = [node('root', 'commitment', leaves), ...leaves.map((leaf) => node(leaf, 'root', []))];
      await db.write(async (tx) => {
        await insertTreeTxs(tx, nodes);
        await insertVtxos(
          tx,
          leaves.map((leaf) => vtxo(leaf, 0, 0)),
          WRITTEN_AT,
        );
      });
      for (const leaf of leaves) depths.set(outpointOf(leaf), 0);
    },
    pay: (name, spent, outputs = 1) => db.write((tx) => pay(tx, name, spent, outputs)),
    together: (work) => db.write((tx) => work({ pay: (name, spent, outputs = 1) => pay(tx, name, spent, outputs) })),
  };
}

/** VTXOs and off-chain transactions as clients read them, in proto3 JSON. */
import type { OutpointKey, Txid } from '../../base/bytes.ts';

/** A VTXO with the facts that are public. */
export interface WireVtxoSource {
  readonly txid: Txid;
  readonly vout: number;
  readonly amount: bigint;
  readonly script: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly origin: 'batch' | 'offchain' | 'note';
  readonly swept: boolean;
  readonly unrolled: boolean;
  readonly spentBy: Txid | undefined;
  readonly settledBy: Txid | undefined;
  readonly claimedBy: Txid | undefined;
  readonly arkTxid: Txid | undefined;
  readonly commitmentTxids: readonly Txid[];
  readonly depth: number;
  /** Units of each asset it carries. */
  readonly assets: readonly { readonly assetId: string; readonly amount: bigint }[];
}

export const wireVtxo = (vtxo: WireVtxoSource) => ({
  outpoint: { txid: vtxo.txid, vout: vtxo.vout },
  createdAt: `${vtxo.createdAt}`,
  expiresAt: `${vtxo.expiresAt}`,
  amount: `${vtxo.amount}`,
  script: vtxo.script,
  isPreconfirmed: vtxo.origin === 'offchain',
  isSwept: vtxo.swept,
  isUnrolled: vtxo.unrolled,
  isSpent: (vtxo.spentBy ?? vtxo.claimedBy) !== undefined,
  spentBy: vtxo.spentBy ?? vtxo.claimedBy ?? '',
  commitmentTxids: vtxo.commitmentTxids,
  settledBy: vtxo.settledBy ?? '',
  arkTxid: vtxo.arkTxid ?? '',
  assets: vtxo.assets.map(({ assetId, amount }) => ({ assetId, amount: `${amount}` })),
  depth: vtxo.depth,
});

/** What a transaction did to VTXOs: the source of every notification. */
export interface VtxoChange {
  readonly kind: 'commitment' | 'ark' | 'sweep';
  readonly txid: Txid;
  /** Hex for a commitment or sweep, base64 PSBT for an ark transaction. */
  readonly tx: string;
  readonly spent: readonly WireVtxoSource[];
  readonly created: readonly WireVtxoSource[];
  readonly swept: readonly WireVtxoSource[];
  /** Outpoint spent → checkpoint transaction. */
  readonly checkpoints: Readonly<Record<OutpointKey, { readonly txid: Txid; readonly tx: string }>>;
}

/** `GET /v1/txs`. */
export const txNotification = (change: VtxoChange) => ({
  [`${change.kind}Tx`]: {
    txid: change.txid,
    tx: change.tx,
    spentVtxos: change.spent.map(wireVtxo),
    spendableVtxos: change.created.map(wireVtxo),
    checkpointTxs: change.checkpoints,
    sweptVtxos: change.swept.map(({ txid, vout }) => ({ txid, vout })),
  },
});

/** Script subscription: a listener sees of a change only what concerns its scripts; `undefined` when nothing does. */
export function subscriptionEvent(change: VtxoChange, scripts: ReadonlySet<string>) {
  const mine = <T extends { readonly script: string }>(list: readonly T[]): T[] =>
    list.filter((vtxo) => scripts.has(vtxo.script));
  const [spent, created, swept] = [mine(change.spent), mine(change.created), mine(change.swept)];
  const involved = new Set([...spent, ...created, ...swept].map((vtxo) => vtxo.script));
  if (involved.size === 0) return undefined;
  return {
    event: {
      txid: change.txid,
      scripts: [...involved],
      newVtxos: created.map(wireVtxo),
      spentVtxos: spent.map(wireVtxo),
      sweptVtxos: swept.map(wireVtxo),
      tx: change.tx,
      checkpointTxs: change.checkpoints,
    },
  };
}

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

/** What a change did to the VTXOs of one script. */
interface ScriptChange {
  readonly spent: WireVtxoSource[];
  readonly created: WireVtxoSource[];
  readonly swept: WireVtxoSource[];
}

export type ChangeByScript = ReadonlyMap<string, ScriptChange>;

export function changeByScript(change: VtxoChange): ChangeByScript {
  const byScript = new Map<string, ScriptChange>();
  for (const kind of ['spent', 'created', 'swept'] as const) {
    for (const vtxo of change[kind]) {
      const of = byScript.get(vtxo.script) ?? { spent: [], created: [], swept: [] };
      of[kind].push(vtxo);
      byScript.set(vtxo.script, of);
    }
  }
  return byScript;
}

/** Script subscription: a listener sees of a change only what concerns its scripts, which are some of the change's. */
export function subscriptionEvent(change: VtxoChange, byScript: ChangeByScript, scripts: readonly string[]) {
  const concerned = scripts.map((script) => byScript.get(script)!);
  return {
    event: {
      txid: change.txid,
      scripts,
      newVtxos: concerned.flatMap(({ created }) => created.map(wireVtxo)),
      spentVtxos: concerned.flatMap(({ spent }) => spent.map(wireVtxo)),
      sweptVtxos: concerned.flatMap(({ swept }) => swept.map(wireVtxo)),
      tx: change.tx,
      checkpointTxs: change.checkpoints,
    },
  };
}

/** Judges asset packets by what the books say. */
import type { Txid } from '../../base/bytes.ts';
import type { AssetAmount, AssetPacket } from '../protocol/asset-packet.ts';
import {
  type AssetChange,
  type AssetMoves,
  assetsInQuestion,
  checkAssets,
  maxAssetsPerVtxo,
} from '../protocol/assets.ts';
import type { ArkContext } from './context.ts';
import { assetsById } from './store/assets.ts';

/** {@link checkAssets} on what exists. */
export async function moveAssets(
  ctx: ArkContext,
  txid: Txid,
  packet: AssetPacket | undefined,
  inputs: readonly (readonly AssetAmount[])[],
  vtxoOutputs: readonly number[],
): Promise<AssetMoves> {
  const known = packet ? await assetsById(ctx.db, assetsInQuestion(packet)) : new Map();
  const rules = { known, maxAssetsPerVtxo: maxAssetsPerVtxo(ctx.settings().maxTxWeight) };
  return checkAssets({ txid, packet, inputs, vtxoOutputs }, rules);
}

/** All changes together, each asset once. */
export function sumChanges(changes: readonly AssetChange[]): readonly AssetChange[] {
  const totals = new Map<string, AssetChange>();
  for (const change of changes) {
    const amount = (totals.get(change.assetId)?.amount ?? 0n) + change.amount;
    totals.set(change.assetId, { ...change, amount });
  }
  return [...totals.values()].filter(({ amount }) => amount !== 0n);
}

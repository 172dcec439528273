/**
 * What a packet may do with the assets of the VTXOs it spends: move them, burn them by leaving them out of the outputs,
 * issue new ones, and issue more of one whose control asset is spent along. Nothing else: what is spent appears with its
 * exact amount, so that no asset is lost or made by a slip.
 */
import { type Txid, toHex } from '../../base/bytes.ts';
import {
  type AssetAmount,
  type AssetGroup,
  type AssetId,
  type AssetPacket,
  assetIdOf,
  printMetadata,
} from './asset-packet.ts';
import { demand } from './errors.ts';

/** An asset that exists. */
export interface KnownAsset {
  readonly controlAsset: AssetId | undefined;
}

/** The transaction that carries the packet: an ark transaction, or the proof of an intent. */
export interface AssetTx {
  readonly txid: Txid;
  readonly packet: AssetPacket | undefined;
  /** What each input brings, by its index; a missing entry is nothing. */
  readonly inputs: readonly (readonly AssetAmount[])[];
  /** Indexes of the outputs that become VTXOs. */
  readonly vtxoOutputs: readonly number[];
}

export interface AssetRules {
  /** Assets that exist, at least those {@link assetsInQuestion}. */
  readonly known: ReadonlyMap<AssetId, KnownAsset>;
  readonly maxAssetsPerVtxo: number;
}

/** What becomes of an asset's supply. */
export interface AssetChange {
  readonly assetId: AssetId;
  /** Units added, or taken away where negative; never 0. */
  readonly amount: bigint;
  /** There where the asset comes into being. */
  readonly issued?: {
    /** Hex of the serialized list, empty without any. */
    readonly metadata: string;
    readonly controlAsset?: AssetId;
  };
}

export interface AssetMoves {
  /** Output index → what its VTXO carries. */
  readonly outputs: ReadonlyMap<number, readonly AssetAmount[]>;
  readonly changes: readonly AssetChange[];
}

const NO_MOVES: AssetMoves = { outputs: new Map(), changes: [] };

/** The least that moves one asset on: a group with one input and one output, in weight units. */
const GROUP_WEIGHT = 180;
/** OP_RETURN, push, `ARK`, type and count, in weight units. */
const PACKET_WEIGHT = 28;

/** Half of a transaction's weight must do to move all assets of a VTXO on, or they would be stuck. */
export const maxAssetsPerVtxo = (maxTxWeight: number): number =>
  Math.max(0, Math.floor((maxTxWeight / 2 - PACKET_WEIGHT) / GROUP_WEIGHT));

const sum = (entries: readonly { readonly amount: bigint }[]): bigint =>
  entries.reduce((total, { amount }) => total + amount, 0n);

const growth = ({ inputs, outputs }: AssetGroup): bigint => sum(outputs) - sum(inputs);

/** What the books must tell of before {@link checkAssets} can judge the packet. */
export const assetsInQuestion = (packet: AssetPacket): readonly AssetId[] =>
  packet.flatMap((group) => {
    if (group.assetId) return growth(group) > 0n ? [group.assetId] : [];
    return group.control?.kind === 'id' ? [group.control.assetId] : [];
  });

/** Throws `ASSET_NOT_FOUND` or `ASSET_INPUT_INVALID` unless the packet speaks of all that the inputs bring. */
function checkNothingLost({ inputs }: AssetTx, packet: AssetPacket): void {
  const groups = new Map(packet.flatMap((group) => (group.assetId ? [[group.assetId, group]] : [])));
  for (const [vin, assets] of inputs.entries()) {
    for (const { assetId, amount } of assets ?? []) {
      const group = groups.get(assetId);
      demand(group, 'ASSET_NOT_FOUND', `input ${vin} brings ${assetId}, which no group moves`, { asset_id: assetId });
      const input = group.inputs.find((candidate) => candidate.vin === vin);
      const data = { asset_id: assetId, input_index: `${vin}` };
      demand(input?.amount === amount, 'ASSET_INPUT_INVALID', `input ${vin} brings ${amount} of ${assetId}`, data);
    }
  }
}

/** Throws `ASSET_INPUT_INVALID` unless the inputs bring what the group says, neither more nor other units. */
function checkInputs(tx: AssetTx, assetId: AssetId, { inputs }: AssetGroup): void {
  for (const { vin, amount, intentTxid } of inputs) {
    const data = { asset_id: assetId, input_index: `${vin}` };
    demand(!intentTxid, 'ASSET_INPUT_INVALID', 'an input of an intent is for batch leaves alone', data);
    const brought = tx.inputs[vin]?.find((asset) => asset.assetId === assetId)?.amount;
    demand(brought === amount, 'ASSET_INPUT_INVALID', `input ${vin} brings ${brought ?? 0n} of ${assetId}`, data);
  }
}

/** Throws `ASSET_OUTPUT_INVALID` unless every output named becomes a VTXO. */
function checkOutputs({ vtxoOutputs }: AssetTx, assetId: AssetId, { outputs }: AssetGroup): void {
  for (const { vout } of outputs) {
    const data = { asset_id: assetId, output_index: `${vout}` };
    demand(vtxoOutputs.includes(vout), 'ASSET_OUTPUT_INVALID', `output ${vout} is no VTXO to carry an asset`, data);
  }
}

/** Throws `ASSET_VALIDATION_FAILED` unless the control asset exists or is issued along, by another group. */
function checkIssuance({ control }: AssetGroup, index: number, packet: AssetPacket, { known }: AssetRules): void {
  if (!control) return;
  if (control.kind === 'id') {
    const data = { asset_id: control.assetId };
    demand(known.has(control.assetId), 'ASSET_VALIDATION_FAILED', `there is no asset ${control.assetId}`, data);
    return;
  }
  const isIssuedAlong = packet[control.index]!.assetId === undefined;
  demand(isIssuedAlong, 'ASSET_VALIDATION_FAILED', `group ${control.index} issues no control asset`);
  // Every holder could make more of an asset that controls itself.
  demand(control.index !== index, 'CONTROL_ASSET_INVALID', `group ${index} controls itself`, {
    group_index: `${index}`,
  });
}

/** Throws unless the control asset of what grows is spent along: its holder agrees. */
function checkReissuance(assetId: AssetId, packet: AssetPacket, { known }: AssetRules): void {
  const asset = known.get(assetId);
  demand(asset, 'ASSET_VALIDATION_FAILED', `there is no asset ${assetId}`, { asset_id: assetId });
  const { controlAsset } = asset;
  demand(controlAsset, 'CONTROL_ASSET_INVALID', `nothing controls ${assetId}`, { asset_id: assetId });
  const group = packet.find((candidate) => candidate.assetId === controlAsset);
  demand(group, 'ASSET_NOT_FOUND', `no group moves the control asset ${controlAsset}`, { asset_id: controlAsset });
  const data = { asset_id: assetId, control_asset_id: controlAsset };
  demand(group.inputs.length > 0, 'CONTROL_ASSET_NOT_FOUND', `no input brings the control asset ${controlAsset}`, data);
}

function checkCrowding(outputs: AssetMoves['outputs'], max: number): void {
  for (const [vout, { length }] of outputs) {
    const data = { asset_count: `${length}`, max_assets: `${max}` };
    demand(length <= max, 'VTXO_WITH_TOO_MANY_ASSETS', `output ${vout} has ${length} assets, at most ${max}`, data);
  }
}

function changeOf(group: AssetGroup, idOf: (index: number) => AssetId, index: number): readonly AssetChange[] {
  const [assetId, amount] = [idOf(index), growth(group)];
  if (group.assetId) return amount === 0n ? [] : [{ assetId, amount }];
  const { control } = group;
  const controlAsset = control?.kind === 'group' ? idOf(control.index) : control?.assetId;
  const metadata = group.metadata.length > 0 ? toHex(printMetadata(group.metadata)) : '';
  return [{ assetId, amount, issued: { metadata, ...(controlAsset && { controlAsset }) } }];
}

/**
 * Judges the packet of a transaction. Throws `ASSET_VALIDATION_FAILED`, `ASSET_NOT_FOUND`, `ASSET_INPUT_INVALID`,
 * `ASSET_OUTPUT_INVALID`, `CONTROL_ASSET_INVALID`, `CONTROL_ASSET_NOT_FOUND` or `VTXO_WITH_TOO_MANY_ASSETS`.
 */
export function checkAssets(tx: AssetTx, rules: AssetRules): AssetMoves {
  const { packet } = tx;
  if (!packet) {
    const bringsNone = tx.inputs.every((assets) => !assets?.length);
    demand(bringsNone, 'ASSET_VALIDATION_FAILED', `${tx.txid} spends assets without an asset packet`);
    return NO_MOVES;
  }
  checkNothingLost(tx, packet);
  const idOf = (index: number): AssetId => packet[index]!.assetId ?? assetIdOf(tx.txid, index);
  const outputs = new Map<number, AssetAmount[]>();
  for (const [index, group] of packet.entries()) {
    const assetId = idOf(index);
    if (!group.assetId) checkIssuance(group, index, packet, rules);
    else if (growth(group) > 0n) checkReissuance(assetId, packet, rules);
    checkOutputs(tx, assetId, group);
    checkInputs(tx, assetId, group);
    for (const { vout, amount } of group.outputs) {
      outputs.set(vout, [...(outputs.get(vout) ?? []), { assetId, amount }]);
    }
  }
  checkCrowding(outputs, rules.maxAssetsPerVtxo);
  return { outputs, changes: packet.flatMap((group, index) => changeOf(group, idOf, index)) };
}

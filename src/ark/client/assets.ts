/** Assets from their owner's side: the packet that says what becomes of them, and what the server tells of an asset. */
import { fromHex } from '../../base/bytes.ts';
import type { TxOut } from '../../bitcoin/tx.ts';
import {
  type AssetAmount,
  type AssetId,
  type AssetInput,
  type AssetOutput,
  type AssetPacket,
  assetExtension,
  type ControlRef,
  type Metadata,
  parseAssetId,
  parseMetadata,
} from '../protocol/asset-packet.ts';
import { printExtension } from '../protocol/extension.ts';
import { requiredText, text } from '../wire/request.ts';
import { INDEXER_ROUTES } from '../wire/routes.ts';
import type { ArkClient } from './client.ts';
import { reading } from './errors.ts';

/** A new asset. Its id is `assetIdOf` the ark transaction and its place in the list. */
export interface Issuance {
  /** Output index → units. */
  readonly outputs: readonly AssetOutput[];
  readonly metadata?: readonly Metadata[];
  /** Whoever spends this may issue more. */
  readonly control?: ControlRef;
}

/** What shall become of the assets: what no output gets is burned, what is more than the inputs bring is issued. */
export interface AssetPlan {
  /** By output. */
  readonly outputs: readonly (readonly AssetAmount[])[];
  readonly issues?: readonly Issuance[];
}

interface Carrier {
  readonly assets?: readonly AssetAmount[];
}

/** The entries of each asset in `carriers`, as `entry` makes them of the carrier's index and the units. */
function byAsset<T>(carriers: readonly (readonly AssetAmount[])[], entry: (index: number, amount: bigint) => T) {
  const entries = new Map<AssetId, T[]>();
  for (const [index, assets] of carriers.entries()) {
    for (const { assetId, amount } of assets) {
      entries.set(assetId, [...(entries.get(assetId) ?? []), entry(index, amount)]);
    }
  }
  return entries;
}

/**
 * The packet for a transaction that spends `coins` from input `firstVin` on: 1 in an intent's proof, whose input 0 is no
 * coin. `undefined` when neither coins nor plan have assets.
 */
export function assetPacket(coins: readonly Carrier[], plan: AssetPlan, firstVin = 0): AssetPacket | undefined {
  const brought = coins.map(({ assets = [] }) => assets);
  const inputs = byAsset(brought, (index, amount): AssetInput => ({ vin: firstVin + index, amount }));
  const outputs = byAsset(plan.outputs, (vout, amount): AssetOutput => ({ vout, amount }));
  const issued = (plan.issues ?? []).map((issuance) => ({
    ...(issuance.control && { control: issuance.control }),
    metadata: issuance.metadata ?? [],
    inputs: [],
    outputs: issuance.outputs,
  }));
  const moved = [...new Set([...inputs.keys(), ...outputs.keys()])].map((assetId) => ({
    assetId,
    metadata: [],
    inputs: inputs.get(assetId) ?? [],
    outputs: outputs.get(assetId) ?? [],
  }));
  const packet = [...issued, ...moved];
  return packet.length > 0 ? packet : undefined;
}

/** The packet as an output. */
export const packetOutput = (packet: AssetPacket): TxOut => ({
  value: 0n,
  script: printExtension(assetExtension(packet)),
});

/** All that `coins` carry, each asset once. */
export function assetsOf(coins: readonly Carrier[]): readonly AssetAmount[] {
  const totals = new Map<AssetId, bigint>();
  for (const { assetId, amount } of coins.flatMap(({ assets = [] }) => assets)) {
    totals.set(assetId, (totals.get(assetId) ?? 0n) + amount);
  }
  return [...totals].map(([assetId, amount]) => ({ assetId, amount }));
}

/** Parses units of an asset. Throws `TypeError` unless `text` is a whole number. */
export function assetUnits(text: string): bigint {
  if (!/^[0-9]{1,40}$/.test(text)) throw new TypeError(`no units of an asset: ${text.slice(0, 80)}`);
  return BigInt(text);
}

/** An asset as the server reports it. */
export interface ReportedAsset {
  readonly assetId: AssetId;
  readonly supply: bigint;
  readonly metadata: readonly Metadata[];
  readonly controlAsset: AssetId | undefined;
}

export async function assetOf({ transport }: Pick<ArkClient, 'transport'>, assetId: AssetId): Promise<ReportedAsset> {
  const fields = await transport.call({ route: INDEXER_ROUTES.asset, params: { assetId } });
  return reading(() => {
    const [metadata, control] = [text(fields, 'metadata'), text(fields, 'controlAsset')];
    return {
      assetId: parseAssetId(requiredText(fields, 'assetId')),
      supply: assetUnits(requiredText(fields, 'supply')),
      metadata: metadata === '' ? [] : parseMetadata(fromHex(metadata)),
      controlAsset: control === '' ? undefined : parseAssetId(control),
    };
  });
}

/** Asks the indexer for VTXOs. */
import { fromHex, type Outpoint, outpointKey, parseTxid, toHex } from '../../base/bytes.ts';
import { parseSats } from '../../base/units.ts';
import { type AssetAmount, parseAssetId } from '../protocol/asset-packet.ts';
import { asFields, type Fields, requiredText, text, whole } from '../wire/request.ts';
import { INDEXER_ROUTES } from '../wire/routes.ts';
import { type Account, type Coin, coinOf } from './account.ts';
import { assetUnits } from './assets.ts';
import type { ArkClient } from './client.ts';
import { reading } from './errors.ts';

/** A VTXO as the server reports it. Only what its owner verifies itself is more than a report. */
export interface ReportedVtxo {
  readonly outpoint: Outpoint;
  /** Satoshi. */
  readonly amount: bigint;
  readonly script: Uint8Array;
  readonly isPreconfirmed: boolean;
  readonly isSwept: boolean;
  readonly isUnrolled: boolean;
  readonly isSpent: boolean;
  /** Txid of the commitment that settled it, or empty. */
  readonly settledBy: string;
  /** A height, or unix seconds: the server tells which by the size. */
  readonly expiresAt: number;
  readonly commitmentTxids: readonly string[];
  readonly assets: readonly AssetAmount[];
}

export type VtxoFilter = 'spendableOnly' | 'spentOnly' | 'recoverableOnly' | 'renewableOnly' | 'pendingOnly';

const parseAsset = (fields: Fields): AssetAmount => ({
  assetId: parseAssetId(requiredText(fields, 'assetId')),
  amount: assetUnits(requiredText(fields, 'amount')),
});

function parseVtxo(fields: Fields): ReportedVtxo {
  const outpoint = asFields(fields.outpoint, 'outpoint');
  return {
    outpoint: { txid: parseTxid(requiredText(outpoint, 'txid')), vout: whole(outpoint.vout, 'vout') },
    amount: parseSats(requiredText(fields, 'amount')),
    script: fromHex(requiredText(fields, 'script')),
    isPreconfirmed: fields.isPreconfirmed === true,
    isSwept: fields.isSwept === true,
    isUnrolled: fields.isUnrolled === true,
    isSpent: fields.isSpent === true,
    settledBy: text(fields, 'settledBy'),
    expiresAt: whole(fields.expiresAt, 'expiresAt'),
    commitmentTxids: Array.isArray(fields.commitmentTxids) ? fields.commitmentTxids.map(String) : [],
    assets: (Array.isArray(fields.assets) ? fields.assets : []).map((asset) => parseAsset(asFields(asset))),
  };
}

const parseAll = (vtxos: unknown): readonly ReportedVtxo[] =>
  reading(() => (Array.isArray(vtxos) ? vtxos : []).map((vtxo) => parseVtxo(asFields(vtxo))));

export async function vtxosByOutpoint(
  { transport }: Pick<ArkClient, 'transport'>,
  outpoints: readonly Outpoint[],
): Promise<readonly ReportedVtxo[]> {
  const query = { outpoints: outpoints.map(outpointKey) };
  const { vtxos } = await transport.call({ route: INDEXER_ROUTES.vtxos, query });
  return parseAll(vtxos);
}

/** VTXOs of an account, oldest first. */
export async function vtxosOf(
  { transport }: Pick<ArkClient, 'transport'>,
  account: Account,
  filter?: VtxoFilter,
): Promise<readonly ReportedVtxo[]> {
  const query = { scripts: [toHex(account.vtxo.script)], ...(filter && { [filter]: true }) };
  const { vtxos } = await transport.call({ route: INDEXER_ROUTES.vtxos, query });
  return parseAll(vtxos);
}

/** What the account can spend off-chain or settle right now. */
export async function spendableCoins(client: Pick<ArkClient, 'transport'>, account: Account): Promise<readonly Coin[]> {
  const vtxos = await vtxosOf(client, account, 'spendableOnly');
  return vtxos.map(({ outpoint, amount, assets }) => coinOf(account, 'vtxo', outpoint, amount, assets));
}

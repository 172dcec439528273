/** What users of a world do with assets. */
import assert from 'node:assert/strict';
import type { Coin } from '../../src/ark/client/account.ts';
import { type AssetPlan, assetOf, assetsOf } from '../../src/ark/client/assets.ts';
import { type Paid, send } from '../../src/ark/client/offchain.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import { type AssetAmount, type AssetId, assetIdOf } from '../../src/ark/protocol/asset-packet.ts';
import { sumSats } from '../../src/base/units.ts';
import { paid, type User, type World } from './world.ts';

export const coinsOf = ({ client, account }: User): Promise<readonly Coin[]> => spendableCoins(client, account);

/** Units of an asset that a user can spend. */
export async function unitsOf(user: User, assetId: AssetId): Promise<bigint> {
  const held = assetsOf(await coinsOf(user));
  return held.find((asset) => asset.assetId === assetId)?.amount ?? 0n;
}

export const supplyOf = async ({ client }: User, assetId: AssetId): Promise<bigint> =>
  (await assetOf(client, assetId)).supply;

/** All of a user's coins to one coin of its own, the assets as `plan` says. */
export async function toSelf(w: World, user: User, plan: AssetPlan): Promise<Paid> {
  const coins = await coinsOf(user);
  return w.run(send(user.client, user.account, coins, [paid(user.account, coins)], plan));
}

/** Issues `amount` units into the coin that everything else the user has goes to. */
export async function issue(w: World, user: User, amount: bigint, controlAsset?: AssetId): Promise<AssetId> {
  const control = controlAsset && ({ kind: 'id', assetId: controlAsset } as const);
  const outputs = [assetsOf(await coinsOf(user))];
  const issues = [{ outputs: [{ vout: 0, amount }], ...(control && { control }) }];
  const { arkTxid } = await toSelf(w, user, { outputs, issues });
  return assetIdOf(arkTxid, 0);
}

/** What is held, but for `amount` units more of one asset; less where negative. */
export function changed(held: readonly AssetAmount[], assetId: AssetId, amount: bigint): readonly AssetAmount[] {
  const kept = held.find((asset) => asset.assetId === assetId)?.amount ?? 0n;
  const rest = held.filter((asset) => asset.assetId !== assetId);
  return kept + amount > 0n ? [...rest, { assetId, amount: kept + amount }] : rest;
}

/** Pays `sats` with `amount` units to somebody; the rest of everything comes back. */
export async function pay(w: World, from: User, to: User, sats: bigint, assetId: AssetId, amount: bigint) {
  const coins = await coinsOf(from);
  const rest = sumSats(coins.map((coin) => coin.amount)) - sats;
  const outputs = [paid(to.account, [], sats), paid(from.account, [], rest)];
  const plan = { outputs: [[{ assetId, amount }], changed(assetsOf(coins), assetId, -amount)] };
  return w.run(send(from.client, from.account, coins, outputs, plan));
}

export async function expectUnits(assetId: AssetId, expected: ReadonlyMap<User, bigint>): Promise<void> {
  for (const [user, amount] of expected) assert.equal(await unitsOf(user, assetId), amount, user.name);
}

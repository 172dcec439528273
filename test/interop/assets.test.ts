/** Assets in the hands of unmodified Arkade wallets: issued, issued again, paid, burned, settled, taken along and left behind. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type IncomingFunds, SingleKey, type VirtualCoin, type Wallet } from '@arkade-os/sdk';
import { dieAt, eventually, freshStorage, useArk } from '../support/sdk.ts';

const units = (coins: readonly VirtualCoin[], assetId: string): bigint =>
  coins
    .flatMap(({ assets = [] }) => assets)
    .reduce((sum, asset) => sum + (asset.assetId === assetId ? asset.amount : 0n), 0n);

/** The wallet comes to hold just so many units of an asset, and says so in its balance. */
const expectUnits = (wallet: Wallet, assetId: string, expected: bigint): Promise<void> =>
  eventually(async () => {
    assert.equal(units(await wallet.getVtxos(), assetId), expected);
    const { assets } = await wallet.getBalance();
    assert.equal(assets.find((asset) => asset.assetId === assetId)?.amount ?? 0n, expected);
  });

const supply = async (wallet: Wallet, assetId: string): Promise<bigint> =>
  (await wallet.assetManager.getAssetDetails(assetId)).supply;

const issued = async (wallet: Wallet, amount: bigint, controlAssetId?: string): Promise<string> => {
  const { assetId } = await wallet.assetManager.issue({ amount, ...(controlAssetId && { controlAssetId }) });
  await expectUnits(wallet, assetId, amount);
  return assetId;
};

describe('the assets of two Arkade wallets', () => {
  const ark = useArk();
  let alice: Wallet;
  let bob: Wallet;
  let key: string;
  let gold: string;
  before(async () => {
    [alice, bob] = await Promise.all([ark.wallet(), ark.wallet()]);
    await ark.board(alice, 100_000);
    await ark.board(bob, 50_000);
  });

  test('an asset is issued with metadata and a control asset', async () => {
    key = await issued(alice, 1n);
    assert.deepEqual(await alice.assetManager.getAssetDetails(key), {
      assetId: key,
      supply: 1n,
      metadata: undefined,
      controlAssetId: undefined,
    });
    const metadata = { decimals: 2, name: 'Gold', ticker: 'AU', icon: 'https://example.com/gold.png' };
    const { assetId, arkTxId } = await alice.assetManager.issue({ amount: 1_000n, controlAssetId: key, metadata });
    gold = assetId;
    await expectUnits(alice, gold, 1_000n);
    assert.deepEqual(await bob.assetManager.getAssetDetails(gold), {
      assetId: gold,
      supply: 1_000n,
      metadata,
      controlAssetId: key,
    });
    assert.ok(gold.startsWith(arkTxId));
  });

  test('an asset that nobody issued is not found', async () => {
    const asked = (id: string) => fetch(`${ark.ready.ark.url}/v1/indexer/asset/${id}`);
    const unknown = await asked(gold.replace(/^./, (digit) => (digit === '0' ? '1' : '0')));
    assert.equal(unknown.status, 404);
    const { details } = (await unknown.json()) as { details: { name: string; code: number }[] };
    assert.deepEqual([details[0]!.name, details[0]!.code], ['ASSET_NOT_FOUND', 34]);
    assert.equal((await asked('gold')).status, 400);
  });

  test('its issuer issues more, and nobody else does', async () => {
    await alice.assetManager.reissue({ assetId: gold, amount: 500n });
    await expectUnits(alice, gold, 1_500n);
    await expectUnits(alice, key, 1n);
    assert.equal(await supply(alice, gold), 1_500n);
    await assert.rejects(bob.assetManager.reissue({ assetId: gold, amount: 500n }));
    await assert.rejects(alice.assetManager.reissue({ assetId: key, amount: 1n }));
  });

  test('a payment of assets reaches its receiver by subscription', async () => {
    const incoming = Promise.withResolvers<IncomingFunds>();
    const stop = await bob.notifyIncomingFunds(incoming.resolve);
    const payment = { address: await bob.getAddress(), amount: 0, assets: [{ assetId: gold, amount: 400n }] };
    const arkTxid = await alice.send(payment);
    const funds = await incoming.promise;
    stop();
    assert.ok(funds.type === 'vtxo');
    assert.equal(units(funds.newVtxos, gold), 400n);
    await expectUnits(bob, gold, 400n);
    await expectUnits(alice, gold, 1_100n);
    await expectUnits(alice, key, 1n);
    const lines = await bob.getTransactionHistory();
    const [received] = lines.filter((line) => line.key.arkTxid === arkTxid);
    assert.deepEqual(received!.assets, [{ assetId: gold, amount: 400n }]);
  });

  test('all units at once, there and back', async () => {
    const to = async (wallet: Wallet, amount: bigint) => ({
      address: await wallet.getAddress(),
      amount: 1_000,
      assets: [{ assetId: gold, amount }],
    });
    await bob.send(await to(alice, 400n));
    await expectUnits(alice, gold, 1_500n);
    await expectUnits(bob, gold, 0n);
    await alice.send(await to(bob, 400n));
    await expectUnits(bob, gold, 400n);
  });

  test('a part is burned, then the rest', async () => {
    await bob.assetManager.burn({ assetId: gold, amount: 150n });
    await expectUnits(bob, gold, 250n);
    assert.equal(await supply(alice, gold), 1_350n);
    const lead = await issued(bob, 10n);
    await bob.assetManager.burn({ assetId: lead, amount: 10n });
    await expectUnits(bob, lead, 0n);
    assert.equal(await supply(bob, lead), 0n);
    await expectUnits(bob, gold, 250n);
  });

  test('a payment that would lose them is refused', async () => {
    const [coin] = (await bob.getVtxos()).filter((vtxo) => units([vtxo], gold) > 0n);
    const [{ virtualStatus }] = [coin!];
    assert.ok(virtualStatus);
    const payment = { address: await alice.getAddress(), amount: 500, selectedVtxos: [{ ...coin!, assets: [] }] };
    await assert.rejects(bob.sendBitcoin(payment), { code: 33, name: 'ASSET_VALIDATION_FAILED' });
    await expectUnits(bob, gold, 250n);
  });

  test('settled together, each keeps its own', async () => {
    const everything = async (wallet: Wallet) => {
      const inputs = await wallet.getVtxos();
      const amount = BigInt(inputs.reduce((sum, { value }) => sum + value, 0));
      return wallet.settle({ inputs, outputs: [{ address: await wallet.getAddress(), amount }] });
    };
    const [first, second] = await Promise.all([everything(alice), everything(bob)]);
    assert.equal(first, second);
    await expectUnits(alice, gold, 1_100n);
    await expectUnits(alice, key, 1n);
    await expectUnits(bob, gold, 250n);
    const [settled, ...others] = await alice.getVtxos();
    assert.deepEqual(others, []);
    assert.equal(settled!.virtualStatus.state, 'settled');
    await bob.settle();
    await expectUnits(bob, gold, 250n);
  });

  test('an on-chain output leaves them in the wallet, and without a place of their own they do not go', async () => {
    const inputs = await alice.getVtxos();
    const value = inputs.reduce((sum, vtxo) => sum + vtxo.value, 0);
    const cold = await ark.onchainWallet();
    const stays = { address: await alice.getAddress(), amount: BigInt(value - 5_000) };
    const leaves = { address: cold.address, amount: 5_000n };
    await assert.rejects(alice.settle({ inputs, outputs: [leaves, stays] }), { name: 'ASSET_OUTPUT_INVALID' });
    await alice.settle({ inputs, outputs: [stays, leaves] });
    await expectUnits(alice, gold, 1_100n);
    await expectUnits(alice, key, 1n);
    await ark.mine(1);
    await eventually(async () => assert.equal(await cold.getBalance(), 5_000));
    assert.equal(await supply(alice, gold), 1_350n);
  });

  test('the control asset changes hands, and with it who may issue', async () => {
    await alice.send({ address: await bob.getAddress(), amount: 1_000, assets: [{ assetId: key, amount: 1n }] });
    await expectUnits(bob, key, 1n);
    await assert.rejects(alice.assetManager.reissue({ assetId: gold, amount: 1n }));
    await bob.assetManager.reissue({ assetId: gold, amount: 50n });
    await expectUnits(bob, gold, 300n);
    assert.equal(await supply(alice, gold), 1_400n);
  });

  test('a VTXO with an asset leaves alone', async () => {
    const carol = await ark.wallet();
    await ark.board(carol, 20_000);
    await ark.mine(1);
    const lead = await issued(carol, 7n);
    const onchain = await ark.onchainWallet(carol);
    await ark.faucet(onchain.address, 100_000);
    const [vtxo] = await carol.getVtxos();
    await ark.unroll(carol, vtxo!);
    await eventually(async () => {
      const known = await carol.getVtxos({ withUnrolled: true });
      const unrolled = known.find(({ txid }) => txid === vtxo!.txid);
      assert.ok(unrolled?.isUnrolled);
      assert.equal(units([unrolled], lead), 7n);
    });
    assert.ok((await carol.onchainProvider.getTxStatus(vtxo!.txid)).confirmed);
  });
});

describe('kill -9 of a server that keeps assets', () => {
  const data = mkdtempSync(join(tmpdir(), 'canalworks-assets-'));
  const ark = useArk(['--data', data]);
  after(() => rmSync(data, { recursive: true, force: true }));

  test('between submission and finality: the units move once, and as many are there as before', async () => {
    const [identity, storage] = [SingleKey.fromRandomBytes(), freshStorage()];
    const [alice, bob] = [await ark.wallet(identity, storage), await ark.wallet()];
    await ark.board(alice, 10_000);
    const gold = await issued(alice, 100n);
    dieAt(alice, 'finalizeTx', ark.crash, false);
    const payment = { address: await bob.getAddress(), amount: 3_000, assets: [{ assetId: gold, amount: 40n }] };
    await assert.rejects(alice.send(payment));
    await alice.dispose();
    const restarted = await ark.wallet(identity, storage);
    assert.equal(await supply(restarted, gold), 100n);
    const { finalized } = await restarted.finalizePendingTxs();
    assert.equal(finalized.length, 1);
    await expectUnits(bob, gold, 40n);
    await expectUnits(restarted, gold, 60n);
    assert.equal(await supply(bob, gold), 100n);
  });

  test('during a batch: the assets are where they were, or where they should go', async () => {
    const alice = await ark.wallet();
    await ark.board(alice, 10_000);
    const gold = await issued(alice, 100n);
    dieAt(alice, 'submitSignedForfeitTxs', ark.crash, true);
    await assert.rejects(alice.settle());
    await ark.mine(1);
    await expectUnits(alice, gold, 100n);
    await alice.settle();
    await expectUnits(alice, gold, 100n);
    assert.equal(await supply(alice, gold), 100n);
  });
});

/** One key on several devices, and wallets that were shut down at a bad moment. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ArkProvider, SingleKey } from '@arkade-os/sdk';
import { eventually, expectBalance, expectHistory, freshStorage, useArk } from '../support/sdk.ts';

const ark = useArk();

describe('two devices with one key', () => {
  test('hear of each other’s payments and never spend a coin twice', async () => {
    const identity = SingleKey.fromRandomBytes();
    const [phone, laptop, shop] = [await ark.wallet(identity), await ark.wallet(identity), await ark.wallet()];
    await ark.board(phone, 10_000);
    await expectBalance(laptop, { settled: 10_000 });
    const stale = await laptop.getVtxos();

    const spent: string[] = [];
    const received: number[] = [];
    const stop = await laptop.notifyIncomingFunds((funds) => {
      assert.ok(funds.type === 'vtxo');
      spent.push(...funds.spentVtxos.map(({ txid }) => txid));
      received.push(...funds.newVtxos.map(({ value }) => value));
    });
    await phone.sendBitcoin({ address: await shop.getAddress(), amount: 4_000 });
    await eventually(() => assert.deepEqual({ spent, received }, { spent: [stale[0]!.txid], received: [6_000] }));
    stop();
    for (const wallet of [phone, laptop]) {
      await expectBalance(wallet, { preconfirmed: 6_000 });
      await expectHistory(wallet, ['RECEIVED 10000 boarding', 'SENT 4000 offchain']);
    }

    const address = await shop.getAddress();
    const again = (amount: number) => laptop.sendBitcoin({ address, amount, selectedVtxos: stale });
    await assert.rejects(again(3_000), { name: 'VTXO_ALREADY_SPENT' });
    await assert.rejects(again(4_000), { name: 'INVALID_ARK_PSBT' });
    await expectBalance(shop, { preconfirmed: 4_000 });
  });

  test('a device that knows nothing but the key finds balance and history', async () => {
    const identity = SingleKey.fromRandomBytes();
    const [first, shop] = [await ark.wallet(identity), await ark.wallet()];
    await ark.board(first, 9_000);
    await first.sendBitcoin({ address: await shop.getAddress(), amount: 1_000 });
    const second = await ark.wallet(identity);
    await expectBalance(second, { preconfirmed: 8_000 });
    await expectHistory(second, ['RECEIVED 9000 boarding', 'SENT 1000 offchain']);
  });
});

test('a wallet that was shut down between submission and finality finishes its payment', async () => {
  const [identity, storage] = [SingleKey.fromRandomBytes(), freshStorage()];
  const shop = await ark.wallet();
  const wallet = await ark.wallet(identity, storage);
  await ark.board(wallet, 8_000);
  const provider = wallet.arkProvider as { finalizeTx: ArkProvider['finalizeTx'] };
  provider.finalizeTx = () => Promise.reject(new Error('the battery is empty'));
  await assert.rejects(wallet.sendBitcoin({ address: await shop.getAddress(), amount: 3_000 }));
  await wallet.dispose();
  await expectBalance(shop, {});

  const restarted = await ark.wallet(identity, storage);
  const { finalized, pending } = await restarted.finalizePendingTxs();
  assert.equal(finalized.length, 1);
  assert.deepEqual(pending, finalized);
  await expectBalance(shop, { preconfirmed: 3_000 });
  await expectBalance(restarted, { preconfirmed: 5_000 });
  await expectHistory(restarted, ['RECEIVED 8000 boarding', 'SENT 3000 offchain']);
  assert.deepEqual(await restarted.finalizePendingTxs(), { finalized: [], pending: [] });
});

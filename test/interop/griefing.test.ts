/** An offender among honest wallets of the SDK: what each way to misbehave costs them, and that it is once only. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type SettlementEvent, SettlementEventType, type Wallet } from '@arkade-os/sdk';
import { expectBalance, useArk } from '../support/sdk.ts';

const { BatchStarted, BatchFailed } = SettlementEventType;

describe('an offender in the batch', () => {
  const ark = useArk();

  async function wallets(count: number): Promise<Wallet[]> {
    const all: Wallet[] = [];
    for (let i = 0; i < count; i++) {
      const wallet = await ark.wallet();
      await ark.board(wallet, 10_000);
      all.push(wallet);
    }
    return all;
  }

  /** Settles as an application does that tries again when a batch failed. Returns how often it had to. */
  async function settleStubbornly(wallet: Wallet): Promise<number> {
    for (let failures = 0; ; failures++) {
      try {
        await wallet.settle();
        return failures;
      } catch (error) {
        if (failures === 3) throw error;
      }
    }
  }

  const silence = (
    wallet: Wallet,
    call: 'confirmRegistration' | 'submitTreeNonces' | 'submitTreeSignatures' | 'submitSignedForfeitTxs',
  ) => {
    Object.assign(wallet.arkProvider, { [call]: async () => {} });
  };

  for (const call of ['submitTreeNonces', 'submitTreeSignatures', 'submitSignedForfeitTxs'] as const) {
    test(`that never calls ${call}: the others fail with it once and settle in the next batch`, async () => {
      const [mallory, ...honest] = await wallets(3);
      silence(mallory!, call);
      const lost = assert.rejects(mallory!.settle());
      const failures = await Promise.all(honest.map((wallet) => settleStubbornly(wallet)));
      assert.deepEqual(failures, [1, 1]);
      await lost;
      for (const wallet of honest) await expectBalance(wallet, { settled: 10_000 });
      await expectBalance(mallory!, { settled: 10_000 });
    });
  }

  test('that does not confirm: the others notice nothing', async () => {
    const [mallory, ...honest] = await wallets(3);
    silence(mallory!, 'confirmRegistration');
    const lost = assert.rejects(mallory!.settle());
    assert.deepEqual(await Promise.all(honest.map((wallet) => settleStubbornly(wallet))), [0, 0]);
    await lost;
  });

  test('that spoils the signing: a collaborative exit goes on to the next batch in one settlement', async () => {
    const [mallory, leaver] = await wallets(2);
    silence(mallory!, 'submitTreeNonces');
    const lost = assert.rejects(mallory!.settle());
    const onchain = await ark.onchainWallet();
    const events: SettlementEvent[] = [];
    const inputs = await leaver!.getVtxos();
    const outputs = [{ address: onchain.address, amount: 10_000n }];
    await leaver!.settle({ inputs, outputs }, (event) => void events.push(event));
    await lost;
    assert.equal(events.filter(({ type }) => type === BatchFailed).length, 0);
    assert.ok(events.filter(({ type }) => type === BatchStarted).length >= 2);
    await expectBalance(leaver!, {});
  });

  test('twice: banned from batches and from payments', async () => {
    await ark.admin('settings', { settings: { banThreshold: '2' } });
    const [mallory] = await wallets(1);
    silence(mallory!, 'submitTreeNonces');
    for (let crime = 0; crime < 2; crime++) await assert.rejects(mallory!.settle());
    await assert.rejects(mallory!.settle(), { name: 'VTXO_BANNED' });
    const address = await mallory!.getAddress();
    await assert.rejects(mallory!.sendBitcoin({ address, amount: 1_000 }), { name: 'VTXO_BANNED' });
  });
});

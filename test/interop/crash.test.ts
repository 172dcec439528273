/** The process is killed at the worst moments. Whatever a wallet was told holds; nothing is lost, nothing spent twice. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { SettlementEventType, SingleKey, type Wallet } from '@arkade-os/sdk';
import { dieAt, expectBalance, expectHistory, freshStorage, useArk } from '../support/sdk.ts';

describe('kill -9', () => {
  const data = mkdtempSync(join(tmpdir(), 'canalworks-crash-'));
  const ark = useArk(['--data', data]);
  after(() => rmSync(data, { recursive: true, force: true }));

  /** A wallet with 10,000 settled and 5,000 at its boarding address. */
  async function wallet(): Promise<Wallet> {
    const created = await ark.wallet();
    await ark.board(created, 10_000);
    await ark.faucet(await created.getBoardingAddress(), 5_000);
    return created;
  }

  for (const type of [
    SettlementEventType.BatchStarted,
    SettlementEventType.TreeSigningStarted,
    SettlementEventType.TreeNonces,
    SettlementEventType.BatchFinalization,
  ]) {
    test(`at ${type}: the batch never was, its coins are free`, async () => {
      const alice = await wallet();
      let crash: Promise<void> | undefined;
      await assert.rejects(alice.settle(undefined, (event) => void (event.type === type && (crash ??= ark.crash()))));
      await crash;
      await expectBalance(alice, { boarding: 5_000, settled: 10_000 });
      await alice.settle();
      await expectBalance(alice, { settled: 15_000 });
      await expectHistory(alice, ['RECEIVED 10000 boarding', 'RECEIVED 5000 boarding']);
    });
  }

  test('after the forfeits are in: the batch is whole or never was', async () => {
    const alice = await wallet();
    dieAt(alice, 'submitSignedForfeitTxs', ark.crash, true);
    await assert.rejects(alice.settle());
    await ark.mine(1);
    assert.equal((await alice.getBalance()).total, 15_000);
    await alice.settle();
    await expectBalance(alice, { settled: 15_000 });
  });

  for (const isHeard of [false, true]) {
    const when = isHeard ? 'after finality' : 'between submission and finality';
    test(`${when}: the payment is made once, by the wallet that goes on`, async () => {
      const [identity, storage] = [SingleKey.fromRandomBytes(), freshStorage()];
      const [alice, bob] = [await ark.wallet(identity, storage), await ark.wallet()];
      await ark.board(alice, 10_000);
      const coins = await alice.getVtxos();
      dieAt(alice, 'finalizeTx', ark.crash, isHeard);
      await assert.rejects(alice.sendBitcoin({ address: await bob.getAddress(), amount: 3_000 }));
      await alice.dispose();

      const restarted = await ark.wallet(identity, storage);
      const again = { address: await restarted.getAddress(), amount: 2_000, selectedVtxos: coins };
      await assert.rejects(restarted.sendBitcoin(again), { name: 'VTXO_ALREADY_SPENT' });
      const { finalized } = await restarted.finalizePendingTxs();
      assert.equal(finalized.length, isHeard ? 0 : 1);
      await expectBalance(bob, { preconfirmed: 3_000 });
      await expectBalance(restarted, { preconfirmed: 7_000 });
      const [first, second] = await Promise.all([restarted.settle(), bob.settle()]);
      assert.equal(first, second);
      await expectBalance(bob, { settled: 3_000 });
      await expectBalance(restarted, { settled: 7_000 });
      await expectHistory(restarted, ['RECEIVED 10000 boarding', 'SENT 3000 offchain']);
    });
  }
});

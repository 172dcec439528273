/** The main job: unmodified Arkade wallets board, settle, pay and are paid. The tests tell one story, each goes on from the last. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { IncomingFunds, Wallet } from '@arkade-os/sdk';
import { eventLog, eventually, expectBalance, expectHistory, useArk } from '../support/sdk.ts';

describe('two Arkade wallets', () => {
  const ark = useArk();
  let alice: Wallet;
  let bob: Wallet;
  const aliceHistory: string[] = [];
  const bobHistory: string[] = [];
  before(async () => {
    [alice, bob] = await Promise.all([ark.wallet(), ark.wallet()]);
  });
  const pay = async (from: Wallet, to: Wallet, amount: number): Promise<string> =>
    from.sendBitcoin({ address: await to.getAddress(), amount });

  test('an empty wallet', async () => {
    await expectBalance(alice, {});
    await expectHistory(alice, []);
    assert.notEqual(await alice.getAddress(), await bob.getAddress());
  });

  test('a boarding payment is seen', async () => {
    const incoming = Promise.withResolvers<IncomingFunds>();
    const stop = await alice.notifyIncomingFunds(incoming.resolve);
    await ark.faucet(await alice.getBoardingAddress(), 100_000);
    const funds = await incoming.promise;
    stop();
    assert.ok(funds.type === 'utxo');
    assert.deepEqual(
      funds.coins.map(({ value }) => value),
      [100_000],
    );
    await expectBalance(alice, { boarding: 100_000 });
    await expectHistory(alice, ['RECEIVED 100000 boarding ?']);
  });

  test('it boards', async () => {
    const { types, listener } = eventLog();
    const commitmentTxid = await alice.settle(undefined, listener);
    assert.deepEqual(
      types.filter((type, i) => type !== types[i - 1]),
      [
        'stream_started',
        'batch_started',
        'tree_tx',
        'tree_signing_started',
        'tree_nonces',
        'tree_signature',
        'batch_finalization',
        'batch_finalized',
      ],
    );
    await expectBalance(alice, { settled: 100_000 });
    aliceHistory.push('RECEIVED 100000 boarding');
    await expectHistory(alice, aliceHistory);
    const [vtxo] = await alice.getVtxos();
    assert.deepEqual(vtxo!.virtualStatus.commitmentTxIds, [commitmentTxid]);
    await ark.mine(1);
    assert.ok((await alice.onchainProvider.getTxStatus(commitmentTxid)).confirmed);
  });

  test('it renews what it has', async () => {
    const [before] = await alice.getVtxos();
    const commitmentTxid = await alice.settle();
    const [renewed, ...more] = await alice.getVtxos();
    assert.deepEqual(more, []);
    assert.notEqual(renewed!.txid, before!.txid);
    assert.deepEqual(renewed!.virtualStatus.commitmentTxIds, [commitmentTxid]);
    await expectBalance(alice, { settled: 100_000 });
    await expectHistory(alice, aliceHistory);
  });

  test('a payment reaches its receiver by subscription, the change its sender', async () => {
    const incoming = Promise.withResolvers<IncomingFunds>();
    const stop = await bob.notifyIncomingFunds(incoming.resolve);
    const arkTxid = await pay(alice, bob, 30_000);
    const funds = await incoming.promise;
    stop();
    assert.ok(funds.type === 'vtxo');
    assert.deepEqual(
      funds.newVtxos.map(({ txid, value }) => ({ txid, value })),
      [{ txid: arkTxid, value: 30_000 }],
    );
    assert.deepEqual(funds.spentVtxos, []);
    await expectBalance(bob, { preconfirmed: 30_000 });
    await expectBalance(alice, { preconfirmed: 70_000 });
    aliceHistory.push('SENT 30000 offchain');
    await expectHistory(alice, aliceHistory);
    await expectHistory(bob, ['RECEIVED 30000 offchain ?']);
  });

  test('the receiver settles and owns a batch leaf', async () => {
    await bob.settle();
    await expectBalance(bob, { settled: 30_000 });
    bobHistory.push('RECEIVED 30000 offchain');
    await expectHistory(bob, bobHistory);
  });

  test('both settle in one batch, with one commitment transaction', async () => {
    const [first, second] = await Promise.all([alice.settle(), bob.settle()]);
    assert.equal(first, second);
    await expectBalance(alice, { settled: 70_000 });
    await expectBalance(bob, { settled: 30_000 });
    await expectHistory(alice, aliceHistory);
    await expectHistory(bob, bobHistory);
  });

  test('twenty hops, each spending the one before', async () => {
    const carol = await ark.wallet();
    let [from, to] = [bob, carol];
    for (let hop = 0; hop < 20; hop++) {
      const txid = await pay(from, to, 30_000);
      await eventually(async () => assert.equal((await to.getVtxos())[0]?.txid, txid));
      await expectBalance(from, {});
      [from, to] = [to, from];
    }
    await expectBalance(bob, { preconfirmed: 30_000 });
    await expectBalance(carol, {});
    const rounds = Array.from({ length: 10 }, () => ['SENT 30000 offchain', 'RECEIVED 30000 offchain']).flat();
    await expectHistory(bob, [...bobHistory, ...rounds.slice(0, -1), 'RECEIVED 30000 offchain ?']);
    await expectHistory(carol, rounds);
    const [vtxo] = await bob.getVtxos();
    const { chain } = await bob.indexerProvider.getVtxoChain(vtxo!);
    const count = (type: string): number => chain.filter((tx) => tx.type.endsWith(type)).length;
    assert.deepEqual(['ARK', 'CHECKPOINT', 'TREE', 'COMMITMENT'].map(count), [20, 20, 2, 1]);
    await bob.settle();
    await expectBalance(bob, { settled: 30_000 });
  });

  test('what came from two payments is spent as one, the change comes back', async () => {
    await pay(alice, bob, 5_000);
    await expectBalance(bob, { settled: 30_000, preconfirmed: 5_000 });
    await pay(bob, alice, 33_000);
    await expectBalance(bob, { preconfirmed: 2_000 });
    await expectBalance(alice, { preconfirmed: 98_000 });
  });

  test('a payment to oneself moves nothing', async () => {
    await pay(alice, alice, 10_000);
    await expectBalance(alice, { preconfirmed: 98_000 });
  });
});

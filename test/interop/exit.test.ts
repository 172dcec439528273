/** Ways out of the Ark: together with the server in a batch, or alone over the chain. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Ramps, Unroll, type Wallet } from '@arkade-os/sdk';
import { eventually, expectBalance, expectHistory, useArk } from '../support/sdk.ts';

const ark = useArk();

describe('a collaborative exit', () => {
  test('of an amount, by settling with an on-chain output', async () => {
    const alice = await ark.wallet();
    const cold = await ark.onchainWallet();
    await ark.board(alice, 50_000);
    const commitmentTxid = await alice.settle({
      inputs: await alice.getVtxos(),
      outputs: [
        { address: await alice.getAddress(), amount: 30_000n },
        { address: cold.address, amount: 20_000n },
      ],
    });
    await ark.mine(1);
    await expectBalance(alice, { settled: 30_000 });
    await expectHistory(alice, ['RECEIVED 50000 boarding', 'SENT 20000 exit']);
    const [coin, ...more] = await cold.getCoins();
    assert.deepEqual(more, []);
    assert.equal(coin!.txid, commitmentTxid);
    assert.equal(coin!.value, 20_000);
    assert.ok(coin!.status.confirmed);
  });

  test('of everything, received and boarded, by offboarding', async () => {
    const [alice, bob] = [await ark.wallet(), await ark.wallet()];
    const cold = await ark.onchainWallet();
    await ark.board(alice, 40_000);
    await alice.sendBitcoin({ address: await bob.getAddress(), amount: 15_000 });
    await expectBalance(bob, { preconfirmed: 15_000 });
    const { fees } = await alice.arkProvider.getInfo();
    await Promise.all([new Ramps(alice).offboard(cold.address, fees), new Ramps(bob).offboard(cold.address, fees)]);
    await ark.mine(1);
    assert.equal(await cold.getBalance(), 40_000);
    await expectBalance(alice, {});
    await expectBalance(bob, {});
    await expectHistory(alice, ['RECEIVED 40000 boarding', 'SENT 15000 offchain', 'SENT 25000 exit']);
    await expectHistory(bob, ['RECEIVED 15000 offchain', 'SENT 15000 exit']);
  });
});

describe('a unilateral exit', () => {
  /** Blocks from a VTXO's confirmation until the SDK dares to claim it, the default of `up`. */
  const EXIT_DELAY = 20;

  /** Takes what was unrolled from the chain as soon as the SDK dares to, and no block earlier unless it is late. */
  async function claim(wallet: Wallet, txid: string): Promise<void> {
    const cold = await ark.onchainWallet();
    const complete = (): Promise<string> => Unroll.completeUnroll(wallet, [txid], cold.address);
    const status = await wallet.onchainProvider.getTxStatus(txid);
    assert.ok(status.confirmed);
    const missing = status.blockHeight + EXIT_DELAY - (await ark.mine(0));
    if (missing > 0) {
      await ark.mine(missing - 1);
      await assert.rejects(complete);
      await ark.mine(1);
    }
    const claimTxid = await complete();
    await ark.mine(1);
    assert.ok((await wallet.onchainProvider.getTxStatus(claimTxid)).confirmed);
    assert.ok((await cold.getBalance()) > 0);
    await expectBalance(wallet, {});
  }

  /** Unrolls the only VTXO and claims it; checks what the wallet says on the way. */
  async function exitAlone(wallet: Wallet, value: number): Promise<void> {
    const onchain = await ark.onchainWallet(wallet);
    await ark.faucet(onchain.address, 100_000);
    const [vtxo, ...others] = await wallet.getVtxos();
    assert.deepEqual(others, []);
    assert.equal(vtxo!.value, value);
    await ark.unroll(wallet, vtxo!);
    await eventually(async () => {
      const [unrolled, ...more] = await wallet.getVtxos({ withUnrolled: true });
      assert.deepEqual(more, []);
      assert.ok(unrolled!.isUnrolled);
    });
    await claim(wallet, vtxo!.txid);
  }

  test('of a settled VTXO', async () => {
    const [alice, bob] = [await ark.wallet(), await ark.wallet()];
    await Promise.all([ark.faucet(await alice.getBoardingAddress(), 21_000), ark.board(bob, 22_000)]);
    await alice.settle();
    await Promise.all([alice.settle(), bob.settle()]);
    await ark.mine(1);
    await exitAlone(alice, 21_000);
    await expectHistory(alice, ['RECEIVED 21000 boarding']);
    await expectBalance(bob, { settled: 22_000 });
    await exitAlone(bob, 22_000);
  });

  test('of a preconfirmed VTXO, over two hops', async () => {
    const [alice, bob, carol] = [await ark.wallet(), await ark.wallet(), await ark.wallet()];
    await ark.board(alice, 30_000);
    await ark.mine(1);
    await alice.sendBitcoin({ address: await bob.getAddress(), amount: 20_000 });
    await expectBalance(bob, { preconfirmed: 20_000 });
    await bob.sendBitcoin({ address: await carol.getAddress(), amount: 15_000 });
    await expectBalance(carol, { preconfirmed: 15_000 });
    const [vtxo] = await carol.getVtxos();
    const { chain } = await carol.indexerProvider.getVtxoChain(vtxo!);
    assert.equal(chain.length, 6, 'commitment, batch leaf, then a checkpoint and an Ark transaction for each hop');
    await exitAlone(carol, 15_000);
    for (const { txid } of chain) assert.ok((await carol.onchainProvider.getTxStatus(txid)).confirmed);
    await expectHistory(carol, ['RECEIVED 15000 offchain']);

    // The senders' change went on chain with it: still theirs, but no longer to be spent off-chain.
    await expectBalance(alice, { preconfirmed: 10_000 });
    await expectHistory(alice, ['RECEIVED 30000 boarding', 'SENT 20000 offchain']);
    const [change] = await alice.getVtxos();
    assert.ok(change!.isUnrolled);
    const payment = { address: await carol.getAddress(), amount: 1_000 };
    await assert.rejects(alice.sendBitcoin(payment), { name: 'VTXO_ALREADY_UNROLLED' });
    await claim(alice, change!.txid);
    await claim(bob, (await bob.getVtxos())[0]!.txid);
  });
});

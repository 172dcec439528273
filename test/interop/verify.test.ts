/** Our client beside the SDK's wallets: it verifies what they hold and pay, and leaves with it when the server is gone. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Wallet } from '@arkade-os/sdk';
import { type Account, createAccount } from '../../src/ark/client/account.ts';
import { type ArkClient, connect, createAggregators } from '../../src/ark/client/client.ts';
import { createEsploraSource } from '../../src/ark/client/esplora.ts';
import { createExitStore, type ExitStore } from '../../src/ark/client/exit-store.ts';
import { createFeeWallet } from '../../src/ark/client/fee-wallet.ts';
import { createKeeper, type Keeper } from '../../src/ark/client/keeper.ts';
import { createTransport, type Fetch } from '../../src/ark/client/transport.ts';
import { type VtxoReport, verifyVtxo } from '../../src/ark/client/verify.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import { parseArkAddress } from '../../src/ark/protocol/address.ts';
import { parseTxid } from '../../src/base/bytes.ts';
import { createMemoryRecords } from '../../src/base/records.ts';
import { addressOf } from '../../src/bitcoin/address.ts';
import { p2tr } from '../../src/bitcoin/script.ts';
import { systemEntropy } from '../../src/runtime/entropy.ts';
import { loadSecp } from '../../src/runtime/secp-wasm.ts';
import { eventually, expectBalance, useArk } from '../support/sdk.ts';

const ark = useArk();

interface Ours {
  readonly client: ArkClient;
  readonly account: Account;
  readonly store: ExitStore;
  readonly keeper: Keeper;
}

const chainOf = () => createEsploraSource(fetch, ark.ready.chain.esplora, 'regtest');

/** An account of ours with a keeper; `reach` is how it gets to the server. */
async function ours(reach: Fetch = fetch): Promise<Ours> {
  const secp = await loadSecp();
  const random = systemEntropy.bytes;
  const transport = createTransport(reach, ark.ready.ark.url);
  const client = await connect({ transport, secp, random, aggregators: createAggregators(secp) });
  const account = createAccount(secp, client.terms, random(32));
  const store = createExitStore(createMemoryRecords());
  return { client, account, store, keeper: createKeeper({ client, account, chain: chainOf(), store }) };
}

const onlyVtxo = async (wallet: Wallet) => {
  const [vtxo, ...others] = await wallet.getVtxos();
  assert.deepEqual(others, []);
  return { txid: parseTxid(vtxo!.txid), vout: vtxo!.vout };
};
const told = ({ standing, findings, serverTrustedHops, output }: VtxoReport) => ({
  standing,
  codes: findings.map(({ code }) => code),
  hops: serverTrustedHops,
  value: output?.value,
});

describe('our client beside wallets of the SDK', () => {
  test('verifies what they have settled and what they have paid each other, many hops deep', async () => {
    const { client } = await ours();
    const verify = async (wallet: Wallet) => told(await verifyVtxo(client, chainOf(), await onlyVtxo(wallet)));
    let [from, to] = [await ark.wallet(), await ark.wallet()];
    await ark.board(from, 60_000);
    await ark.mine(1);
    assert.deepEqual(await verify(from), { standing: 'settled', codes: [], hops: 0, value: 60_000n });
    for (let hop = 1; hop <= 5; hop++) {
      await from.sendBitcoin({ address: await to.getAddress(), amount: 60_000 });
      await expectBalance(to, { preconfirmed: 60_000 });
      assert.deepEqual(await verify(to), { standing: 'preconfirmed', codes: [], hops: hop, value: 60_000n });
      [from, to] = [to, from];
    }
    await from.settle();
    assert.equal((await verify(from)).standing, 'unconfirmed');
    await ark.mine(1);
    assert.deepEqual(await verify(from), { standing: 'settled', codes: [], hops: 0, value: 60_000n });
  });

  test('takes their payments, pays them back, and leaves with the rest when the server answers no more', async () => {
    let isGone = false;
    const me = await ours((url, init) => (isGone ? Promise.reject(new TypeError('gone')) : fetch(url, init)));
    const { client, account, keeper, store } = me;
    const [alice, bob] = [await ark.wallet(), await ark.wallet()];
    await ark.board(alice, 80_000);
    await ark.mine(1);
    await alice.sendBitcoin({ address: account.address, amount: 50_000 });
    const { taken, refused } = await eventually(async () => {
      const sync = await keeper.sync();
      assert.equal(sync.taken.length, 1);
      return sync;
    });
    assert.deepEqual(
      [taken.map(told), refused],
      [[{ standing: 'preconfirmed', codes: [], hops: 1, value: 50_000n }], []],
    );

    const toBob = { value: 20_000n, script: p2tr(parseArkAddress(await bob.getAddress()).outputKey) };
    const change = { value: 30_000n, script: account.vtxo.script };
    const { vtxos } = await keeper.send(await spendableCoins(client, account), [toBob, change]);
    await expectBalance(bob, { preconfirmed: 20_000 });
    const received = await verifyVtxo(client, chainOf(), await onlyVtxo(bob));
    assert.deepEqual(told(received), { standing: 'preconfirmed', codes: [], hops: 2, value: 20_000n });

    const fees = createFeeWallet(client.secp, chainOf(), account.secret, client.random);
    await ark.faucet(addressOf('regtest', fees.script)!, 50_000);
    isGone = true;
    const { outpoint } = vtxos[1]!;
    assert.deepEqual(
      (await store.list()).map((vtxo) => vtxo.outpoint),
      [outpoint],
    );
    const quote = await keeper.quote(outpoint, fees);
    assert.deepEqual([quote.transactions, quote.shortfall, quote.isWorthIt], [5, 0n, true]);
    const to = p2tr(account.publicKey);
    for (let block = 0; ; block++) {
      const { at } = await keeper.exit(outpoint, { fees, to });
      if (at === 'claimed') break;
      assert.ok(block < 60 && at !== 'lost', at);
      await ark.mine(1);
    }
    const [claimed] = await chainOf().unspent(to);
    assert.ok(claimed!.output.value > 29_000n);
    // What Bob was paid went on chain with it, still his.
    await eventually(async () => {
      const [unrolled] = await bob.getVtxos({ withUnrolled: true });
      assert.ok(unrolled!.isUnrolled);
    });
  });
});

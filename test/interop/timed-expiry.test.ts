/** Batches that expire at a time instead of a height: the SDK and the server agree on who signs forfeits, and when. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Wallet } from '@arkade-os/sdk';
import { eventually, expectBalance, useArk } from '../support/sdk.ts';

const LIFE = 10_240;

const ark = useArk([
  ...['--batch-expiry', `${LIFE}`, '--unilateral-exit-delay', '1024'],
  ...['--boarding-exit-delay', '2048', '--checkpoint-exit-delay', '512'],
]);

/** The chain's clock goes ahead by so many seconds, and its median time follows. */
async function passTime(seconds: number): Promise<void> {
  const { url, user, password } = ark.ready.chain.rpc;
  const time = Math.floor(Date.now() / 1000) + seconds;
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
    body: JSON.stringify({ id: 1, method: 'setmocktime', params: [time] }),
  });
  assert.equal(response.status, 200);
  await ark.mine(12);
}

const everything = async (wallet: Wallet): Promise<string> => {
  const inputs = await wallet.getVtxos({ withRecoverable: true });
  const amount = inputs.reduce((sum, { value }) => sum + value, 0);
  return wallet.settle({ inputs, outputs: [{ address: await wallet.getAddress(), amount: BigInt(amount) }] });
};

const forfeitsOf = async (commitmentTxid: string): Promise<number> => {
  const response = await fetch(`${ark.ready.ark.url}/v1/indexer/commitmentTx/${commitmentTxid}/forfeitTxs`);
  const { txids } = (await response.json()) as { txids: string[] };
  return txids.length;
};

describe('where batches expire at a time', () => {
  let alice: Wallet;
  before(async () => {
    alice = await ark.wallet();
    await ark.board(alice, 50_000);
    await ark.mine(1);
  });

  test('the SDK reads that time as a date', async () => {
    const [vtxo] = await alice.getVtxos();
    assert.equal(vtxo!.expiresAtHeight, undefined);
    const left = vtxo!.expiresAt!.getTime() / 1000 - Date.now() / 1000;
    assert.ok(left > LIFE - 300 && left <= LIFE + 1, `${left} seconds left`);
  });

  test('a renewal signs a forfeit', async () => {
    assert.equal(await forfeitsOf(await everything(alice)), 1);
    await ark.mine(1);
    await expectBalance(alice, { settled: 50_000 });
  });

  test('a payment keeps the time of what it was made from', async () => {
    const bob = await ark.wallet();
    const [before] = await alice.getVtxos();
    await alice.sendBitcoin({ address: await bob.getAddress(), amount: 20_000 });
    await expectBalance(bob, { preconfirmed: 20_000 });
    const [received] = await bob.getVtxos();
    assert.equal(received!.expiresAt!.getTime(), before!.expiresAt!.getTime());
    await bob.sendBitcoin({ address: await alice.getAddress(), amount: 20_000 });
    await expectBalance(alice, { preconfirmed: 50_000 });
  });

  test('once the median time has come it is swept, and settled again without a forfeit', async () => {
    await passTime(LIFE + 600);
    await eventually(async () => {
      const vtxos = await alice.getVtxos({ withRecoverable: true });
      assert.ok(vtxos.length > 0 && vtxos.every((vtxo) => vtxo.isSwept));
    });
    await expectBalance(alice, { recoverable: 50_000 });
    assert.equal(await forfeitsOf(await everything(alice)), 0);
    await ark.mine(1);
    await expectBalance(alice, { settled: 50_000 });
  });
});

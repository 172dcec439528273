/** Coins that are not quite VTXOs yet: notes, and amounts below dust that only a batch can bring back. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ArkNote, type ExtendedCoin, type Wallet } from '@arkade-os/sdk';
import { expectBalance, expectHistory, useArk } from '../support/sdk.ts';

describe('small coins', () => {
  const ark = useArk();
  let alice: Wallet;
  let bob: Wallet;
  before(async () => {
    [alice, bob] = await Promise.all([ark.wallet(), ark.wallet()]);
  });

  describe('a note', () => {
    const redeem = async (wallet: Wallet, ...notes: readonly ArkNote[]): Promise<string> =>
      wallet.settle({
        inputs: notes as readonly ExtendedCoin[] as ExtendedCoin[],
        outputs: [
          { address: await wallet.getAddress(), amount: BigInt(notes.reduce((sum, { value }) => sum + value, 0)) },
        ],
      });
    let note: ArkNote;

    test('is redeemed, several at once', async () => {
      const notes = [await ark.note(3_000), await ark.note(4_000)];
      const [first, second] = notes.map((text) => ArkNote.fromString(text));
      assert.equal(first!.value, 3_000);
      await redeem(alice, first!, second!);
      await expectBalance(alice, { settled: 7_000 });
      await expectHistory(alice, ['RECEIVED 7000 batch']);
      note = first!;
    });

    test('is worth nothing the second time', async () => {
      await assert.rejects(redeem(bob, note), { name: 'VTXO_ALREADY_SPENT' });
      await expectBalance(bob, {});
    });

    test('is worth nothing when the server never made it', async () => {
      await assert.rejects(redeem(bob, new ArkNote(new Uint8Array(32).fill(9), 3_000)), { name: 'VTXO_NOT_FOUND' });
    });
  });

  describe('an amount below dust', () => {
    test('is received but cannot be spent', async () => {
      await alice.sendBitcoin({ address: await bob.getAddress(), amount: 200 });
      await expectBalance(alice, { preconfirmed: 6_800 });
      await expectBalance(bob, { recoverable: 200 });
      await assert.rejects(bob.sendBitcoin({ address: await alice.getAddress(), amount: 200 }));
    });

    test('is kept as change', async () => {
      await ark.board(bob, 1_000);
      await bob.sendBitcoin({ address: await alice.getAddress(), amount: 900 });
      await expectBalance(bob, { recoverable: 300 });
      await expectBalance(alice, { preconfirmed: 7_700 });
    });

    test('comes back in a batch, together with enough others', async () => {
      await alice.sendBitcoin({ address: await bob.getAddress(), amount: 500 });
      await expectBalance(bob, { recoverable: 300, preconfirmed: 500 });
      await bob.settle();
      await expectBalance(bob, { settled: 800 });
      await alice.settle();
      await expectBalance(alice, { settled: 7_200 });
    });
  });
});

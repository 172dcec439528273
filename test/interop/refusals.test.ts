/** What the server refuses, as an Arkade wallet reads it: by name and code, with what it needs to go on. */
import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { ArkAddress, ArkError, type Identity, type Wallet } from '@arkade-os/sdk';
import { toHex } from '../../src/base/bytes.ts';
import { expectBalance, useArk } from '../support/sdk.ts';

const ark = useArk();
let alice: Wallet;
beforeEach(async () => {
  alice = await ark.wallet();
});

const cosignerOf = async (identity: Identity): Promise<string> => toHex(await identity.compressedPublicKey());

/** An intent of a wallet's whole balance that pays it back `amount`. */
async function intentOf(wallet: Wallet, amount: bigint) {
  const { pkScript: script } = ArkAddress.decode(await wallet.getAddress());
  const coins = await wallet.getVtxos();
  return wallet.makeRegisterIntentSignature(coins, [{ script, amount }], [], [await cosignerOf(wallet.identity)]);
}

describe('a refusal', () => {
  test('of what is no transaction', async () => {
    await assert.rejects(alice.arkProvider.submitTx('invalid', ['invalid']), (error) => {
      assert.ok(error instanceof ArkError);
      assert.deepEqual([error.code, error.name, error.metadata], [1, 'INVALID_ARK_PSBT', { tx: 'invalid' }]);
      return true;
    });
  });

  test('of an amount that no batch output may have', async () => {
    await ark.board(alice, 5_000);
    const intent = await intentOf(alice, 329n);
    await assert.rejects(alice.arkProvider.registerIntent(intent), { code: 15, name: 'AMOUNT_TOO_LOW' });
    await expectBalance(alice, { settled: 5_000 });
  });

  test('of a payment out of a coin that waits for a batch', async () => {
    await ark.board(alice, 5_000);
    await alice.arkProvider.registerIntent(await intentOf(alice, 5_000n));
    const payment = { address: await alice.getAddress(), amount: 1_000 };
    await assert.rejects(alice.sendBitcoin(payment), { code: 4, name: 'VTXO_ALREADY_REGISTERED' });
    await alice.arkProvider.deleteIntent(await alice.makeDeleteIntentSignature(await alice.getVtxos()));
    await alice.sendBitcoin(payment);
    await expectBalance(alice, { preconfirmed: 5_000 });
  });

  test('of an input registered twice, after which a settlement deletes the first intent and goes on', async () => {
    await ark.board(alice, 5_000);
    const intent = await intentOf(alice, 5_000n);
    await alice.arkProvider.registerIntent(intent);
    await assert.rejects(alice.arkProvider.registerIntent(intent), (error: ArkError) => {
      assert.equal(error.code, 0);
      assert.match(error.message, /duplicated input/);
      assert.match(error.message, /already registered by another intent/);
      return true;
    });
    await alice.settle();
    await expectBalance(alice, { settled: 5_000 });
  });
});

describe('intent fees', () => {
  const setFees = (fees: object) => ark.admin('intentFees', { fees });
  after(() => ark.admin('intentFees/clear', {}));

  test('a change is told by the digest, once', async () => {
    await ark.board(alice, 10_000);
    await setFees({ offchainInputFee: 'amount * 0.01', offchainOutputFee: '25.0' });
    const outputs = [{ address: await alice.getAddress(), amount: 10_000n }];
    await assert.rejects(alice.settle({ inputs: await alice.getVtxos(), outputs }), { name: 'DigestMismatchError' });
    await alice.settle();
    await expectBalance(alice, { settled: 10_000 - 125 });
  });

  test('too little is refused with the fee that is due', async () => {
    await assert.rejects(ark.board(alice, 10_000), (error: ArkError) => {
      assert.deepEqual([error.code, error.name], [31, 'INTENT_INSUFFICIENT_FEE']);
      assert.deepEqual(error.metadata, { min_fee: '25', actual_fee: '0' });
      return true;
    });
    await expectBalance(alice, { boarding: 10_000 });
    await alice.settle();
    await expectBalance(alice, { settled: 9_975 });
  });

  test('leaving costs what leaving costs', async () => {
    await ark.board(alice, 10_000).catch(() => alice.settle());
    await setFees({ offchainInputFee: '0.0', offchainOutputFee: '0.0', onchainOutputFee: '300.0' });
    const cold = await ark.onchainWallet(alice);
    await alice.arkProvider.getInfo();
    const outputs = [{ address: cold.address, amount: 9_975n - 300n }];
    await alice.settle({ inputs: await alice.getVtxos(), outputs });
    assert.equal(await cold.getBalance(), 9_675);
    await expectBalance(alice, {});
  });
});

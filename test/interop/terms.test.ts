/** Terms that change under the wallets of the published SDK: fees they pay to the satoshi, digests they notice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DigestMismatchError, Ramps } from '@arkade-os/sdk';
import { expectBalance, useArk } from '../support/sdk.ts';

// Clients that say neither what they are nor what they know are refused; the SDK says both.
const ark = useArk(['--min-build-version', '0.9.9', '--build-version-required', '--digest-required']);

const setFees = (fees: object): Promise<object> => ark.admin('intentFees', { fees });

test('a wallet that settles by itself pays what the programs ask, and the server has it', async () => {
  await setFees({
    onchainInputFee: 'amount * 0.0013',
    offchainInputFee:
      "inputType == 'recoverable' ? 0.0 : 12.34 + amount / 7000.0 + (expiry > 0.0 && birth > 0.0 ? 1.0 : 900.0)",
    offchainOutputFee: '3.3',
    onchainOutputFee: '200.5',
  });
  const wallet = await ark.wallet();
  await ark.faucet(await wallet.getBoardingAddress(), 100_000);
  await wallet.settle();
  // The SDK rounds up each input and each output by itself, so it never pays less than the sum rounded up.
  const boarded = 100_000 - 130 - 4;
  await expectBalance(wallet, { settled: boarded });
  await wallet.settle();
  const renewed = boarded - Math.ceil(12.34 + boarded / 7000 + 1) - 4;
  await expectBalance(wallet, { settled: renewed });

  // The SDK does not price the change of an exit, so there must be no fee on it.
  await setFees({ offchainOutputFee: '0.0' });
  const onchain = await ark.onchainWallet();
  const { fees } = await wallet.arkProvider.getInfo();
  await new Ramps(wallet).offboard(onchain.address, fees, 40_000n);
  const exits = await wallet.onchainProvider.getCoins(onchain.address);
  assert.deepEqual(
    exits.map(({ value }) => value),
    [40_000 - 201],
  );
});

test('an intent that leaves a satoshi too little is refused, and one that leaves enough is not', async () => {
  await setFees({ onchainInputFee: '500.0', offchainOutputFee: '0.0', offchainInputFee: '0.0' });
  const wallet = await ark.wallet();
  await ark.faucet(await wallet.getBoardingAddress(), 50_000);
  const settle = async (amount: bigint): Promise<string> =>
    wallet.settle({
      inputs: await wallet.getBoardingUtxos(),
      outputs: [{ address: await wallet.getAddress(), amount }],
    });
  await assert.rejects(settle(49_501n), { name: 'INTENT_INSUFFICIENT_FEE' });
  await settle(49_500n);
  await expectBalance(wallet, { settled: 49_500 });
});

test('changed terms are noticed by the next call, after which the wallet goes on', async () => {
  await ark.admin('intentFees/clear', {});
  const wallet = await ark.wallet();
  await ark.faucet(await wallet.getBoardingAddress(), 50_000);
  const { digest } = await wallet.arkProvider.getInfo();
  const params = {
    inputs: await wallet.getBoardingUtxos(),
    outputs: [{ address: await wallet.getAddress(), amount: 50_000n }],
  };
  await ark.admin('settings', { settings: { maxOpReturnOutputs: 2 } });
  await assert.rejects(wallet.settle(params), DigestMismatchError);
  assert.notEqual((await wallet.arkProvider.getInfo()).digest, digest);
  await wallet.settle(params);
  await expectBalance(wallet, { settled: 50_000 });
});

test('a scheduled session is told in the form that the SDK reads', async () => {
  const start = Math.floor(Date.now() / 1000) + 3_600;
  const time = (seconds: number): string => new Date(seconds * 1000).toISOString();
  const fees = { intentFee: { onchainOutput: '7.0' } };
  const config = { startTime: time(start), endTime: time(start + 600), period: 1_440, duration: 30, fees };
  await ark.admin('scheduledSession', { config });
  const wallet = await ark.wallet();
  const { scheduledSession, fees: usual } = await wallet.arkProvider.getInfo();
  assert.deepEqual(scheduledSession, {
    nextStartTime: BigInt(start),
    nextEndTime: BigInt(start + 600),
    period: 1_440n,
    duration: 30n,
    fees: {
      intentFee: { offchainInput: '', offchainOutput: '', onchainInput: '', onchainOutput: '7.0' },
      txFeeRate: '0',
    },
  });
  assert.equal(usual.txFeeRate, '0');
  await ark.admin('scheduledSession/clear', {});
});

/** The operator goes over to another signer key while wallets of the SDK are open: they notice, and move what they have. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DigestMismatchError } from '@arkade-os/sdk';
import { toHex } from '../../src/base/bytes.ts';
import { eventually, expectBalance, useArk } from '../support/sdk.ts';

describe('a rotation of the signer key', () => {
  const ark = useArk();
  const rotate = async (): Promise<string> =>
    (await ark.admin<{ pubkey: string }>('signer/rotate', { cutoffDate: 0 })).pubkey.slice(2);

  test('is noticed by an open wallet, which moves its VTXOs and pays on', async () => {
    const [alice, bob] = [await ark.wallet(), await ark.wallet()];
    await ark.board(alice, 50_000);
    const key = await rotate();
    const vtxos = await alice.getVtxos();
    const outdated = alice.settle({ inputs: vtxos, outputs: [{ address: await alice.getAddress(), amount: 50_000n }] });
    await assert.rejects(outdated, DigestMismatchError);
    await eventually(() => assert.equal(toHex(alice.arkServerPublicKey), key));

    const report = await (await alice.getVtxoManager()).migrateDeprecatedSignerVtxos();
    assert.equal(report.vtxos?.error, undefined);
    assert.equal(report.vtxos?.migrated.length, 1);
    await expectBalance(alice, { preconfirmed: 50_000 });
    await (await bob.getVtxoManager()).migrateDeprecatedSignerVtxos();
    await alice.sendBitcoin({ address: await bob.getAddress(), amount: 20_000 });
    await expectBalance(bob, { preconfirmed: 20_000 });
    await alice.settle();
    await expectBalance(alice, { settled: 30_000 });
  });

  test('leaves a coin on its way into the Ark boardable', async () => {
    const alice = await ark.wallet();
    await ark.faucet(await alice.getBoardingAddress(), 40_000);
    assert.equal((await alice.getBoardingUtxos()).length, 1);
    await rotate();
    const report = await (await alice.getVtxoManager()).migrateDeprecatedSignerVtxos();
    assert.equal(report.boarding?.error, undefined);
    assert.equal(report.boarding?.migrated.length, 1);
    await expectBalance(alice, { settled: 40_000 });
  });
});

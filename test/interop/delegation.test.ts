/** The SDK's wallets with a delegate: what they have is renewed while nobody opens them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type IDelegateManager, RestDelegateProvider, type Wallet } from '@arkade-os/sdk';
import { eventually, expectBalance, useArk } from '../support/sdk.ts';

describe('a wallet with a delegate', () => {
  const data = mkdtempSync(join(tmpdir(), 'canalworks-delegation-'));
  after(() => rmSync(data, { recursive: true, force: true }));
  const ark = useArk([
    ...['--data', data, '--batch-expiry', '2048', '--unilateral-exit-delay', '512'],
    ...['--boarding-exit-delay', '1024', '--checkpoint-exit-delay', '512'],
  ]);
  const provider = (): RestDelegateProvider => new RestDelegateProvider(ark.ready.ark.delegatorUrl);
  /** The SDK takes what `getVtxos` gives, though its types say otherwise. */
  const delegate = async (wallet: Wallet, at: Date) => {
    const manager = await wallet.getDelegateManager();
    const vtxos = (await wallet.getVtxos()) as unknown as Parameters<IDelegateManager['delegate']>[0];
    return manager!.delegate(vtxos, await wallet.getAddress(), at);
  };
  const outpointOf = async (wallet: Wallet): Promise<string> => {
    const [vtxo, ...others] = await wallet.getVtxos();
    assert.equal(others.length, 0);
    return `${vtxo!.txid}:${vtxo!.vout}`;
  };

  test('learns who renews for it, at what price', async () => {
    const info = await provider().getDelegateInfo();
    assert.match(info.pubkey, /^0[23][0-9a-f]{64}$/);
    assert.equal(info.fee, '0');
    assert.match(info.delegateAddress, /^tark1/);
  });

  test('sleeps, and finds its VTXO renewed before it would have expired', async () => {
    const alice = await ark.delegatedWallet(provider());
    await ark.board(alice, 60_000);
    const before = await outpointOf(alice);
    const [vtxo] = await alice.getVtxos();
    const at = new Date(Date.now() + 2_000);
    const { delegated, failed } = await delegate(alice, at);
    assert.deepEqual([delegated.length, failed], [1, []]);
    assert.ok(vtxo!.expiresAt && vtxo!.expiresAt.getTime() > at.getTime());
    await eventually(async () => assert.notEqual(await outpointOf(alice), before), 20_000);
    await expectBalance(alice, { settled: 60_000 });
  });

  test('survives the death of the delegator between the promise and the deed', async () => {
    const alice = await ark.delegatedWallet(provider());
    await ark.board(alice, 40_000);
    const before = await outpointOf(alice);
    assert.deepEqual((await delegate(alice, new Date(Date.now() + 1_500))).failed, []);
    await ark.crash();
    await eventually(async () => assert.notEqual(await outpointOf(alice), before), 30_000);
    await expectBalance(alice, { settled: 40_000 });
  });

  test('may replace what it has delegated, or have that refused', async () => {
    const alice = await ark.delegatedWallet(provider());
    await ark.board(alice, 30_000);
    const calls: [Parameters<RestDelegateProvider['delegate']>[0], string[]][] = [];
    const original = RestDelegateProvider.prototype.delegate;
    RestDelegateProvider.prototype.delegate = async function (intent, forfeits, options) {
      calls.push([intent, forfeits]);
      return original.call(this, intent, forfeits, options);
    };
    try {
      const later = new Date(Date.now() + 300_000);
      assert.deepEqual((await delegate(alice, later)).failed, []);
      assert.deepEqual((await delegate(alice, later)).failed, []);
    } finally {
      RestDelegateProvider.prototype.delegate = original;
    }
    const [intent, forfeits] = calls.at(-1)!;
    await assert.rejects(provider().delegate(intent, forfeits, { rejectReplace: true }), /DELEGATION_EXISTS/);
    await assert.rejects(provider().delegate(intent, []), /INVALID_FORFEIT_TXS/);
  });
});

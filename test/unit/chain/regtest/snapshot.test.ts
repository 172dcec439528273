import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sats } from '../../../../src/base/units.ts';
import { openBlockFile } from '../../../../src/chain/regtest/block-file.ts';
import { createRegtestChain, type RegtestChain } from '../../../../src/chain/regtest/chain.ts';
import { secp } from '../../../support/regtest.ts';

const SCRIPT = Uint8Array.of(0x51, 0x20, ...new Uint8Array(31), 1);
const NOW = 1_750_000_000;
const now = () => NOW;

const state = async (chain: RegtestChain) => ({
  tip: await chain.tip(),
  waiting: (await chain.explorer.mempool()).map(({ txid }) => txid),
  coins: (await chain.unspent(SCRIPT)).map(({ outpoint }) => outpoint.txid),
});

test('a snapshot brings back blocks, mempool and clock, from ahead and from another branch', async () => {
  const chain = createRegtestChain({ secp, now });
  await chain.faucet(SCRIPT, sats(10_000));
  await chain.mine(2);
  await chain.faucet(SCRIPT, sats(20_000));
  const [snapshot, before] = [await chain.snapshot(), await state(chain)];
  assert.equal(before.coins.length, 2);

  await chain.shiftClock(3_600);
  await chain.faucet(SCRIPT, sats(30_000));
  await chain.mine(3);
  await chain.restore(snapshot);
  assert.deepEqual(await state(chain), before);

  await chain.invalidateTip(2);
  await chain.mine(4, SCRIPT);
  await chain.restore(snapshot);
  assert.deepEqual(await state(chain), before);
  await chain.mine(1);
  assert.deepEqual((await state(chain)).waiting, []);
});

test('listeners hear of a return in order: blocks off, blocks on, what waits', async () => {
  const chain = createRegtestChain({ secp, now });
  await chain.mine(1);
  await chain.faucet(SCRIPT, sats(10_000));
  const snapshot = await chain.snapshot();
  await chain.mine(2);
  const heard: string[] = [];
  chain.subscribe(({ type }) => heard.push(type));
  await chain.restore(snapshot);
  assert.deepEqual(heard, ['disconnect', 'disconnect', 'mempool']);
});

test('a restart continues from what was restored', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'canalworks-snapshot-'));
  try {
    const open = () => createRegtestChain({ secp, now, store: openBlockFile(join(folder, 'chain')) });
    const chain = open();
    await chain.faucet(SCRIPT, sats(10_000));
    const snapshot = await chain.snapshot();
    await chain.mine(3);
    await chain.restore(snapshot);
    const before = await state(chain);
    await chain.close();
    const again = open();
    assert.deepEqual(await state(again), before);
    await again.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTxid } from '../../../../src/base/bytes.ts';
import { sats, unixSeconds } from '../../../../src/base/units.ts';
import { blockHash as blockHashOf, serializeBlock } from '../../../../src/bitcoin/block.ts';
import { txidOf } from '../../../../src/bitcoin/tx.ts';
import type { ChainEvent } from '../../../../src/chain/chain.ts';
import { subsidyAt } from '../../../../src/chain/regtest/params.ts';
import { assemble, badBlocks } from '../../../support/bad-blocks.ts';
import { coinOf, pay, reasonOf, spend, testChain } from '../../../support/regtest.ts';

const GENESIS = '0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206';

test('a new chain stands on the regtest genesis and has mature coins', async () => {
  const { chain } = testChain();
  assert.equal(await chain.explorer.blockHash(0), GENESIS);
  assert.equal((await chain.tip()).height, 110);
  assert.ok((await chain.tip()).medianTime <= 1_750_000_000);
  await chain.faucet(chain.faucetScript, sats(1_000_000_000n));
});

test('every consensus rule refuses its block with the right reason and leaves the chain alone', async () => {
  const world = testChain();
  const blocks = await badBlocks(world);
  const tip = await world.chain.tip();
  for (const { reason, block } of blocks) {
    assert.equal(await reasonOf(world.chain.submitBlock(serializeBlock(block))), reason);
  }
  assert.deepEqual(await world.chain.tip(), tip);
  await assert.rejects(world.chain.submitBlock(new Uint8Array(79)), { code: 'BLOCK_DECODE_FAILED' });
});

test('a block from outside is verified, connected once, and spends within itself', async () => {
  const world = testChain();
  const { chain, locks } = world;
  const [coin] = await world.fund([locks.csv(1)]);
  const first = spend([coin!], [pay(locks.p2wpkh, 99_000n)], { sequences: [1] });
  const second = spend([coinOf(first, 0, locks.p2wpkh)], [pay(locks.p2tr, 98_000n)]);
  const raw = serializeBlock(await assemble(world, () => ({ txs: [first, second] })));
  assert.equal(await chain.submitBlock(raw), 'connected');
  assert.equal(await reasonOf(chain.submitBlock(raw)), 'duplicate');
  const spent = await chain.output({ txid: txidOf(first), vout: 0 });
  assert.equal(spent?.spentBy?.txid, txidOf(second));
  assert.equal(spent?.spentBy?.confirmation?.height, (await chain.tip()).height);
});

test('the subsidy halves every 150 blocks', async () => {
  assert.deepEqual([149, 150, 299, 300, 150 * 33, 150 * 64].map(subsidyAt), [
    5_000_000_000n,
    2_500_000_000n,
    2_500_000_000n,
    1_250_000_000n,
    0n,
    0n,
  ]);
  const { chain } = testChain();
  await chain.mine(60);
  const hash = (await chain.explorer.blockHash(160))!;
  const { tx } = (await chain.transaction((await chain.explorer.block(hash))!.txids[0]!))!;
  assert.equal(tx.outputs[0]!.value, 2_500_000_000n);
});

test('blocks are stamped by the clock, above the median time past', async () => {
  const world = testChain();
  const { chain } = world;
  await chain.mine(30);
  const { medianTime } = await chain.tip();
  assert.ok(medianTime > world.time);
  world.time += 10_000;
  await chain.mine(6);
  assert.equal((await chain.tip()).medianTime, world.time);
  await chain.advanceMedianTime(unixSeconds(world.time + 100_000));
  assert.ok((await chain.tip()).medianTime >= world.time + 100_000);
});

test('a reorganization returns transactions to the mempool and undoes the rest', async () => {
  const world = testChain();
  const { chain, locks } = world;
  const events: ChainEvent[] = [];
  const [coin] = await world.fund([locks.p2tr]);
  const before = await chain.tip();
  const tx = spend([coin!], [pay(locks.p2wpkh, 99_000n)]);
  const child = spend([coinOf(tx, 0, locks.p2wpkh)], [pay(locks.p2tr, 98_000n)]);
  await chain.broadcast(tx);
  await chain.mine(1);
  await chain.broadcast(child);
  await chain.mine(1);
  const stop = chain.subscribe((event) => events.push(event));
  await chain.invalidateTip(2);
  stop();
  assert.deepEqual(await chain.tip(), before);
  assert.deepEqual(
    events.map((event) => event.type === 'disconnect' && event.tip.height),
    [before.height + 1, before.height],
  );
  assert.deepEqual(
    (await chain.explorer.mempool()).map(({ txid }) => txid),
    [txidOf(tx), txidOf(child)],
  );
  assert.deepEqual(
    (await chain.unspent(locks.p2tr.script)).map(({ outpoint }) => outpoint.txid),
    [txidOf(child)],
  );
  assert.equal((await chain.output(coin!.outpoint))?.spentBy?.confirmation, undefined);
  const [hash] = await chain.mine(1);
  assert.ok(!events.some((event) => event.type !== 'mempool' && event.tip.hash === hash));
  assert.equal((await chain.transaction(txidOf(child)))?.confirmation?.height, before.height + 1);
});

test('what a reorganization makes impossible leaves the mempool with all that hangs on it', async () => {
  const world = testChain();
  const { chain, locks } = world;
  const tip = await chain.tip();
  const [coin] = await world.fund([locks.p2tr]);
  const locked = spend([coin!], [pay(locks.p2tr, 99_000n)], { locktime: tip.height + 1, sequences: [0] });
  const child = spend([coinOf(locked, 0, locks.p2tr)], [pay(locks.p2tr, 98_000n)]);
  await chain.broadcast(locked);
  await chain.broadcast(child);
  await chain.invalidateTip(1);
  assert.equal(await chain.transaction(txidOf(locked)), undefined);
  assert.equal(await chain.transaction(txidOf(child)), undefined);
  assert.ok(await chain.transaction(coin!.outpoint.txid));
});

test('the longer branch wins; a branch that turns out invalid changes nothing', async () => {
  const world = testChain();
  const other = testChain();
  await world.chain.mine(2);
  const rawAt = async (height: number) =>
    (await other.chain.explorer.rawBlock((await other.chain.explorer.blockHash(height))!))!;
  await other.chain.mine(1, world.locks.p2tr.script);
  const bad = await assemble(other, ({ coinbase }) => ({
    coinbase: { ...coinbase, outputs: [{ ...coinbase.outputs[0]!, value: 5_000_000_001n }] },
  }));
  assert.equal(await world.chain.submitBlock(await rawAt(111)), 'kept');
  const events: ChainEvent[] = [];
  world.chain.subscribe((event) => events.push(event));
  assert.equal(await world.chain.submitBlock(serializeBlock(bad)), 'kept');
  const tip = await world.chain.tip();
  const worse = await assemble({ ...other, chain: other.chain }, () => ({
    header: { previous: blockHashOf(bad.header) },
  }));
  assert.equal(await reasonOf(world.chain.submitBlock(serializeBlock(worse))), 'bad-cb-amount');
  assert.deepEqual(await world.chain.tip(), tip);
  assert.deepEqual(events, []);
});

test('impossible controls are refused', async () => {
  const { chain } = testChain();
  await assert.rejects(chain.mine(-1), { code: 'BAD_BLOCK_COUNT' });
  await assert.rejects(chain.mine(1.5), { code: 'BAD_BLOCK_COUNT' });
  for (const bad of [Number.NaN, 0.5, 2 ** 40]) await assert.rejects(chain.shiftClock(bad), { code: 'BAD_TIME' });
  await assert.rejects(chain.advanceMedianTime(unixSeconds(2 ** 33)), { code: 'BAD_TIME' });
  await assert.rejects(chain.invalidateTip(111), { code: 'BAD_BLOCK_COUNT' });
  await assert.rejects(chain.faucet(chain.faucetScript, sats(2_100_000_000_000_000n)), { code: 'FAUCET_EMPTY' });
  assert.equal(await chain.transaction(parseTxid('00'.repeat(32))), undefined);
});

test('a listener that throws or acts disturbs nobody', async () => {
  const faults: unknown[] = [];
  const { chain } = testChain({ onListenerError: (error) => faults.push(error) });
  const seen: number[] = [];
  let acted = false;
  chain.subscribe(() => {
    throw new Error('mine');
  });
  chain.subscribe((event) => {
    if (event.type !== 'block' || acted) return;
    acted = true;
    void chain.mine(1);
  });
  chain.subscribe((event) => event.type === 'block' && seen.push(event.tip.height));
  await chain.mine(2);
  assert.deepEqual(seen, [111, 112, 113]);
  assert.equal(faults.length, 3);
});

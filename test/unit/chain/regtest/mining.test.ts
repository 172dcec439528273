import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outpointKey } from '../../../../src/base/bytes.ts';
import { sats } from '../../../../src/base/units.ts';
import { MAX_BLOCK_WEIGHT } from '../../../../src/bitcoin/block.ts';
import { OP, push, script } from '../../../../src/bitcoin/script.ts';
import { type Tx, txidOf } from '../../../../src/bitcoin/tx.ts';
import type { ChainEvent } from '../../../../src/chain/chain.ts';
import { coinOf, pay, spend, type TestCoin, testChain } from '../../../support/regtest.ts';

test('the faucet pays many between two blocks, large sums from many coins, and nobody twice', async () => {
  const { chain, locks } = testChain();
  const spent = new Set<string>();
  const amounts = [...Array.from({ length: 120 }, (_, i) => 1_000 + i), 12_000_000_000, 9_000_000_000];
  for (const amount of amounts) {
    const txid = await chain.faucet(locks.p2tr.script, sats(amount));
    const { tx } = (await chain.transaction(txid))!;
    assert.equal(tx.outputs[0]!.value, BigInt(amount));
    for (const { prevout } of tx.inputs) spent.add(outpointKey(prevout));
  }
  await chain.mine(1);
  const received = await chain.unspent(locks.p2tr.script);
  assert.deepEqual(
    received.map(({ value }) => Number(value)).sort((a, b) => a - b),
    amounts.sort((a, b) => a - b),
  );
  assert.ok(received.every(({ confirmation }) => confirmation?.height === 111));
  await assert.rejects(chain.faucet(locks.p2tr.script, sats(329)), { code: 'TX_REJECTED' });
});

test('miners earn subsidy and fees', async () => {
  const world = testChain();
  const { chain, locks } = world;
  const [coin] = (await world.fund([locks.p2tr])) as [TestCoin];
  await chain.broadcast(spend([coin], [pay(locks.p2wpkh, 93_000n)]));
  await chain.mine(1, locks.p2pkh.script);
  assert.deepEqual(
    (await chain.unspent(locks.p2pkh.script)).map(({ value, isCoinbase }) => ({ value, isCoinbase })),
    [{ value: 5_000_007_000n, isCoinbase: true }],
  );
});

test('what pays best is mined first, with the parents it needs, within the limit', async () => {
  const world = testChain();
  const { chain, locks } = world;
  const coins = await world.fund(
    Array.from({ length: 14 }, () => locks.p2tr),
    5_000_000n,
  );
  /** Some 98,000 virtual bytes. */
  const heavy = (coin: TestCoin, fee: bigint): Tx => {
    const data = Array.from({ length: 2_270 }, () => pay(locks.p2tr, 1_000n));
    return spend([coin], [...data, pay(locks.p2tr, coin.output.value - 2_270_000n - fee)]);
  };
  const txs = coins.map((coin, i) => heavy(coin, 110_000n + BigInt(i) * 10_000n));
  for (const tx of txs) await chain.broadcast(tx);
  const rescue = spend(
    [coinOf(txs[0]!, 0, locks.p2tr), coinOf(txs[0]!, 2_270, locks.p2tr)],
    [pay(locks.p2tr, 100_000n)],
  );
  await chain.broadcast(rescue);
  assert.ok((await chain.feeRate(1)) > 1);
  const [hash] = await chain.mine(1);
  const block = (await chain.explorer.block(hash!))!;
  assert.ok(block.weight <= MAX_BLOCK_WEIGHT && block.weight > MAX_BLOCK_WEIGHT * 0.9);
  const mined = new Set(block.txids);
  assert.ok(mined.has(txidOf(txs[0]!)) && mined.has(txidOf(rescue)) && mined.has(txidOf(txs[13]!)));
  const left = await chain.explorer.mempool();
  assert.deepEqual(new Set(left.map(({ txid }) => txid)), new Set(txs.slice(1, 5).map(txidOf)));
  await chain.mine(1);
  assert.equal(await chain.feeRate(1), 1);
  assert.deepEqual(await chain.explorer.mempool(), []);
});

test('outputs that can never be spent are no coins', async () => {
  const world = testChain();
  const { chain, locks } = world;
  const [coin] = (await world.fund([locks.p2tr])) as [TestCoin];
  const memo = { value: 0n, script: script(OP.RETURN, push(Uint8Array.of(1, 2))) };
  const tx = spend([coin], [memo, pay(locks.p2tr, 99_000n)]);
  await chain.broadcast(tx);
  await chain.mine(1);
  assert.deepEqual(await chain.unspent(memo.script), []);
  assert.equal((await chain.output({ txid: txidOf(tx), vout: 0 }))?.spentBy, undefined);
  assert.equal(await chain.output({ txid: txidOf(tx), vout: 2 }), undefined);
});

test('the port tells of entering, confirming and spending, each when it can be asked', async () => {
  const world = testChain();
  const { chain, locks } = world;
  const [coin] = (await world.fund([locks.p2tr])) as [TestCoin];
  const tx = spend([coin], [pay(locks.p2wpkh, 99_000n)]);
  const events: ChainEvent[] = [];
  const answers: Promise<unknown>[] = [];
  chain.subscribe((event) => {
    events.push(event);
    answers.push(chain.transaction(txidOf(tx)).then((found) => found?.confirmation?.height));
  });
  await chain.broadcast(tx);
  assert.equal((await chain.output(coin.outpoint))?.spentBy?.txid, txidOf(tx));
  assert.deepEqual(await chain.unspent(locks.p2tr.script), []);
  const [unconfirmed] = await chain.unspent(locks.p2wpkh.script);
  assert.deepEqual([unconfirmed?.value, unconfirmed?.confirmation], [99_000n, undefined]);
  await chain.mine(1);
  assert.deepEqual(
    events.map((event) => event.type),
    ['mempool', 'block'],
  );
  assert.deepEqual(await Promise.all(answers), [undefined, 112]);
  const [, block] = events;
  assert.ok(block?.type === 'block' && block.txs[1]?.txid === txidOf(tx) && block.txs[1].confirmation?.height === 112);
  assert.equal((await chain.output(coin.outpoint))?.spentBy?.confirmation?.height, 112);
});

/** What every chain adapter must do: what it knows, what it takes and what it refuses. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Bytes, Txid } from '../../src/base/bytes.ts';
import { sats } from '../../src/base/units.ts';
import { type Tx, txIn, txidOf } from '../../src/bitcoin/tx.ts';
import { scriptHashOf } from '../../src/chain/script-hash.ts';
import { CHAIN_ADAPTERS, type ChainHand, chainHand, codeOf, freshLocks } from '../support/chain-contract.ts';
import { anchorOf, coinOf, P2A, pay, sign, spend } from '../support/regtest.ts';

/** Core and Knots tell different rules apart here. */
const SCRIPT_FAILED = /^TX_REJECTED (mandatory|mempool)-script-verify-flag-failed$/;

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 10_000; !(await condition()); ) {
    assert.ok(Date.now() < deadline, 'waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const adapter of CHAIN_ADAPTERS) {
  describe(`Chain contract: ${adapter.name}`, { skip: adapter.skip }, () => {
    let hand: ChainHand;
    before(async () => {
      hand = chainHand(await adapter.create());
    });
    after(() => hand?.end());

    test('the tip is the topmost block, with its median time', async () => {
      const before = await hand.chain.tip();
      const [hash] = await hand.chain.mine(1);
      const tip = await hand.chain.tip();
      assert.deepEqual(Object.keys(tip).sort(), ['hash', 'height', 'medianTime']);
      assert.equal(tip.height, before.height + 1);
      assert.equal(tip.hash, hash);
      const heights = Array.from({ length: 11 }, (_, i) => tip.height - i);
      const times = await Promise.all(
        heights.map(async (height) => {
          const { block, blockHash } = hand.chain.explorer;
          return (await block((await blockHash(height))!))!.header.time;
        }),
      );
      assert.equal(tip.medianTime, times.sort((a, b) => a - b)[5]);
    });

    test('a payment is known at once, and confirmed by a block', async () => {
      const { p2tr } = freshLocks();
      const txid = await hand.chain.faucet(p2tr.script, sats(50_000n));
      const waiting = (await hand.chain.transaction(txid))!;
      assert.equal(txidOf(waiting.tx), txid);
      assert.equal(waiting.confirmation, undefined);
      assert.equal((await hand.chain.output({ txid, vout: 0 }))!.confirmation, undefined);

      await hand.chain.mine(1);
      const { height, hash } = await hand.chain.tip();
      const found = (await hand.chain.transaction(txid))!;
      const header = (await hand.chain.explorer.block(hash))!.header;
      assert.deepEqual(found.confirmation, { height, blockHash: hash, blockTime: header.time });
      assert.deepEqual(await hand.chain.output({ txid, vout: 0 }), {
        value: 50_000n,
        script: p2tr.script,
        isCoinbase: false,
        confirmation: found.confirmation,
      });
    });

    test('what does not exist is undefined', async () => {
      const txid = 'ab'.repeat(32) as Txid;
      assert.equal(await hand.chain.transaction(txid), undefined);
      assert.equal(await hand.chain.output({ txid, vout: 0 }), undefined);
      const { txid: known } = await (await hand.chain.explorer.history(scriptHashOf(await minerScript()), 1))[0]!;
      assert.equal(await hand.chain.output({ txid: known, vout: 999 }), undefined);
      assert.deepEqual(await hand.chain.unspent(freshLocks().p2tr.script), []);
    });

    /** The script that blocks pay to. */
    const minerScript = async (): Promise<Bytes> => {
      const { hash } = await hand.chain.tip();
      const { txids } = (await hand.chain.explorer.block(hash))!;
      return (await hand.chain.transaction(txids[0]!))!.tx.outputs[0]!.script;
    };

    test('coinbases are marked', async () => {
      await hand.chain.mine(1);
      const { hash } = await hand.chain.tip();
      const { txids } = (await hand.chain.explorer.block(hash))!;
      assert.equal((await hand.chain.output({ txid: txids[0]!, vout: 0 }))!.isCoinbase, true);
      const mined = (await hand.chain.unspent(await minerScript())).find((found) => found.outpoint.txid === txids[0]);
      assert.equal(mined?.isCoinbase, true);
    });

    test('unspent counts what the mempool spends and brings', async () => {
      const { p2tr, p2wpkh } = freshLocks();
      const first = await hand.coin(p2tr);
      const key = `${first.outpoint.txid}:${first.outpoint.vout} 100000`;
      assert.deepEqual(await hand.unspentKeys(p2tr.script), [key]);

      const tx = spend([first], [pay(p2wpkh, 60_000n), pay(p2tr, 39_000n)]);
      await hand.chain.broadcast(tx);
      assert.deepEqual(await hand.unspentKeys(p2tr.script), [`${txidOf(tx)}:1 39000`]);
      assert.deepEqual(await hand.unspentKeys(p2wpkh.script), [`${txidOf(tx)}:0 60000`]);
      const spent = await hand.chain.output(first.outpoint);
      assert.deepEqual(spent!.spentBy, { txid: txidOf(tx), vin: 0 });

      await hand.chain.mine(1);
      assert.deepEqual(await hand.unspentKeys(p2tr.script), [`${txidOf(tx)}:1 39000`]);
      const { confirmation } = (await hand.chain.transaction(txidOf(tx)))!;
      assert.deepEqual((await hand.chain.output(first.outpoint))!.spentBy, { txid: txidOf(tx), vin: 0, confirmation });
    });

    test('the fee rate is at least what is relayed', async () => {
      for (const target of [1, 6, 1008, 5000]) assert.ok((await hand.chain.feeRate(target)) >= 1);
    });

    test('broadcasts are refused with a code and the reason of bitcoind', async () => {
      const { p2tr } = freshLocks();
      const from = await hand.coin(p2tr);
      const good = spend([from], [pay(p2tr, 99_000n)]);

      const absent = { ...good, inputs: [txIn({ txid: 'cd'.repeat(32) as Txid, vout: 0 })] };
      const missing = 'TX_MISSING_INPUTS bad-txns-inputs-missingorspent';
      assert.equal(await codeOf(hand.chain.broadcast(absent)), missing);
      const forged: Tx = { ...good, inputs: [{ ...good.inputs[0]!, witness: [new Uint8Array(64).fill(1)] }] };
      assert.match(await codeOf(hand.chain.broadcast(forged)), SCRIPT_FAILED);
      const free = spend([from], [pay(p2tr, 100_000n)]);
      assert.equal(await codeOf(hand.chain.broadcast(free)), 'TX_REJECTED min relay fee not met');
      const dusty = spend([from], [pay(p2tr, 100n)]);
      assert.equal(await codeOf(hand.chain.broadcast(dusty)), 'TX_REJECTED dust');
      const greedy = spend([from], [pay(p2tr, 100_001n)]);
      assert.equal(await codeOf(hand.chain.broadcast(greedy)), 'TX_REJECTED bad-txns-in-belowout');
      assert.deepEqual(await hand.unspentKeys(p2tr.script), [`${from.outpoint.txid}:0 100000`]);

      assert.equal(await hand.chain.broadcast(good), txidOf(good));
      assert.equal(await hand.chain.broadcast(good), txidOf(good), 'twice is no fault');
      await hand.chain.mine(1);
      const known = 'TX_ALREADY_IN_CHAIN txn-already-known';
      assert.equal(await codeOf(hand.chain.broadcast(good)), known);
      await hand.chain.broadcast(spend([coinOf(good, 0, p2tr)], [pay(p2tr, 98_000n)]));
      await hand.chain.mine(1);
      assert.equal(await codeOf(hand.chain.broadcast(good)), known, 'with all its outputs spent');
      assert.equal(await codeOf(hand.chain.broadcast(spend([from], [pay(p2tr, 97_000n)]))), missing);
    });

    test('no fee is too high, and coins may be burnt', async () => {
      const { p2tr } = freshLocks();
      const from = await hand.coin(p2tr, 5_000_000n);
      const burn = { value: 1_000n, script: Uint8Array.of(0x6a, 0x01, 0x07) };
      const tx = spend([from], [burn, pay(p2tr, 1_000n)]);
      assert.equal(await hand.chain.broadcast(tx), txidOf(tx));
    });

    test('a parent that pays nothing comes in with its child', async () => {
      const { p2tr } = freshLocks();
      const [from, fuel] = [await hand.coin(p2tr), await hand.coin(p2tr)];
      const parent = spend([from], [pay(p2tr, 100_000n), P2A], { version: 3 });
      assert.equal(await codeOf(hand.chain.broadcast(parent)), 'TX_REJECTED min relay fee not met');
      const child = spend([anchorOf(parent), fuel], [pay(p2tr, 95_000n)], { version: 3 });
      assert.equal(await hand.chain.broadcastPackage(parent, child), txidOf(child));
      assert.equal(await hand.chain.broadcastPackage(parent, child), txidOf(child), 'twice is no fault');
      for (const tx of [parent, child]) assert.ok(await hand.chain.transaction(txidOf(tx)));

      await hand.chain.mine(1);
      assert.equal(await codeOf(hand.chain.broadcastPackage(parent, child)), 'TX_ALREADY_IN_CHAIN txn-already-known');
    });

    test('a confirmed parent is left aside', async () => {
      const { p2tr } = freshLocks();
      const parent = spend([await hand.coin(p2tr)], [pay(p2tr, 99_000n)], { version: 3 });
      await hand.chain.broadcast(parent);
      await hand.chain.mine(1);
      const child = spend([coinOf(parent, 0, p2tr)], [pay(p2tr, 98_000n)], { version: 3 });
      assert.equal(await hand.chain.broadcastPackage(parent, child), txidOf(child));
    });

    test('a package is refused for the one of the two that is at fault', async () => {
      const { p2tr } = freshLocks();
      const [from, fuel] = [await hand.coin(p2tr), await hand.coin(p2tr)];
      const parent = spend([from], [pay(p2tr, 100_000n), P2A], { version: 3 });
      const inputs = [anchorOf(parent), fuel];
      const stingy = spend(inputs, [pay(p2tr, 100_000n)], { version: 3 });
      assert.match(await codeOf(hand.chain.broadcastPackage(parent, stingy)), /^TX_REJECTED min relay fee not met/);
      const child = spend(inputs, [pay(p2tr, 95_000n)], { version: 3 });
      const broken = sign({ ...parent, locktime: 7 }, [from]);
      const forged = { ...broken, inputs: parent.inputs };
      const orphan = spend([anchorOf(forged), fuel], [pay(p2tr, 95_000n)], { version: 3 });
      assert.match(await codeOf(hand.chain.broadcastPackage(forged, orphan)), SCRIPT_FAILED);
      const stranger = spend([fuel], [pay(p2tr, 95_000n)]);
      const unrelated = 'TX_REJECTED package-not-child-with-parents';
      assert.equal(await codeOf(hand.chain.broadcastPackage(parent, stranger)), unrelated);
      for (const tx of [parent, stingy, forged, orphan, child, stranger]) {
        assert.equal(await hand.chain.transaction(txidOf(tx)), undefined);
      }
      assert.equal(await hand.chain.broadcastPackage(parent, child), txidOf(child));
    });

    test('impossible numbers of blocks and payments are refused', async () => {
      const before = await hand.chain.tip();
      for (const count of [-1, 0.5, Number.NaN, 10_001]) {
        assert.equal(await codeOf(hand.chain.mine(count)), 'BAD_BLOCK_COUNT');
      }
      assert.equal(
        await codeOf(hand.chain.faucet(freshLocks().p2tr.script, sats(20_000_000_0000_0000n))),
        'FAUCET_EMPTY',
      );
      assert.equal(await codeOf(hand.chain.faucet(freshLocks().p2tr.script, sats(1n))), 'TX_REJECTED dust');
      assert.deepEqual(await hand.chain.tip(), before);
    });

    test('payments asked for at once are all made', async () => {
      const { p2tr } = freshLocks();
      const payments = Array.from({ length: 8 }, () => hand.chain.faucet(p2tr.script, sats(10_000n)));
      assert.equal(new Set(await Promise.all(payments)).size, 8);
      await hand.chain.mine(1);
      assert.equal((await hand.unspentKeys(p2tr.script)).length, 8);
    });

    test('a restart forgets nothing', async () => {
      const { p2tr } = freshLocks();
      const from = await hand.coin(p2tr);
      const tx = spend([from], [pay(p2tr, 99_000n)]);
      await hand.chain.broadcast(tx);
      const tip = await hand.chain.tip();
      const coins = await hand.unspentKeys(p2tr.script);
      const activity = await hand.chain.explorer.activity(scriptHashOf(p2tr.script));
      await hand.restart();
      await until(async () => (await hand.chain.transaction(txidOf(tx))) !== undefined);
      assert.deepEqual(await hand.chain.tip(), tip);
      assert.deepEqual(await hand.unspentKeys(p2tr.script), coins);
      assert.deepEqual(await hand.chain.explorer.activity(scriptHashOf(p2tr.script)), activity);
      await hand.chain.mine(1);
      assert.ok((await hand.chain.transaction(txidOf(tx)))!.confirmation);
    });
  });
}

/** What every chain adapter must do: what it tells of changes, and what explorers learn of the past. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Txid } from '../../src/base/bytes.ts';
import { sumSats } from '../../src/base/units.ts';
import { parseBlock } from '../../src/bitcoin/block.ts';
import { txHex, txidOf } from '../../src/bitcoin/tx.ts';
import type { ChainEvent } from '../../src/chain/chain.ts';
import { scriptHashOf } from '../../src/chain/script-hash.ts';
import { CHAIN_ADAPTERS, type ChainHand, chainHand, codeOf, freshLocks } from '../support/chain-contract.ts';
import { coinOf, pay, spend } from '../support/regtest.ts';

/** One word per event, as `mempool TXID`, `block HEIGHT`, `disconnect HEIGHT`; heights are those of the new tip. */
const wordOf = (event: ChainEvent): string =>
  event.type === 'mempool' ? `mempool ${event.tx.txid}` : `${event.type} ${event.tip.height}`;

for (const adapter of CHAIN_ADAPTERS) {
  describe(`Chain events contract: ${adapter.name}`, { skip: adapter.skip }, () => {
    let hand: ChainHand;
    before(async () => {
      hand = chainHand(await adapter.create());
    });
    after(() => hand?.end());

    test('events come in order, each after the view has it', async () => {
      const { p2tr } = freshLocks();
      const from = await hand.coin(p2tr);
      const views: Promise<boolean>[] = [];
      const words: string[] = [];
      const end = hand.chain.subscribe((event) => {
        words.push(wordOf(event));
        if (event.type === 'mempool') {
          views.push(hand.chain.transaction(event.tx.txid).then((found) => found !== undefined));
        } else if (event.type === 'block') {
          views.push(hand.chain.explorer.block(event.tip.hash).then((found) => found !== undefined));
        }
      });
      const parent = spend([from], [pay(p2tr, 99_000n)]);
      const child = spend([coinOf(parent, 0, p2tr)], [pay(p2tr, 98_000n)]);
      await hand.chain.broadcast(parent);
      await hand.chain.broadcast(child);
      await hand.chain.mine(2);
      const { height } = await hand.chain.tip();
      end();
      await hand.chain.mine(1);
      const expected = [
        `mempool ${txidOf(parent)}`,
        `mempool ${txidOf(child)}`,
        `block ${height - 1}`,
        `block ${height}`,
      ];
      assert.deepEqual(words, expected);
      assert.ok((await Promise.all(views)).every((isThere) => isThere));
    });

    test('a block event has all transactions of the block, confirmed', async () => {
      const { p2tr } = freshLocks();
      const tx = spend([await hand.coin(p2tr)], [pay(p2tr, 99_000n)]);
      await hand.chain.broadcast(tx);
      const { events, end } = hand.listen();
      await hand.chain.mine(1);
      end();
      const [event] = events;
      assert.ok(event?.type === 'block');
      assert.deepEqual(event.tip, await hand.chain.tip());
      assert.deepEqual(
        event.txs.map(({ txid }) => txid),
        (await hand.chain.explorer.block(event.tip.hash))!.txids,
      );
      assert.deepEqual(
        event.txs.map(({ confirmation }) => confirmation?.blockHash),
        event.txs.map(() => event.tip.hash),
      );
      assert.equal(txHex(event.txs.find(({ txid }) => txid === txidOf(tx))!.tx), txHex(tx));
    });

    test('a replacement takes the place of what it replaces', async () => {
      const { p2tr } = freshLocks();
      const from = await hand.coin(p2tr);
      const low = spend([from], [pay(p2tr, 99_000n)]);
      const high = spend([from], [pay(p2tr, 90_000n)]);
      await hand.chain.broadcast(low);
      const { events, end } = hand.listen();
      await hand.chain.broadcast(high);
      end();
      assert.deepEqual(events.map(wordOf), [`mempool ${txidOf(high)}`]);
      assert.equal(await hand.chain.transaction(txidOf(low)), undefined);
      assert.deepEqual((await hand.chain.output(from.outpoint))!.spentBy, { txid: txidOf(high), vin: 0 });
      assert.match(await codeOf(hand.chain.broadcast(low)), /^TX_REJECTED insufficient fee/);
    });

    test('a reorganization is told from the tip down and up again', async () => {
      const { p2tr } = freshLocks();
      const from = await hand.coin(p2tr);
      const tx = spend([from], [pay(p2tr, 99_000n)]);
      await hand.chain.broadcast(tx);
      await hand.chain.mine(3);
      const { height } = await hand.chain.tip();
      const before = (await hand.chain.transaction(txidOf(tx)))!.confirmation!;
      assert.equal(before.height, height - 2);

      const { events, end } = hand.listen();
      await hand.disconnect(3);
      assert.equal((await hand.chain.tip()).height, height - 3);
      assert.equal((await hand.chain.transaction(txidOf(tx)))!.confirmation, undefined, 'it waits again');
      assert.deepEqual((await hand.chain.output(from.outpoint))!.spentBy, { txid: txidOf(tx), vin: 0 });
      assert.equal(await hand.chain.explorer.block(before.blockHash), undefined);

      const [hash] = await hand.chain.mine(1, p2tr.script);
      assert.notEqual(hash, before.blockHash);
      assert.equal((await hand.chain.transaction(txidOf(tx)))!.confirmation!.blockHash, hash);
      await hand.chain.mine(3);
      end();
      const told = events.map(wordOf).filter((word) => !word.startsWith('mempool'));
      assert.deepEqual(told, [
        ...[1, 2, 3].map((depth) => `disconnect ${height - depth}`),
        ...[-2, -1, 0, 1].map((above) => `block ${height + above}`),
      ]);
      const gone = events.filter((event) => event.type === 'disconnect').flatMap((event) => event.txs);
      assert.ok(gone.some(({ txid }) => txid === txidOf(tx)));
      assert.ok(gone.every(({ confirmation }) => confirmation === undefined));
    });

    test('a deep reorganization leaves nothing behind', async () => {
      const { p2tr, p2wpkh } = freshLocks();
      const from = await hand.coin(p2tr);
      const start = await hand.chain.tip();
      const coinsBefore = await hand.unspentKeys(p2tr.script);
      const activityBefore = await hand.chain.explorer.activity(scriptHashOf(p2tr.script));
      const spent = spend([from], [pay(p2wpkh, 99_000n)]);
      await hand.chain.broadcast(spent);
      await hand.chain.mine(120, p2tr.script);
      await hand.disconnect(120);
      assert.deepEqual(await hand.chain.tip(), start);
      const conflicting = spend([from], [pay(p2wpkh, 50_000n)]);
      await hand.chain.broadcast(conflicting);
      await hand.chain.mine(1, p2wpkh.script);
      await hand.disconnect(1);
      assert.equal((await hand.unspentKeys(p2tr.script)).length, 0);
      const { confirmed } = await hand.chain.explorer.activity(scriptHashOf(p2tr.script));
      assert.deepEqual(confirmed, activityBefore.confirmed);
      assert.equal(coinsBefore.length, 1);
      await hand.chain.mine(1);
    });

    test('histories, sums and pages tell what a script did', async () => {
      const { p2tr, p2wpkh } = freshLocks();
      const script = scriptHashOf(p2tr.script);
      const { explorer } = hand.chain;
      const coins = [await hand.coin(p2tr), await hand.coin(p2tr), await hand.coin(p2tr)];
      const tx = spend(coins.slice(0, 2), [pay(p2wpkh, 150_000n), pay(p2tr, 40_000n)]);
      await hand.chain.broadcast(tx);
      const [c0, c1, c2] = coins.map(({ outpoint }) => outpoint.txid);
      const txidsOf = (list: readonly { readonly txid: Txid }[]): Txid[] => list.map(({ txid }) => txid);

      assert.deepEqual(txidsOf(await explorer.unconfirmed(script)), [txidOf(tx)]);
      assert.deepEqual(txidsOf(await explorer.history(script, 25)), [c2, c1, c0]);
      assert.deepEqual(await explorer.activity(script), {
        confirmed: { fundedCount: 3, fundedSum: 300_000n, spentCount: 0, spentSum: 0n, txCount: 3 },
        mempool: { fundedCount: 1, fundedSum: 40_000n, spentCount: 2, spentSum: 200_000n, txCount: 1 },
      });
      const entry = (await explorer.mempoolTx(txidOf(tx)))!;
      assert.equal(entry.fee, 10_000n);
      assert.ok((await explorer.mempool()).some(({ txid }) => txid === txidOf(tx)));
      assert.equal(sumSats((await explorer.prevouts(tx)).map((output) => output!.value)), 200_000n);

      await hand.chain.mine(1);
      assert.deepEqual(txidsOf(await explorer.history(script, 2)), [txidOf(tx), c2]);
      assert.deepEqual(txidsOf(await explorer.history(script, 2, c2)), [c1, c0]);
      assert.deepEqual(txidsOf(await explorer.history(script, 2, c0)), []);
      assert.deepEqual(txidsOf(await explorer.history(script, 2, 'ef'.repeat(32) as Txid)), []);
      const nothing = { fundedCount: 0, fundedSum: 0n, spentCount: 0, spentSum: 0n, txCount: 0 };
      assert.deepEqual(await explorer.activity(script), {
        confirmed: { fundedCount: 4, fundedSum: 340_000n, spentCount: 2, spentSum: 200_000n, txCount: 4 },
        mempool: nothing,
      });
      assert.equal(sumSats((await explorer.prevouts(tx)).map((output) => output!.value)), 200_000n);
      assert.equal((await explorer.spender(coins[1]!.outpoint))!.vin, 1);
      assert.deepEqual(await explorer.unspentOf(script), await hand.chain.unspent(p2tr.script));
    });

    test('blocks are handed out whole', async () => {
      const { explorer } = hand.chain;
      const { hash, height } = await hand.chain.tip();
      const raw = (await explorer.rawBlock(hash))!;
      const block = (await explorer.block(hash))!;
      assert.deepEqual(parseBlock(raw).txs.map(txidOf), block.txids);
      assert.deepEqual(parseBlock(raw).header, block.header);
      assert.equal(block.size, raw.length);
      assert.equal(await explorer.blockHash(height), hash);
      assert.equal(await explorer.blockHash(height + 1), undefined);
      assert.equal(await explorer.block('00'.repeat(32)), undefined);
      const genesis = (await explorer.block((await explorer.blockHash(0))!))!;
      assert.equal(genesis.txids.length, 1);
    });
  });
}

/** What every chain adapter must do, shown for the embedded chain and for a real bitcoind. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Bytes, Txid } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { sats, sumSats } from '../../src/base/units.ts';
import { parseBlock } from '../../src/bitcoin/block.ts';
import { type Tx, txHex, txIn, txidOf } from '../../src/bitcoin/tx.ts';
import type { ChainEvent } from '../../src/chain/chain.ts';
import type { ControlledChain } from '../../src/chain/controlled-chain.ts';
import { scriptHashOf } from '../../src/chain/script-hash.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { requireBitcoind, startBitcoind } from '../support/bitcoind.ts';
import { bitcoindWorld, type ChainWorld, embeddedWorld, sqlitePlace } from '../support/chains.ts';
import { type Lock, locksOf } from '../support/locks.ts';
import { startPostgres, takePlace } from '../support/postgres.ts';
import { anchorOf, coinOf, P2A, pay, secp, sign, spend, type TestCoin } from '../support/regtest.ts';

interface Adapter {
  readonly name: string;
  readonly skip: false | string;
  create(): Promise<ChainWorld>;
}

const bitcoind = requireBitcoind('the chain contract on bitcoind');
const postgres = bitcoind.binary ? await startPostgres() : 'there is no bitcoind to index';
after(async () => {
  if (typeof postgres === 'object') await postgres.close();
});

const ADAPTERS: readonly Adapter[] = [
  { name: 'embedded', skip: false, create: async () => embeddedWorld() },
  {
    name: 'bitcoind',
    skip: bitcoind.skip,
    create: async () => bitcoindWorld(await startBitcoind(bitcoind.binary!), sqlitePlace()),
  },
  {
    name: 'bitcoind, its index in PostgreSQL',
    skip: bitcoind.skip || (typeof postgres === 'string' && postgres),
    async create() {
      assert.ok(typeof postgres === 'object');
      const { url, remove } = await takePlace(postgres.url);
      return bitcoindWorld(await startBitcoind(bitcoind.binary!), { open: () => openPostgres(url), remove });
    },
  },
];

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof ProtocolError, String(error));
    return error.data.reason === undefined ? error.code : `${error.code} ${error.data.reason}`;
  }
  return 'accepted';
};

/** Core and Knots tell different rules apart here. */
const SCRIPT_FAILED = /^TX_REJECTED (mandatory|mempool)-script-verify-flag-failed$/;

/** One word per event, as `mempool TXID`, `block HEIGHT`, `disconnect HEIGHT`; heights are those of the new tip. */
const wordOf = (event: ChainEvent): string =>
  event.type === 'mempool' ? `mempool ${event.tx.txid}` : `${event.type} ${event.tip.height}`;

let names = 0;
/** Locks that no other test pays to. */
const freshLocks = () => locksOf(secp, `contract ${names++}`);

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 10_000; !(await condition()); ) {
    assert.ok(Date.now() < deadline, 'waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const adapter of ADAPTERS) {
  describe(`Chain contract: ${adapter.name}`, { skip: adapter.skip }, () => {
    let world: ChainWorld;
    before(async () => {
      world = await adapter.create();
    });
    after(() => world?.end());

    const chain = (): ControlledChain => world.chain;

    async function coin(lock: Lock, value = 100_000n): Promise<TestCoin> {
      const txid = await chain().faucet(lock.script, sats(value));
      await chain().mine(1);
      return coinOf((await chain().transaction(txid))!.tx, 0, lock);
    }

    const listen = (): { readonly events: ChainEvent[]; end(): void } => {
      const events: ChainEvent[] = [];
      const end = chain().subscribe((event) => events.push(event));
      return { events, end };
    };

    const unspentKeys = async (script: Bytes): Promise<string[]> =>
      (await chain().unspent(script)).map(({ outpoint, value }) => `${outpoint.txid}:${outpoint.vout} ${value}`).sort();

    test('the tip is the topmost block, with its median time', async () => {
      const before = await chain().tip();
      const [hash] = await chain().mine(1);
      const tip = await chain().tip();
      assert.deepEqual(Object.keys(tip).sort(), ['hash', 'height', 'medianTime']);
      assert.equal(tip.height, before.height + 1);
      assert.equal(tip.hash, hash);
      const heights = Array.from({ length: 11 }, (_, i) => tip.height - i);
      const times = await Promise.all(
        heights.map(async (height) => {
          const { block, blockHash } = chain().explorer;
          return (await block((await blockHash(height))!))!.header.time;
        }),
      );
      assert.equal(tip.medianTime, times.sort((a, b) => a - b)[5]);
    });

    test('a payment is known at once, and confirmed by a block', async () => {
      const { p2tr } = freshLocks();
      const txid = await chain().faucet(p2tr.script, sats(50_000n));
      const waiting = (await chain().transaction(txid))!;
      assert.equal(txidOf(waiting.tx), txid);
      assert.equal(waiting.confirmation, undefined);
      assert.equal((await chain().output({ txid, vout: 0 }))!.confirmation, undefined);

      await chain().mine(1);
      const { height, hash } = await chain().tip();
      const found = (await chain().transaction(txid))!;
      const header = (await chain().explorer.block(hash))!.header;
      assert.deepEqual(found.confirmation, { height, blockHash: hash, blockTime: header.time });
      assert.deepEqual(await chain().output({ txid, vout: 0 }), {
        value: 50_000n,
        script: p2tr.script,
        isCoinbase: false,
        confirmation: found.confirmation,
      });
    });

    test('what does not exist is undefined', async () => {
      const txid = 'ab'.repeat(32) as Txid;
      assert.equal(await chain().transaction(txid), undefined);
      assert.equal(await chain().output({ txid, vout: 0 }), undefined);
      const { txid: known } = await (await chain().explorer.history(scriptHashOf(await minerScript()), 1))[0]!;
      assert.equal(await chain().output({ txid: known, vout: 999 }), undefined);
      assert.deepEqual(await chain().unspent(freshLocks().p2tr.script), []);
    });

    /** The script that blocks pay to. */
    const minerScript = async (): Promise<Bytes> => {
      const { hash } = await chain().tip();
      const { txids } = (await chain().explorer.block(hash))!;
      return (await chain().transaction(txids[0]!))!.tx.outputs[0]!.script;
    };

    test('coinbases are marked', async () => {
      await chain().mine(1);
      const { hash } = await chain().tip();
      const { txids } = (await chain().explorer.block(hash))!;
      assert.equal((await chain().output({ txid: txids[0]!, vout: 0 }))!.isCoinbase, true);
      const mined = (await chain().unspent(await minerScript())).find((found) => found.outpoint.txid === txids[0]);
      assert.equal(mined?.isCoinbase, true);
    });

    test('unspent counts what the mempool spends and brings', async () => {
      const { p2tr, p2wpkh } = freshLocks();
      const first = await coin(p2tr);
      const key = `${first.outpoint.txid}:${first.outpoint.vout} 100000`;
      assert.deepEqual(await unspentKeys(p2tr.script), [key]);

      const tx = spend([first], [pay(p2wpkh, 60_000n), pay(p2tr, 39_000n)]);
      await chain().broadcast(tx);
      assert.deepEqual(await unspentKeys(p2tr.script), [`${txidOf(tx)}:1 39000`]);
      assert.deepEqual(await unspentKeys(p2wpkh.script), [`${txidOf(tx)}:0 60000`]);
      const spent = await chain().output(first.outpoint);
      assert.deepEqual(spent!.spentBy, { txid: txidOf(tx), vin: 0 });

      await chain().mine(1);
      assert.deepEqual(await unspentKeys(p2tr.script), [`${txidOf(tx)}:1 39000`]);
      const { confirmation } = (await chain().transaction(txidOf(tx)))!;
      assert.deepEqual((await chain().output(first.outpoint))!.spentBy, { txid: txidOf(tx), vin: 0, confirmation });
    });

    test('the fee rate is at least what is relayed', async () => {
      for (const target of [1, 6, 1008, 5000]) assert.ok((await chain().feeRate(target)) >= 1);
    });

    test('broadcasts are refused with a code and the reason of bitcoind', async () => {
      const { p2tr } = freshLocks();
      const from = await coin(p2tr);
      const good = spend([from], [pay(p2tr, 99_000n)]);

      const absent = { ...good, inputs: [txIn({ txid: 'cd'.repeat(32) as Txid, vout: 0 })] };
      const missing = 'TX_MISSING_INPUTS bad-txns-inputs-missingorspent';
      assert.equal(await codeOf(chain().broadcast(absent)), missing);
      const forged: Tx = { ...good, inputs: [{ ...good.inputs[0]!, witness: [new Uint8Array(64).fill(1)] }] };
      assert.match(await codeOf(chain().broadcast(forged)), SCRIPT_FAILED);
      const free = spend([from], [pay(p2tr, 100_000n)]);
      assert.equal(await codeOf(chain().broadcast(free)), 'TX_REJECTED min relay fee not met');
      const dusty = spend([from], [pay(p2tr, 100n)]);
      assert.equal(await codeOf(chain().broadcast(dusty)), 'TX_REJECTED dust');
      const greedy = spend([from], [pay(p2tr, 100_001n)]);
      assert.equal(await codeOf(chain().broadcast(greedy)), 'TX_REJECTED bad-txns-in-belowout');
      assert.deepEqual(await unspentKeys(p2tr.script), [`${from.outpoint.txid}:0 100000`]);

      assert.equal(await chain().broadcast(good), txidOf(good));
      assert.equal(await chain().broadcast(good), txidOf(good), 'twice is no fault');
      await chain().mine(1);
      const known = 'TX_ALREADY_IN_CHAIN txn-already-known';
      assert.equal(await codeOf(chain().broadcast(good)), known);
      await chain().broadcast(spend([coinOf(good, 0, p2tr)], [pay(p2tr, 98_000n)]));
      await chain().mine(1);
      assert.equal(await codeOf(chain().broadcast(good)), known, 'with all its outputs spent');
      assert.equal(await codeOf(chain().broadcast(spend([from], [pay(p2tr, 97_000n)]))), missing);
    });

    test('no fee is too high, and coins may be burnt', async () => {
      const { p2tr } = freshLocks();
      const from = await coin(p2tr, 5_000_000n);
      const burn = { value: 1_000n, script: Uint8Array.of(0x6a, 0x01, 0x07) };
      const tx = spend([from], [burn, pay(p2tr, 1_000n)]);
      assert.equal(await chain().broadcast(tx), txidOf(tx));
    });

    test('a parent that pays nothing comes in with its child', async () => {
      const { p2tr } = freshLocks();
      const [from, fuel] = [await coin(p2tr), await coin(p2tr)];
      const parent = spend([from], [pay(p2tr, 100_000n), P2A], { version: 3 });
      assert.equal(await codeOf(chain().broadcast(parent)), 'TX_REJECTED min relay fee not met');
      const child = spend([anchorOf(parent), fuel], [pay(p2tr, 95_000n)], { version: 3 });
      assert.equal(await chain().broadcastPackage(parent, child), txidOf(child));
      assert.equal(await chain().broadcastPackage(parent, child), txidOf(child), 'twice is no fault');
      for (const tx of [parent, child]) assert.ok(await chain().transaction(txidOf(tx)));

      await chain().mine(1);
      assert.equal(await codeOf(chain().broadcastPackage(parent, child)), 'TX_ALREADY_IN_CHAIN txn-already-known');
    });

    test('a confirmed parent is left aside', async () => {
      const { p2tr } = freshLocks();
      const parent = spend([await coin(p2tr)], [pay(p2tr, 99_000n)], { version: 3 });
      await chain().broadcast(parent);
      await chain().mine(1);
      const child = spend([coinOf(parent, 0, p2tr)], [pay(p2tr, 98_000n)], { version: 3 });
      assert.equal(await chain().broadcastPackage(parent, child), txidOf(child));
    });

    test('a package is refused for the one of the two that is at fault', async () => {
      const { p2tr } = freshLocks();
      const [from, fuel] = [await coin(p2tr), await coin(p2tr)];
      const parent = spend([from], [pay(p2tr, 100_000n), P2A], { version: 3 });
      const inputs = [anchorOf(parent), fuel];
      const stingy = spend(inputs, [pay(p2tr, 100_000n)], { version: 3 });
      assert.match(await codeOf(chain().broadcastPackage(parent, stingy)), /^TX_REJECTED min relay fee not met/);
      const child = spend(inputs, [pay(p2tr, 95_000n)], { version: 3 });
      const broken = sign({ ...parent, locktime: 7 }, [from]);
      const forged = { ...broken, inputs: parent.inputs };
      const orphan = spend([anchorOf(forged), fuel], [pay(p2tr, 95_000n)], { version: 3 });
      assert.match(await codeOf(chain().broadcastPackage(forged, orphan)), SCRIPT_FAILED);
      const stranger = spend([fuel], [pay(p2tr, 95_000n)]);
      const unrelated = 'TX_REJECTED package-not-child-with-parents';
      assert.equal(await codeOf(chain().broadcastPackage(parent, stranger)), unrelated);
      for (const tx of [parent, stingy, forged, orphan, child, stranger]) {
        assert.equal(await chain().transaction(txidOf(tx)), undefined);
      }
      assert.equal(await chain().broadcastPackage(parent, child), txidOf(child));
    });

    test('events come in order, each after the view has it', async () => {
      const { p2tr } = freshLocks();
      const from = await coin(p2tr);
      const views: Promise<boolean>[] = [];
      const words: string[] = [];
      const end = chain().subscribe((event) => {
        words.push(wordOf(event));
        if (event.type === 'mempool') {
          views.push(
            chain()
              .transaction(event.tx.txid)
              .then((found) => found !== undefined),
          );
        } else if (event.type === 'block') {
          views.push(
            chain()
              .explorer.block(event.tip.hash)
              .then((found) => found !== undefined),
          );
        }
      });
      const parent = spend([from], [pay(p2tr, 99_000n)]);
      const child = spend([coinOf(parent, 0, p2tr)], [pay(p2tr, 98_000n)]);
      await chain().broadcast(parent);
      await chain().broadcast(child);
      await chain().mine(2);
      const { height } = await chain().tip();
      end();
      await chain().mine(1);
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
      const tx = spend([await coin(p2tr)], [pay(p2tr, 99_000n)]);
      await chain().broadcast(tx);
      const { events, end } = listen();
      await chain().mine(1);
      end();
      const [event] = events;
      assert.ok(event?.type === 'block');
      assert.deepEqual(event.tip, await chain().tip());
      assert.deepEqual(
        event.txs.map(({ txid }) => txid),
        (await chain().explorer.block(event.tip.hash))!.txids,
      );
      assert.deepEqual(
        event.txs.map(({ confirmation }) => confirmation?.blockHash),
        event.txs.map(() => event.tip.hash),
      );
      assert.equal(txHex(event.txs.find(({ txid }) => txid === txidOf(tx))!.tx), txHex(tx));
    });

    test('a replacement takes the place of what it replaces', async () => {
      const { p2tr } = freshLocks();
      const from = await coin(p2tr);
      const low = spend([from], [pay(p2tr, 99_000n)]);
      const high = spend([from], [pay(p2tr, 90_000n)]);
      await chain().broadcast(low);
      const { events, end } = listen();
      await chain().broadcast(high);
      end();
      assert.deepEqual(events.map(wordOf), [`mempool ${txidOf(high)}`]);
      assert.equal(await chain().transaction(txidOf(low)), undefined);
      assert.deepEqual((await chain().output(from.outpoint))!.spentBy, { txid: txidOf(high), vin: 0 });
      assert.match(await codeOf(chain().broadcast(low)), /^TX_REJECTED insufficient fee/);
    });

    test('a reorganization is told from the tip down and up again', async () => {
      const { p2tr } = freshLocks();
      const from = await coin(p2tr);
      const tx = spend([from], [pay(p2tr, 99_000n)]);
      await chain().broadcast(tx);
      await chain().mine(3);
      const { height } = await chain().tip();
      const before = (await chain().transaction(txidOf(tx)))!.confirmation!;
      assert.equal(before.height, height - 2);

      const { events, end } = listen();
      await world.disconnect(3);
      assert.equal((await chain().tip()).height, height - 3);
      assert.equal((await chain().transaction(txidOf(tx)))!.confirmation, undefined, 'it waits again');
      assert.deepEqual((await chain().output(from.outpoint))!.spentBy, { txid: txidOf(tx), vin: 0 });
      assert.equal(await chain().explorer.block(before.blockHash), undefined);

      const [hash] = await chain().mine(1, p2tr.script);
      assert.notEqual(hash, before.blockHash);
      assert.equal((await chain().transaction(txidOf(tx)))!.confirmation!.blockHash, hash);
      await chain().mine(3);
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
      const from = await coin(p2tr);
      const start = await chain().tip();
      const coinsBefore = await unspentKeys(p2tr.script);
      const activityBefore = await chain().explorer.activity(scriptHashOf(p2tr.script));
      const spent = spend([from], [pay(p2wpkh, 99_000n)]);
      await chain().broadcast(spent);
      await chain().mine(120, p2tr.script);
      await world.disconnect(120);
      assert.deepEqual(await chain().tip(), start);
      const conflicting = spend([from], [pay(p2wpkh, 50_000n)]);
      await chain().broadcast(conflicting);
      await chain().mine(1, p2wpkh.script);
      await world.disconnect(1);
      assert.equal((await unspentKeys(p2tr.script)).length, 0);
      const { confirmed } = await chain().explorer.activity(scriptHashOf(p2tr.script));
      assert.deepEqual(confirmed, activityBefore.confirmed);
      assert.equal(coinsBefore.length, 1);
      await chain().mine(1);
    });

    test('histories, sums and pages tell what a script did', async () => {
      const { p2tr, p2wpkh } = freshLocks();
      const script = scriptHashOf(p2tr.script);
      const { explorer } = chain();
      const coins = [await coin(p2tr), await coin(p2tr), await coin(p2tr)];
      const tx = spend(coins.slice(0, 2), [pay(p2wpkh, 150_000n), pay(p2tr, 40_000n)]);
      await chain().broadcast(tx);
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

      await chain().mine(1);
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
      assert.deepEqual(await explorer.unspentOf(script), await chain().unspent(p2tr.script));
    });

    test('blocks are handed out whole', async () => {
      const { explorer } = chain();
      const { hash, height } = await chain().tip();
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

    test('impossible numbers of blocks and payments are refused', async () => {
      const before = await chain().tip();
      for (const count of [-1, 0.5, Number.NaN, 10_001]) {
        assert.equal(await codeOf(chain().mine(count)), 'BAD_BLOCK_COUNT');
      }
      assert.equal(await codeOf(chain().faucet(freshLocks().p2tr.script, sats(20_000_000_0000_0000n))), 'FAUCET_EMPTY');
      assert.equal(await codeOf(chain().faucet(freshLocks().p2tr.script, sats(1n))), 'TX_REJECTED dust');
      assert.deepEqual(await chain().tip(), before);
    });

    test('payments asked for at once are all made', async () => {
      const { p2tr } = freshLocks();
      const payments = Array.from({ length: 8 }, () => chain().faucet(p2tr.script, sats(10_000n)));
      assert.equal(new Set(await Promise.all(payments)).size, 8);
      await chain().mine(1);
      assert.equal((await unspentKeys(p2tr.script)).length, 8);
    });

    test('a restart forgets nothing', async () => {
      const { p2tr } = freshLocks();
      const from = await coin(p2tr);
      const tx = spend([from], [pay(p2tr, 99_000n)]);
      await chain().broadcast(tx);
      const tip = await chain().tip();
      const coins = await unspentKeys(p2tr.script);
      const activity = await chain().explorer.activity(scriptHashOf(p2tr.script));
      await world.restart();
      await until(async () => (await chain().transaction(txidOf(tx))) !== undefined);
      assert.deepEqual(await chain().tip(), tip);
      assert.deepEqual(await unspentKeys(p2tr.script), coins);
      assert.deepEqual(await chain().explorer.activity(scriptHashOf(p2tr.script)), activity);
      await chain().mine(1);
      assert.ok((await chain().transaction(txidOf(tx)))!.confirmation);
    });
  });
}

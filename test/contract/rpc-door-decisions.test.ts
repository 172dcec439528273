/** What our door and bitcoind's decide on the same transactions, packages and blocks, and how they put it. */
import { utf8 } from '../../src/base/bytes.ts';
import { addressOf } from '../../src/bitcoin/address.ts';
import { OP, push, script } from '../../src/bitcoin/script.ts';
import { type Tx, type TxOut, txHex, txidOf } from '../../src/bitcoin/tx.ts';
import { anchorOf, coinOf, P2A, pay, spend } from '../support/regtest.ts';
import { resultOf } from '../support/rpc-door.ts';
import { type Court, courtTest } from '../support/rpc-judge.ts';

const NO_CAPS = [0, 21_000_000];
const V3 = { version: 3 };
const burn = (value: bigint): TxOut => ({ value, script: script(OP.RETURN, push(utf8('gone'))) });

courtTest('single transactions: both say the same', async ({ world, both, follow }: Court) => {
  const { chain, locks } = world;
  const coins = await world.fund(Array.from({ length: 3 }, () => locks.p2tr));
  await follow();
  const [a, b, c] = coins;
  const good = spend([a!], [pay(locks.p2tr, 90_000n)], { sequences: [0] });
  const better = spend([a!], [pay(locks.p2tr, 80_000n)], { sequences: [0] });
  const cheap = spend([b!], [pay(locks.p2tr, 100_000n)]);
  const dear = spend([b!], [pay(locks.p2tr, 1_000n)]);
  const dusty = spend([b!], [pay(locks.p2tr, 100n)]);
  const early = spend([b!], [pay(locks.p2tr, 90_000n)], { locktime: 5_000, sequences: [0] });
  const unknown = spend([coinOf(cheap, 0, locks.p2tr)], [pay(locks.p2tr, 90_000n)]);
  const twice = spend([b!, b!], [pay(locks.p2tr, 90_000n)]);
  const burning = spend([c!], [burn(1_000n), pay(locks.p2tr, 90_000n)]);
  const coinbase = (await chain.explorer.transaction(
    (await chain.explorer.block((await chain.tip()).hash))!.txids[0]!,
  ))!;
  const cases: readonly Tx[] = [good, cheap, dear, dusty, early, unknown, twice, burning, coinbase.tx];
  for (const tx of cases) {
    await both.call('testmempoolaccept', [txHex(tx)]);
    await both.call('testmempoolaccept', [txHex(tx)], 0);
    await both.call('testmempoolaccept', [txHex(tx)], '0.00001');
  }
  for (const tx of cases) await both.call('sendrawtransaction', txHex(tx));
  for (const rate of [1, '2', -1, 'abc', true]) await both.call('sendrawtransaction', txHex(good), rate);
  await both.call('sendrawtransaction', txHex(burning), 0, '0.00001');
  await both.call('sendrawtransaction', txHex(good));
  await both.call('testmempoolaccept', [txHex(good)]);
  await both.call('testmempoolaccept', [txHex(better)]);
  await both.call('sendrawtransaction', txHex(better));
  await both.call('sendrawtransaction', txHex(good));
  await chain.mine(1);
  await follow();
  await both.call('sendrawtransaction', txHex(better));
  await both.call('testmempoolaccept', [txHex(better)]);
  await both.call('getrawmempool', true);
});

courtTest('packages: both say the same', async ({ world, both, follow }: Court) => {
  const { locks } = world;
  const coins = await world.fund(Array.from({ length: 12 }, () => locks.p2tr));
  await follow();
  const first = spend([coins[0]!], [pay(locks.p2tr, 90_000n)]);
  const second = spend([coinOf(first, 0, locks.p2tr)], [pay(locks.p2tr, 80_000n)]);
  const third = spend([coinOf(second, 0, locks.p2tr)], [pay(locks.p2tr, 70_000n)]);
  const poor = spend([coinOf(second, 0, locks.p2tr)], [pay(locks.p2tr, 80_000n)]);
  const sequences: readonly (readonly Tx[])[] = [
    [first, second, third],
    [first, second, poor],
    [first, poor, third],
    [first, third],
    [first, spend([coins[1]!], [pay(locks.p2tr, 90_000n)])],
  ];
  for (const txs of sequences) await both.call('testmempoolaccept', txs.map(txHex));
  await both.call('getrawmempool');

  const parent = spend([coins[2]!], [pay(locks.p2tr, 100_000n), P2A], V3);
  const child = spend([anchorOf(parent), coins[3]!], [pay(locks.p2tr, 98_000n)], V3);
  const stingy = spend([anchorOf(parent), coins[3]!], [pay(locks.p2tr, 99_950n)], V3);
  const submit = (...txs: Tx[]) => both.call('submitpackage', txs.map(txHex), ...NO_CAPS);
  await submit(parent, stingy);
  await both.call('submitpackage', [txHex(parent), txHex(child)], '0.00001');
  await submit(child, parent);
  await submit(parent, second);
  await submit(parent, child);
  await submit(parent, child);
  const rich = spend([anchorOf(parent), coins[3]!], [pay(locks.p2tr, 90_000n)], V3);
  await submit(parent, rich);

  // Parents that pay for themselves, and a child of both.
  const mother = spend([coins[4]!], [pay(locks.p2tr, 99_000n)]);
  const father = spend([coins[5]!], [pay(locks.p2tr, 99_000n)]);
  const heir = spend([coinOf(mother, 0, locks.p2tr), coinOf(father, 0, locks.p2tr)], [pay(locks.p2tr, 190_000n)]);
  await submit(mother, father, heir);
  const alone = spend([coins[6]!], [pay(locks.p2tr, 99_000n)]);
  await submit(alone);
  await both.call('getrawmempool', true);
});

courtTest('blocks: both take, keep, drop and bring back the same', async ({ world, door, both, follow }: Court) => {
  const { chain, locks } = world;
  const [coin] = await world.fund([locks.p2tr]);
  await follow();
  const address = addressOf('regtest', locks.p2wpkh.script)!;
  const tx = spend([coin!], [pay(locks.p2tr, 90_000n)]);
  const bad = spend([coin!], [pay(locks.p2tr, 190_000n)]);
  const generate = async (...params: unknown[]) =>
    (await resultOf(door.call('generateblock', address, ...params))) as {
      readonly hash: string;
      readonly hex: string;
    };
  const tipsAgree = async (): Promise<void> => {
    for (const call of ['getbestblockhash', 'getchaintips', 'getblockchaininfo', 'getrawmempool'])
      await both.call(call);
  };

  const kept = await generate([], false);
  const other = await generate([txHex(tx)], false);
  await both.call('submitblock', kept.hex);
  await both.call('submitblock', kept.hex);
  await tipsAgree();
  await both.call('submitblock', other.hex);
  await tipsAgree();
  for (const verbosity of [1, 2, 3]) await both.call('getblock', other.hash, verbosity);
  await both.call('getblockheader', other.hash);
  await both.call('getrawtransaction', txidOf(tx), 1, other.hash);
  await both.call('getrawtransaction', txidOf(tx), 1);
  await both.call('generateblock', address, [txHex(bad)]);
  await both.call('generateblock', address, ['ab'.repeat(32)]);

  await chain.mine(2);
  await follow();
  await both.call('invalidateblock', kept.hash);
  await tipsAgree();
  for (const verbosity of [1, 2, 3]) await both.call('getblock', kept.hash, verbosity);
  await both.call('submitblock', kept.hex);
  await both.call('reconsiderblock', kept.hash);
  await tipsAgree();
});

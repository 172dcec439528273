import assert from 'node:assert/strict';
import { OP, push, script } from '../../src/bitcoin/script.ts';
import { toSequence } from '../../src/bitcoin/timelock.ts';
import type { Tx } from '../../src/bitcoin/tx.ts';
import { hash160 } from '../../src/crypto/hash.ts';
import { bitcoindTest } from '../support/bitcoind.ts';
import { Duel } from '../support/duel.ts';
import type { Lock } from '../support/locks.ts';
import { anchorOf, coinOf, P2A, pay, spend, type TestCoin, testChain } from '../support/regtest.ts';

const V3 = { version: 3 };

bitcoindTest('a chain of ours with every kind of spend replays into bitcoind', async (node) => {
  const world = testChain();
  const { chain, locks } = world;
  const duel = new Duel(world, node);
  await duel.sync();
  const kinds = [locks.p2tr, locks.p2wpkh, locks.p2pkh, locks.nested, locks.p2wsh, locks.csv(3), locks.cltv(112)];
  const coins = await world.fund(kinds);
  await duel.sync();

  const agree = async (tx: Tx, reason?: string): Promise<void> => {
    const { ours, theirs } = await duel.one(tx);
    assert.equal(ours, reason);
    assert.equal(theirs, reason);
  };
  for (const coin of coins.slice(0, 5)) await agree(spend([coin], [pay(locks.p2tr, 99_000n)]));

  const csv = spend([coins[5]!], [pay(locks.p2tr, 99_000n)], { sequences: [3] });
  const cltv = spend([coins[6]!], [pay(locks.p2tr, 99_000n)], { locktime: 112, sequences: [0] });
  await agree(csv, 'non-BIP68-final');
  await agree(cltv, 'non-final');
  await duel.mine(2);
  await agree(csv);
  await agree(cltv);
  await duel.mine(1);

  const [timed] = await world.fund([locks.csv(toSequence({ type: 'seconds', value: 1024 }))]);
  await duel.sync();
  const later = spend([timed!], [pay(locks.p2tr, 99_000n)], {
    sequences: [toSequence({ type: 'seconds', value: 1024 })],
  });
  await agree(later, 'non-BIP68-final');
  world.time += 1025;
  await duel.mine(6);
  await agree(later);
  await duel.mine(1);

  await chain.invalidateTip(2);
  await duel.mine(3);
  assert.ok((await chain.transaction((await chain.explorer.mempool())[0]?.txid ?? later.inputs[0]!.prevout.txid))!);
});

bitcoindTest('packages, families and replacements: both say the same', async (node) => {
  const world = testChain();
  const { locks } = world;
  const duel = new Duel(world, node);
  const coins = await world.fund(Array.from({ length: 12 }, () => locks.p2tr));
  await duel.sync();
  const next = (): TestCoin => coins.pop()!;
  const bothTake = async (parent: Tx, child: Tx): Promise<void> =>
    assert.equal(await duel.pair(parent, child), undefined);

  // A parent that pays nothing with its child that pays for both.
  const fees = next();
  const parent = spend([next()], [pay(locks.p2tr, 100_000n), P2A], V3);
  const child = spend([anchorOf(parent), fees], [pay(locks.p2tr, 99_000n)], V3);
  assert.deepEqual(await duel.one(parent), { ours: 'min relay fee not met', theirs: 'min relay fee not met' });
  await bothTake(parent, child);

  // The child may be replaced by one that pays more, not by one that pays the same.
  const richer = spend([anchorOf(parent), fees], [pay(locks.p2tr, 97_000n)], V3);
  const same = spend([anchorOf(parent), fees], [pay(locks.p2wpkh, 99_000n)], V3);
  assert.deepEqual(await duel.one(same), { ours: 'insufficient fee', theirs: 'insufficient fee' });
  assert.deepEqual(await duel.one(richer), { ours: undefined, theirs: undefined });

  // A sibling takes its place by paying for it, but has to spend the anchor.
  const evictor = spend([coinOf(parent, 0, locks.p2tr)], [pay(locks.p2tr, 90_000n)], V3);
  assert.deepEqual(await duel.one(evictor), { ours: 'missing-ephemeral-spends', theirs: 'missing-ephemeral-spends' });
  const both = spend([coinOf(parent, 0, locks.p2tr), anchorOf(parent)], [pay(locks.p2tr, 90_000n)], V3);
  assert.deepEqual(await duel.one(both), { ours: undefined, theirs: undefined });

  // Families of two, and of one version.
  const grandchild = spend([coinOf(both, 0, locks.p2tr)], [pay(locks.p2tr, 80_000n)], V3);
  assert.deepEqual(await duel.one(grandchild), { ours: 'TRUC-violation', theirs: 'TRUC-violation' });
  const old = spend([next()], [pay(locks.p2tr, 99_000n)]);
  assert.deepEqual(await duel.one(old), { ours: undefined, theirs: undefined });
  const mixed = spend([coinOf(old, 0, locks.p2tr)], [pay(locks.p2tr, 98_000n)], V3);
  assert.deepEqual(await duel.one(mixed), { ours: 'TRUC-violation', theirs: 'TRUC-violation' });

  // Replacing by fee without signalling, across versions.
  const first = next();
  const before = spend([first], [pay(locks.p2tr, 99_500n)]);
  assert.deepEqual(await duel.one(before), { ours: undefined, theirs: undefined });
  const after = spend([first], [pay(locks.p2tr, 99_000n)], V3);
  assert.deepEqual(await duel.one(after), { ours: undefined, theirs: undefined });

  // A package that replaces a package.
  const shared = next();
  const [feeA, feeB] = [next(), next()];
  const oldParent = spend([shared], [pay(locks.p2tr, 100_000n), P2A], V3);
  await bothTake(oldParent, spend([anchorOf(oldParent), feeA], [pay(locks.p2tr, 99_000n)], V3));
  const newParent = spend([shared], [pay(locks.p2wpkh, 100_000n), P2A], V3);
  const poor = spend([anchorOf(newParent), feeB], [pay(locks.p2tr, 99_000n)], V3);
  const refused = await duel.family(newParent, poor);
  assert.match(refused.ours ?? '', /^package RBF failed/);
  assert.ok(refused.theirs.some((reason) => reason.startsWith('package RBF failed')));
  await bothTake(newParent, spend([anchorOf(newParent), feeB], [pay(locks.p2tr, 96_000n)], V3));
  await duel.mine(1);
});

bitcoindTest('long families: both draw the line at the same member', async (node) => {
  const world = testChain();
  const { locks } = world;
  const duel = new Duel(world, node);
  const [start, trunk, own] = (await world.fund([locks.p2tr, locks.p2tr, locks.p2tr])) as [
    TestCoin,
    TestCoin,
    TestCoin,
  ];
  await duel.sync();
  const after = (tx: Tx, fee: bigint): Tx =>
    spend([coinOf(tx, 0, locks.p2tr)], [pay(locks.p2tr, tx.outputs[0]!.value - fee)]);

  // One after the other: 25 and no more.
  let last = spend([start], [pay(locks.p2tr, 99_000n)]);
  for (let count = 1; count <= 25; count++) {
    assert.deepEqual(await duel.one(last), { ours: undefined, theirs: undefined });
    last = after(last, 500n);
  }
  assert.deepEqual(await duel.one(last), { ours: 'too-long-mempool-chain', theirs: 'too-long-mempool-chain' });

  // One parent with two outputs: a line of 24 behind the first, and the second party's child all the same.
  const parent = spend([trunk, own], [pay(locks.p2tr, 90_000n), pay(locks.p2tr, 90_000n)]);
  assert.deepEqual(await duel.one(parent), { ours: undefined, theirs: undefined });
  let line = after(parent, 500n);
  for (let count = 1; count <= 24; count++) {
    assert.deepEqual(await duel.one(line), { ours: undefined, theirs: undefined });
    line = after(line, 500n);
  }
  const carved = spend([coinOf(parent, 1, locks.p2tr)], [pay(locks.p2tr, 80_000n)]);
  assert.deepEqual(await duel.one(carved), { ours: undefined, theirs: undefined });
  const another = after(carved, 500n);
  assert.deepEqual(await duel.one(another), { ours: 'too-long-mempool-chain', theirs: 'too-long-mempool-chain' });
  const richer = spend([coinOf(parent, 1, locks.p2tr)], [pay(locks.p2tr, 70_000n)]);
  assert.deepEqual(await duel.one(richer), { ours: undefined, theirs: undefined });
});

bitcoindTest('legacy signature checks: both draw the line at the same input', async (node) => {
  const world = testChain();
  const { locks } = world;
  const duel = new Duel(world, node);
  // Fifteen checks that never run; BIP54 counts them all the same.
  const redeem = script(OP.FALSE, OP.IF, new Uint8Array(15).fill(OP.CHECKSIG), OP.ENDIF, OP.ONE);
  const heavy: Lock = {
    script: script(OP.HASH160, push(hash160(redeem)), OP.EQUAL),
    unlock: () => ({ scriptSig: push(redeem), witness: [] }),
  };
  const [source] = await world.fund([locks.p2tr], 1_000_000n);
  const many = Array.from({ length: 167 }, () => pay(heavy, 5_000n));
  const split = spend([source!], many);
  await world.chain.broadcast(split);
  await world.chain.mine(1);
  await duel.sync();
  const coins = many.map((_, vout) => coinOf(split, vout, heavy));
  const reason = 'bad-txns-nonstandard-inputs';
  assert.deepEqual(await duel.one(spend(coins, [pay(locks.p2tr, 700_000n)])), { ours: reason, theirs: reason });
  const fewer = spend(coins.slice(1), [pay(locks.p2tr, 700_000n)]);
  assert.deepEqual(await duel.one(fewer), { ours: undefined, theirs: undefined });
});

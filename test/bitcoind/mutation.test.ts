/** Thousands of damaged transactions, packages and blocks: we accept none that bitcoind rejects. */
import assert from 'node:assert/strict';
import { type Bitcoind, bitcoindTest } from '../support/bitcoind.ts';
import { draftOn, mutatedBlock } from '../support/block-mutations.ts';
import { Tally } from '../support/differences.ts';
import { Duel } from '../support/duel.ts';
import { Forge } from '../support/forge.ts';
import { type Dice, dice } from '../support/mutations.ts';
import { type TestChain, testChain } from '../support/regtest.ts';

const seed = Number(process.env.SEED ?? 1);
/** How often as many as usual: thousands of each kind with 1. */
const scale = Number(process.env.SCALE ?? 1);
const TURN = 25;

interface Bout {
  readonly world: TestChain;
  readonly duel: Duel;
  readonly forge: Forge;
  readonly roll: Dice;
  readonly tally: Tally;
}

/** Plays `rounds` rounds in turns, each with a new block and fresh coins; both have the same mempool in between. */
async function fight(
  node: Bitcoind,
  rounds: number,
  turn: (bout: Bout, size: number) => Promise<void>,
): Promise<Tally> {
  const world = testChain();
  const duel = new Duel(world, node);
  const roll = dice(seed);
  const forge = new Forge(world, roll);
  const tally = new Tally();
  for (let left = rounds * scale; left > 0; left -= TURN) {
    await forge.turn();
    await duel.sync();
    await turn({ world, duel, forge, roll, tally }, Math.min(left, TURN));
    await duel.compareMempools();
  }
  process.stderr.write(`seed ${seed}: ${tally}\n`);
  tally.checkListed();
  return tally;
}

bitcoindTest('of mutated transactions we accept none that bitcoind rejects', async (node) => {
  const tally = await fight(node, 2_500, async ({ duel, forge, tally }, size) => {
    for (let i = 0; i < size; i++) {
      const forged = forge.damaged();
      if ((await duel.tx(forged.tx)) === undefined) forge.accepted(forged);
    }
    for (const { ours, theirs, subject } of await duel.ask()) {
      tally.add(ours, theirs === undefined);
      if (theirs !== undefined) assert.equal(ours, theirs, `seed ${seed}: ${subject}`);
    }
  });
  assert.ok(tally.accepted > 250 * scale && tally.reasons >= 20);
});

bitcoindTest('of mutated packages we accept none that bitcoind rejects', async (node) => {
  const tally = await fight(node, 1_500, async ({ duel, forge, tally }, size) => {
    for (let i = 0; i < size; i++) {
      const [parent, child] = forge.family();
      const { ours, theirs } = await duel.family(parent.tx, child.tx);
      tally.add(ours, theirs.length === 0);
      if (ours !== undefined) continue;
      forge.accepted(parent);
      forge.accepted(child);
    }
  });
  assert.ok(tally.accepted > 50 * scale && tally.reasons >= 15);
});

bitcoindTest('of mutated blocks we accept none that bitcoind rejects', async (node) => {
  let extra = 0;
  const tally = await fight(node, 1_500, async ({ world, duel, forge, roll, tally }, size) => {
    for (let i = 0; i < size; i++) {
      const forged = Array.from({ length: roll(4) }, () => forge.honest());
      const block = mutatedBlock(await draftOn(world, forged, extra++), roll);
      if ((await duel.block(block)) !== undefined) continue;
      for (const part of forged) if (block.txs.includes(part.tx)) forge.accepted(part);
    }
    for (const { ours, theirs, subject } of await duel.ask()) {
      tally.add(ours, theirs === undefined);
      if (theirs !== undefined) assert.equal(ours, theirs, `seed ${seed}: ${subject}`);
    }
  });
  assert.ok(tally.accepted > 100 * scale && tally.reasons >= 20);
});

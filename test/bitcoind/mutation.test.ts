import assert from 'node:assert/strict';
import { bitcoindTest } from '../support/bitcoind.ts';
import { Duel } from '../support/duel.ts';
import { Forge } from '../support/forge.ts';
import { dice } from '../support/mutations.ts';
import { testChain } from '../support/regtest.ts';

const seed = Number(process.env.SEED ?? 1);
const rounds = Number(process.env.ROUNDS ?? 500);
const TURN = 25;

bitcoindTest('of mutated transactions we accept none that bitcoind rejects', async (node) => {
  const world = testChain();
  const duel = new Duel(world, node);
  const forge = new Forge(world, dice(seed));
  let accepted = 0;
  for (let round = 0; round < rounds; round++) {
    if (round % TURN === 0) {
      await forge.turn();
      await duel.sync();
    }
    const forged = forge.damaged();
    const { ours, theirs } = await duel.one(forged.tx);
    assert.equal(ours, theirs, `round ${round} of seed ${seed}`);
    if (ours !== undefined) continue;
    accepted++;
    forge.accepted(forged);
  }
  assert.ok(accepted > rounds / 10, `${accepted} of ${rounds} accepted`);
});

bitcoindTest('of mutated packages we accept none that bitcoind rejects', async (node) => {
  const world = testChain();
  const duel = new Duel(world, node);
  const forge = new Forge(world, dice(seed));
  const reasons = new Map<string, number>();
  for (let round = 0; round < rounds; round++) {
    if (round % TURN === 0) {
      await forge.turn();
      await duel.sync();
    }
    const [parent, child] = forge.family();
    const reason = await duel.pair(parent.tx, child.tx);
    reasons.set(reason ?? 'accepted', (reasons.get(reason ?? 'accepted') ?? 0) + 1);
    if (reason !== undefined) continue;
    forge.accepted(parent);
    forge.accepted(child);
  }
  assert.ok(reasons.get('accepted')! > rounds / 40);
});

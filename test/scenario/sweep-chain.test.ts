/**
 * Threats 11 and 16 for sweeps: what blocks cost, chains that turn back, owners who leave in the last moment, and a
 * server that dies between any two writes; nothing that is the server's stays behind, nothing is taken that is not.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { coinOf } from '../../src/ark/client/account.ts';
import { settle } from '../../src/ark/client/batch.ts';
import { send } from '../../src/ark/client/offchain.ts';
import { spendableCoins, vtxosOf } from '../../src/ark/client/vtxos.ts';
import { subDustScript } from '../../src/ark/protocol/vtxo.ts';
import type { Txid } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { feeRate } from '../../src/base/units.ts';
import { relativeTimelock } from '../../src/bitcoin/timelock.ts';
import { parseTx, txidOf } from '../../src/bitcoin/tx.ts';
import { createRegtestChain } from '../../src/chain/regtest/chain.ts';
import { pass, payAll, renewed } from '../support/fraud.ts';
import { mineEmpty, takeOver } from '../support/rival.ts';
import { fundedChild, unroll } from '../support/unroll.ts';
import { paid, secp, type User, type World, type WorldOptions, world } from '../support/world.ts';

const EXPIRY = 30;

const expiring = (seed: string, options: Partial<WorldOptions> = {}): Promise<World> =>
  world({ seed, ...options, settings: { batchExpiry: relativeTimelock(EXPIRY), ...options.settings } });

const states = async ({ client, account }: User) =>
  (await vtxosOf(client, account)).map(({ isSwept, isSpent, isUnrolled }) => ({ isSwept, isSpent, isUnrolled }));

const LIVE = { isSwept: false, isSpent: false, isUnrolled: false };
const SWEPT = { ...LIVE, isSwept: true };
const UNROLLED = { ...LIVE, isUnrolled: true };

interface SweepRow {
  readonly txid: Txid;
  readonly tx: string;
  readonly confirmed_height: bigint | null;
}
const sweepsOf = async ({ db }: World): Promise<SweepRow[]> => {
  const rows: readonly unknown[] = await db.read('select * from ark_sweep order by created_at, height');
  return rows as SweepRow[];
};

async function settled(w: World, name: string, amount = 50_000): Promise<User> {
  const user = await w.user(name);
  await w.note(user, amount);
  await w.settle(user);
  await w.mine(1);
  return user;
}

describe('expired batches', () => {
  test('that are due together are swept by one transaction, and closed once it is buried', async () => {
    const w = await expiring('sweep/many');
    const users = [await settled(w, 'alice'), await settled(w, 'bob'), await settled(w, 'carol')];
    w.onChain({ feeRate: async () => feeRate(2_000) });
    await pass(w, EXPIRY);
    assert.deepEqual(await sweepsOf(w), [], 'at such a rate nothing is worth its fee');
    for (const user of users) assert.deepEqual(await states(user), [LIVE]);
    w.onChain(undefined);
    await w.mine(1);
    const [sweep, ...others] = await sweepsOf(w);
    assert.deepEqual(others, []);
    assert.equal(parseTx(sweep!.tx).inputs.length, 3);
    for (const user of users) assert.deepEqual(await states(user), [SWEPT]);
    await w.audit.check();
    await pass(w, 14);
    assert.deepEqual(await w.db.read('select id from ark_batch where swept = 0'), []);
    await w.audit.check();
  });

  test('leave nothing behind: connectors, forfeits, checkpoints and trees come back to the satoshi', async () => {
    const w = await expiring('sweep/nothing-left');
    const users = await Promise.all(['alice', 'bob', 'carol', 'dave', 'erin'].map((name) => w.user(name)));
    const old = await renewed(w, users);
    // Alice cheats with what she forfeited; Bob pays Carol, and cheats with what he paid with.
    await unroll(w, old[0]!.branch);
    await pass(w, 4);
    const payment = await payAll(w, users[1]!, users[2]!);
    assert.ok(payment.checkpoints.length > 0);
    await pass(w, EXPIRY + 20);
    await w.audit.check();
    await pass(w, EXPIRY);
    assert.equal(await w.audit.held(), 0n, 'nothing of it stands on chain any more');
    await w.audit.check();
  });

  test('are still owed: what was swept settles without a forfeit, with amounts below dust and a note beside it', async () => {
    const w = await expiring('sweep/mixed');
    const [alice, bob] = [await settled(w, 'alice'), await settled(w, 'bob')];
    const coins = await spendableCoins(bob.client, bob.account);
    const little = { value: 100n, script: subDustScript(alice.account.vtxo.outputKey) };
    await w.run(send(bob.client, bob.account, coins, [little, paid(bob.account, [], 49_900n)]));
    await pass(w, EXPIRY);
    const owed = await vtxosOf(alice.client, alice.account, 'recoverableOnly');
    assert.deepEqual(owed.map(({ amount }) => amount).sort(), [100n, 50_000n]);
    const note = await w.note(alice, 3_000);
    const recoverable = owed.map((vtxo) => coinOf(alice.account, 'recoverable', vtxo.outpoint, vtxo.amount));
    const order = { coins: [...recoverable, note], receivers: [paid(alice.account, [], 53_100n)], onchain: [] };
    await w.run(settle(alice.client, alice.account, order));
    await w.mine(1);
    assert.deepEqual(
      (await spendableCoins(alice.client, alice.account)).map(({ amount }) => amount),
      [53_100n],
    );
    await w.audit.check();
  });
});

describe('a sweep', () => {
  test('that no block takes is replaced by a dearer one of the same outputs', async () => {
    const w = await expiring('sweep/stuck');
    const alice = await settled(w, 'alice');
    await pass(w, EXPIRY - 1);
    const [first] = await sweepsOf(w);
    w.onChain({ feeRate: async () => feeRate(10) });
    await mineEmpty(w, 7);
    const [second, ...others] = await sweepsOf(w);
    assert.deepEqual(others, []);
    assert.notEqual(second!.txid, first!.txid);
    assert.equal(await w.chain.transaction(first!.txid), undefined);
    assert.deepEqual(await states(alice), [SWEPT]);
    await w.mine(1);
    assert.ok((await w.chain.transaction(second!.txid))?.confirmation);
    await w.audit.check();
  });

  for (const depth of [1, 6]) {
    test(`that a reorganization of ${depth} takes out of its block is confirmed again`, async () => {
      const w = await expiring(`sweep/reorg/${depth}`);
      const alice = await settled(w, 'alice');
      await pass(w, EXPIRY + 5);
      await w.reorg(depth);
      await pass(w, depth);
      const [sweep] = await sweepsOf(w);
      assert.ok(sweep!.confirmed_height !== null);
      assert.deepEqual(await states(alice), [SWEPT]);
      await w.audit.check();
    });
  }

  /** A block in which the owner's unroll stands where the sweep was waiting. */
  async function overtaken(w: World, branch: Parameters<typeof unroll>[1]): Promise<void> {
    const [first] = branch;
    const child = await fundedChild(w, first!, { confirmed: false });
    const { height } = await w.chain.tip();
    const rival = createRegtestChain({ secp, now: () => Math.floor(w.clock.now() / 1000), initialBlocks: 0 });
    await rival.restore({ ...(await w.chain.snapshot()), waiting: [] });
    await rival.broadcastPackage(first!, child);
    await rival.mine(1);
    await takeOver(w, rival, height);
  }

  test('that an unroll overtakes takes its marks back: the owner has the VTXO on chain, the others are swept again', async () => {
    const w = await expiring('sweep/overtaken');
    const users = await Promise.all(['alice', 'bob', 'carol'].map((name) => w.user(name)));
    for (const user of users) await w.note(user, 10_000);
    const outcomes = await w.settle(...users);
    await w.mine(1);
    // A coin for the child that pays.
    await fundedChild(w, outcomes[0]!.branch[0]!);
    await pass(w, EXPIRY - 2);
    for (const user of users) assert.deepEqual(await states(user), [SWEPT]);
    await overtaken(w, outcomes[0]!.branch);
    await w.mine(1);
    for (const tx of outcomes[0]!.branch.slice(1)) assert.equal(await w.chain.transaction(txidOf(tx)), undefined);
    assert.ok((await w.chain.transaction(txidOf(outcomes[0]!.branch[0]!)))?.confirmation);
    // The new frontier waits for its own expiry before it can be swept.
    for (const user of users) assert.deepEqual(await states(user), [LIVE]);
    await unroll(w, outcomes[0]!.branch.slice(1));
    await pass(w, EXPIRY + 2);
    assert.deepEqual(await states(users[0]!), [UNROLLED]);
    assert.deepEqual(await states(users[1]!), [SWEPT]);
    assert.deepEqual(await states(users[2]!), [SWEPT]);
    await w.audit.check();
  });

  test('that a full mempool refuses is tried again', async () => {
    const w = await expiring('sweep/full');
    const alice = await settled(w, 'alice');
    w.onBroadcast(async () => {
      throw new ProtocolError('TX_REJECTED', 'mempool full', { reason: 'mempool full' });
    });
    await pass(w, EXPIRY);
    assert.deepEqual(await states(alice), [LIVE]);
    assert.deepEqual(await sweepsOf(w), []);
    w.onBroadcast(undefined);
    await w.mine(1);
    assert.deepEqual(await states(alice), [SWEPT]);
    await w.audit.check();
  });

  test('of many outputs goes on without the one that somebody else is spending', async () => {
    const w = await expiring('sweep/halves');
    const users = [await settled(w, 'alice'), await settled(w, 'bob'), await settled(w, 'carol')];
    const [contested] = await w.db.read<{ commitment_txid: string }>(
      'select commitment_txid from ark_batch order by started_at limit 1',
    );
    w.onBroadcast(async (tx) => {
      const hits = tx.inputs.some(({ prevout }) => prevout.txid === contested!.commitment_txid);
      if (hits) throw new ProtocolError('TX_MISSING_INPUTS', 'spent otherwise', {});
      return w.chain.broadcast(tx);
    });
    await pass(w, EXPIRY + 2);
    assert.deepEqual(await states(users[0]!), [LIVE]);
    assert.deepEqual(await states(users[1]!), [SWEPT]);
    assert.deepEqual(await states(users[2]!), [SWEPT]);
    w.onBroadcast(undefined);
    await w.mine(1);
    assert.deepEqual(await states(users[0]!), [SWEPT]);
    await w.audit.check();
  });

  for (const when of ['before', 'after'] as const) {
    test(`survives a server that dies ${when} any of its writes`, async () => {
      for (let write = 1; write <= 4; write++) {
        const w = await expiring(`sweep/crash/${when}/${write}`);
        const alice = await settled(w, 'alice');
        await pass(w, EXPIRY - 2);
        w.crashAt({ write, when });
        await pass(w, 2);
        await w.restart();
        await w.mine(1);
        assert.deepEqual(await states(alice), [SWEPT]);
        await w.audit.check();
      }
    });
  }
});

describe('on a network where blocks cost something', () => {
  test('VTXOs count as swept once their sweep has two confirmations, and no sooner', async () => {
    const w = await expiring('sweep/mainnet', { network: 'mainnet' });
    const alice = await settled(w, 'alice');
    await pass(w, EXPIRY - 1);
    assert.equal((await sweepsOf(w)).length, 1);
    assert.deepEqual(await states(alice), [LIVE]);
    await w.mine(1);
    assert.deepEqual(await states(alice), [LIVE]);
    await w.mine(1);
    assert.deepEqual(await states(alice), [SWEPT]);
    await w.audit.check();
  });

  test('a restart and a reorganization in between change nothing', async () => {
    const w = await expiring('sweep/mainnet/restart', { network: 'mainnet' });
    const alice = await settled(w, 'alice');
    await pass(w, EXPIRY);
    await w.reorg(1);
    await w.restart();
    await w.mine(1);
    assert.deepEqual(await states(alice), [LIVE]);
    await w.restart();
    await w.mine(1);
    assert.deepEqual(await states(alice), [SWEPT]);
    await w.audit.check();
  });
});

describe('a checkpoint that was left', () => {
  test('is taken back after the delay it was made with, whatever the delay is now', async () => {
    const w = await world({ seed: 'sweep/old-delay', settings: { checkpointExitDelay: relativeTimelock(10) } });
    const [alice, bob] = [await w.user('alice'), await w.user('bob')];
    await w.note(alice, 50_000);
    const [first] = await w.settle(alice);
    await w.mine(1);
    const payment = await payAll(w, alice, bob);
    const outpoint = { txid: txidOf(payment.checkpoints[0]!.tx), vout: 0 };
    await w.restart({ checkpointExitDelay: relativeTimelock(40) });
    await unroll(w, first!.branch);
    await pass(w, 8);
    assert.ok((await w.chain.output(outpoint))?.confirmation);
    assert.equal((await w.chain.output(outpoint))?.spentBy, undefined);
    await pass(w, 6);
    assert.ok((await w.chain.output(outpoint))?.spentBy?.confirmation, 'the server has taken it back');
    await w.audit.check();
  });

  test('and another one are taken back together, and again after a reorganization', async () => {
    const w = await world({ seed: 'sweep/checkpoints' });
    const bob = await w.user('bob');
    const cheats = [await w.user('alice'), await w.user('carol')];
    for (const user of cheats) await w.note(user, 50_000);
    const outcomes = await w.settle(...cheats);
    await w.mine(1);
    for (const user of cheats) await payAll(w, user, bob);
    for (const { branch } of outcomes) await unroll(w, branch);
    await pass(w, 4);
    w.onChain({ feeRate: async () => feeRate(2_000) });
    await pass(w, 12);
    assert.deepEqual(await sweepsOf(w), []);
    w.onChain(undefined);
    await w.mine(1);
    const [sweep, ...others] = await sweepsOf(w);
    assert.deepEqual(others, []);
    assert.equal(parseTx(sweep!.tx).inputs.length, 2);
    await w.reorg(6);
    await pass(w, 8);
    assert.ok((await w.chain.transaction((await sweepsOf(w))[0]!.txid))?.confirmation);
    await w.audit.check();
  });
});

test('ten thousand payments that descend from a batch are marked with it, each by the time it changed', async () => {
  const w = await expiring('sweep/deep');
  const alice = await settled(w, 'alice');
  const [root] = await w.db.read<{ outpoint: string }>("select outpoint from ark_vtxo where origin = 'batch'");
  const id = (n: number): string => n.toString(16).padStart(64, '0');
  const HOPS = 10_000;
  await w.db.write(async (tx) => {
    for (let hop = 1; hop <= HOPS; hop++) {
      await tx.run(
        `insert into ark_vtxo (outpoint, txid, vout, amount, script, origin, commitment_txids, depth, created_at,
           updated_at, expires_at, spent_by, ark_txid, assets)
         select $1, $2, 0, amount, script, 'offchain', commitment_txids, $3, created_at, updated_at, expires_at, $4, $5, ''
         from ark_vtxo where outpoint = $6`,
        [`${id(hop)}:0`, id(hop), hop, hop < HOPS ? id(hop) : null, hop < HOPS ? id(hop + 1) : null, root!.outpoint],
      );
    }
    await tx.run('update ark_vtxo set spent_by = $1, ark_txid = $1 where outpoint = $2', [id(1), root!.outpoint]);
  });
  const before = w.clock.now();
  await pass(w, EXPIRY - 2);
  await w.clock.advance(1_000);
  await w.mine(1);
  const [marked] = await w.db.read<{ n: bigint; least: bigint; expiries: bigint }>(
    `select count(*) as n, min(updated_at) as least, count(distinct expires_at) as expiries
     from ark_vtxo where swept = 1 and origin <> 'note'`,
  );
  assert.equal(marked!.n, BigInt(HOPS + 1));
  assert.equal(marked!.expiries, 1n);
  assert.ok(marked!.least >= BigInt(before + 1_000));
  const [last] = await vtxosOf(alice.client, alice.account, 'recoverableOnly');
  assert.equal(last!.outpoint.txid, id(HOPS));
});

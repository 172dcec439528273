/**
 * Threats 2 to 4 and 25 to 27: whoever puts spent VTXOs on chain is answered in time, whatever blocks cost, whoever
 * stands in the way, and however many come at once; and the books balance to the satoshi after it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { send } from '../../src/ark/client/offchain.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import { finalize } from '../../src/ark/protocol/leaf-spend.ts';
import { feeRate } from '../../src/base/units.ts';
import { txidOf } from '../../src/bitcoin/tx.ts';
import { NodeError } from '../../src/chain/node-error.ts';
import {
  answersOf,
  answerTo,
  assertAnswered,
  EXIT_DELAY,
  pass,
  payAll,
  payerOf,
  renewed,
  spenderOf,
  vtxoKey,
} from '../support/fraud.ts';
import { mineEmpty } from '../support/rival.ts';
import { broadcastAll, broadcastWithChild, fundedChild, takenBack, unroll } from '../support/unroll.ts';
import { paid, type User, type World, world } from '../support/world.ts';

const usersOf = (w: World, count: number): Promise<User[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => w.user(`user ${i}`)));

describe('an answer that no block takes', () => {
  test('pays more with every block, all that is at stake at the end, and is there in time once a block takes it', async () => {
    const w = await world({ seed: 'fraud/bump' });
    const [old] = await renewed(w, await usersOf(w, 1));
    await unroll(w, old!.branch);
    const outpoint = vtxoKey(old!);
    // The connector has come along; the forfeit waits in the mempool.
    await w.mine(1);
    const forfeit = await answerTo(w, outpoint);
    const fees: bigint[] = [];
    const payers = new Set<string>();
    for (let block = 0; block < EXIT_DELAY - 4; block++) {
      const payer = await payerOf(w, forfeit);
      assert.ok(payer, 'the forfeit is paid for');
      fees.push(payer.fee);
      payers.add(payer.txid);
      await mineEmpty(w, 1);
    }
    for (let i = 1; i < fees.length; i++) assert.ok(fees[i]! > fees[i - 1]!, `fees grow: ${fees}`);
    assert.equal(payers.size, fees.length);
    assert.ok(fees.at(-1)! > 20_000n && fees.at(-1)! <= 50_000n, `towards the stake of 50,000: ${fees}`);
    await w.mine(1);
    await assertAnswered(w, outpoint);
    await w.audit.check();
  });

  test('that costs more than is at stake waits for lower fees', async () => {
    const w = await world({ seed: 'fraud/dear' });
    const [old] = await renewed(w, await usersOf(w, 1), 10_000);
    w.onChain({ feeRate: async () => feeRate(500) });
    await unroll(w, old!.branch);
    await pass(w, 3);
    assert.equal(await spenderOf(w, vtxoKey(old!)), undefined);
    w.onChain(undefined);
    await pass(w, 4);
    await assertAnswered(w, vtxoKey(old!));
    await w.audit.check();
  });

  test('because its commitment is in no block yet gets the commitment into one', async () => {
    const w = await world({ seed: 'fraud/commitment' });
    const [alice, bob] = (await usersOf(w, 2)) as [User, User];
    await w.note(alice, 50_000);
    const [old] = await w.settle(alice);
    await w.mine(1);
    await w.note(bob, 1_000);
    const [fresh] = await w.settle(alice, bob);
    for (const tx of old!.branch) {
      const child = await fundedChild(w, tx);
      // Only what the cheat pays for is mined.
      await mineEmpty(w, 1);
      await w.chain.broadcastPackage(tx, child);
      await w.rest();
    }
    const commitment = (await w.chain.transaction(fresh!.commitmentTxid))!.tx;
    const change = { txid: fresh!.commitmentTxid, vout: commitment.outputs.length - 1 };
    await mineEmpty(w, 2);
    assert.ok((await w.chain.output(change))?.spentBy, 'a child pays more for the commitment');
    await pass(w, 4);
    await assertAnswered(w, vtxoKey(old!));
    await w.audit.check();
  });
});

describe('somebody in the way', () => {
  test('a child of a stranger that pays too little for its size is replaced (TRUC sibling eviction)', async () => {
    const w = await world({ seed: 'fraud/pin' });
    const [alice, bob] = (await usersOf(w, 2)) as [User, User];
    await w.note(alice, 50_000);
    const [settled] = await w.settle(alice);
    await w.mine(1);
    const payment = await payAll(w, alice, bob);
    await pass(w, 2);
    const checkpoint = finalize(payment.checkpoints[0]!);
    // Alice knows the checkpoint too, and pins it with a child as large as she may and as cheap as she can.
    const pin = await fundedChild(w, checkpoint, { outputs: 18, rate: 1 });
    await unroll(w, settled!.branch);
    await w.chain.broadcastPackage(checkpoint, pin);
    await w.rest();
    for (let block = 0; block < 6; block++) await mineEmpty(w, 1);
    const payer = await payerOf(w, txidOf(checkpoint));
    assert.ok(payer && payer.txid !== txidOf(pin), 'the pin is gone');
    assert.equal(await w.chain.transaction(txidOf(pin)), undefined);
    await w.mine(1);
    await assertAnswered(w, vtxoKey(settled!));
    await w.audit.check();
  });

  test('a child that was replaced away is put back with the next block (replacement cycling)', async () => {
    const w = await world({ seed: 'fraud/cycle' });
    const [old] = await renewed(w, await usersOf(w, 1));
    await unroll(w, old!.branch);
    await w.mine(1);
    const forfeit = await answerTo(w, vtxoKey(old!));
    const parent = (await w.chain.transaction(forfeit))!.tx;
    const before = (await payerOf(w, forfeit))!;
    // The cheat takes the anchor with a dearer child, and then that child's own coin with another transaction.
    const own = await fundedChild(w, parent, { fee: before.fee + 2_000n, confirmed: false });
    await w.chain.broadcast(own);
    assert.equal((await payerOf(w, forfeit))!.txid, txidOf(own));
    await w.chain.broadcast(await takenBack(w, own));
    assert.equal(await payerOf(w, forfeit), undefined, 'nobody pays for the forfeit now');
    await mineEmpty(w, 1);
    assert.ok(await payerOf(w, forfeit), 'the server pays again');
    await w.mine(1);
    await assertAnswered(w, vtxoKey(old!));
    await w.audit.check();
  });
});

describe('many at once', () => {
  test('sixty-four users who all put forfeited VTXOs on chain while fees rise: each is answered, nobody honest is hurt', async () => {
    const w = await world({ seed: 'fraud/mass', settings: { reserveCoins: 80 } });
    const cheats = await usersOf(w, 64);
    const honest = await w.user('honest');
    const old = await renewed(w, cheats);
    await w.note(honest, 70_000);
    const [own] = await w.settle(honest);
    await pass(w, 3);
    let rate = 1;
    w.onChain({ feeRate: async () => feeRate(rate) });
    const branches = new Map(old.flatMap(({ branch }) => branch.map((tx) => [txidOf(tx), tx])));
    const levels = Math.max(...old.map(({ branch }) => branch.length));
    for (let level = 0; level < levels; level++) {
      await broadcastAll(
        w,
        old.flatMap(({ branch }) => branch[level] ?? []),
      );
      await w.mine(1);
      rate *= 1.5;
    }
    for (const txid of branches.keys()) assert.ok((await w.chain.transaction(txid))?.confirmation);
    for (let block = 0; block < EXIT_DELAY - 2; block++) {
      await w.mine(1);
      rate = Math.min(60, rate * 1.2);
    }
    for (const outcome of old) await assertAnswered(w, vtxoKey(outcome));
    await unroll(w, own!.branch);
    await pass(w, EXIT_DELAY);
    assert.equal(await spenderOf(w, vtxoKey(own!)), undefined, 'an honest exit is left alone');
    await w.audit.check();
  });

  test('a VTXO split in sixteen off-chain and settled, then put on chain: one checkpoint and its reclaim, whatever hung below', async () => {
    const w = await world({ seed: 'fraud/amplified' });
    const alice = await w.user('alice');
    await w.note(alice, 160_000);
    const [settled] = await w.settle(alice);
    await w.mine(1);
    for (let level = 0; level < 2; level++) {
      for (const coin of await spendableCoins(alice.client, alice.account)) {
        const quarter = paid(alice.account, [], coin.amount / 4n);
        await w.run(send(alice.client, alice.account, [coin], [quarter, quarter, quarter, quarter]));
      }
    }
    assert.equal((await spendableCoins(alice.client, alice.account)).length, 16);
    await w.settle(alice);
    await pass(w, 2);
    const before = new Set(w.broadcasts.keys());
    await unroll(w, settled!.branch);
    await pass(w, EXIT_DELAY + 5);
    const answers = await answersOf(w, before);
    assert.equal(answers.length, 2, 'the checkpoint, and what takes its output back');
    await assertAnswered(w, vtxoKey(settled!));
    await w.audit.check();
  });

  test('a forfeited radix tree put on chain leaf by leaf costs less than two and a half answers each', async () => {
    const w = await world({ seed: 'fraud/radix', settings: { reserveCoins: 60 } });
    const cheats = await usersOf(w, 16);
    const old = await renewed(w, cheats);
    const before = new Set(w.broadcasts.keys());
    for (const { branch } of old) await unroll(w, branch);
    await pass(w, EXIT_DELAY);
    const answers = await answersOf(w, before);
    // A forfeit each, and the connector tree of radix four once.
    assert.ok(answers.length <= 16 + 16 + 4 + 1 + 3, `${answers.length}`);
    await w.audit.check();
  });
});

describe('whatever happens meanwhile', () => {
  test('the server restarts before every block', async () => {
    const w = await world({ seed: 'fraud/restarts' });
    const [old] = await renewed(w, await usersOf(w, 5));
    for (const tx of old!.branch) {
      await broadcastWithChild(w, tx);
      await w.restart();
      await w.mine(1);
    }
    for (let block = 0; block < 4; block++) {
      await w.restart();
      await w.mine(1);
    }
    await assertAnswered(w, vtxoKey(old!));
    await w.audit.check();
  });

  for (const depth of [1, 3, 7]) {
    test(`a reorganization takes ${depth} blocks with the answer in them`, async () => {
      const w = await world({ seed: `fraud/reorg/${depth}` });
      const [old] = await renewed(w, await usersOf(w, 2));
      await unroll(w, old!.branch);
      await pass(w, 5);
      await assertAnswered(w, vtxoKey(old!));
      await w.reorg(depth);
      await pass(w, depth + 4);
      await assertAnswered(w, vtxoKey(old!));
      await w.audit.check();
      await w.restart();
    });
  }

  test('the node is away for a while', async () => {
    const w = await world({ seed: 'fraud/away' });
    const [old] = await renewed(w, await usersOf(w, 2));
    const away = (): never => {
      throw new NodeError('NODE_UNREACHABLE', 'nobody answers');
    };
    const silence = async () => away();
    w.onChain({ tip: silence, transaction: silence, output: silence, unspent: silence, feeRate: silence });
    await unroll(w, old!.branch);
    await pass(w, 6);
    w.onChain(undefined);
    await pass(w, 5);
    await assertAnswered(w, vtxoKey(old!));
    await w.audit.check();
  });

  test('no coin can pay: the alarm is raised, and the answer follows once there is one', async () => {
    const w = await world({ seed: 'fraud/poor', settings: { reserveCoins: 4 } });
    const [old] = await renewed(w, await usersOf(w, 1));
    const { wallet, reserve } = w.serverScripts;
    const isOwn = (script: Uint8Array): boolean => [wallet, reserve].some((own) => Buffer.compare(own, script) === 0);
    w.onChain({ unspent: async (script) => (isOwn(script) ? [] : w.chain.unspent(script)) });
    await unroll(w, old!.branch);
    await pass(w, 3);
    const state = await w.admin<Record<string, string | number>>('wallet/reserve');
    assert.equal(state.ready, 0);
    assert.ok(BigInt(state.shortfall!) > 0n);
    assert.equal(await spenderOf(w, vtxoKey(old!)), undefined);
    w.onChain(undefined);
    await pass(w, 4);
    await assertAnswered(w, vtxoKey(old!));
    await w.audit.check();
  });
});

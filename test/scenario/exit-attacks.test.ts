/**
 * Threats 5, 16 and 17: coins that are on chain already, come from there, or leave for it: boarded before they are
 * safe, drawn out by a neighbour's exit, asked for twice; and payouts that the network loses on the way.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Coin, coinOf } from '../../src/ark/client/account.ts';
import { settle } from '../../src/ark/client/batch.ts';
import { send } from '../../src/ark/client/offchain.ts';
import { spendableCoins, vtxosOf } from '../../src/ark/client/vtxos.ts';
import { finalize, leafFields, leafOfVtxo, signLeaves } from '../../src/ark/protocol/leaf-spend.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { feeRate, sats } from '../../src/base/units.ts';
import { createPsbt, EMPTY_INPUT } from '../../src/bitcoin/psbt.ts';
import { type Tx, type TxOut, txIn, txidOf } from '../../src/bitcoin/tx.ts';
import { refusal } from '../support/adversary.ts';
import { EXIT_DELAY, pass, payAll, vtxoKey } from '../support/fraud.ts';
import { locksOf } from '../support/locks.ts';
import { coinOf as chainCoin, spend } from '../support/regtest.ts';
import { mineEmpty, rivalOf, takeOver } from '../support/rival.ts';
import { unroll } from '../support/unroll.ts';
import { paid, secp, type User, type World, type WorldOptions, world } from '../support/world.ts';

const STRANGER = locksOf(secp, 'stranger').p2tr;

/** All of `coins` into one VTXO of the user's; or on chain, to `onchain`. */
const settling = (user: User, coins: readonly Coin[], onchain: readonly TxOut[] = []) => {
  const left =
    coins.reduce((sum, { amount }) => sum + amount, 0n) - onchain.reduce((sum, { value }) => sum + value, 0n);
  const receivers = left > 0n ? [paid(user.account, [], left)] : [];
  return settle(user.client, user.account, { coins, receivers, onchain });
};

const amountsOf = async ({ client, account }: User): Promise<bigint[]> =>
  (await spendableCoins(client, account)).map(({ amount }) => amount);

/** The transaction by which the owner takes an unrolled VTXO from the chain, once its delay is over. */
function claimOf({ account }: User, coin: Coin): Tx {
  const leaf = leafOfVtxo(account.vtxo, account.vtxo.scripts[1]!)!;
  const output = { value: coin.amount, script: account.vtxo.script };
  const input = { ...EMPTY_INPUT, witnessUtxo: output, ...leafFields(leaf) };
  const outputs = [{ ...output, value: coin.amount - 1_000n }];
  const tx = { version: 2, inputs: [txIn(coin.outpoint, EXIT_DELAY)], outputs, locktime: 0 };
  return finalize(signLeaves(secp, createPsbt(tx, [input]), account.secret, new Uint8Array(32)));
}

describe('a coin that is to be boarded', () => {
  /** A stranger's confirmed coin, and its payment to Alice's boarding script, not in a block yet. */
  async function unconfirmed(seed: string) {
    const w = await world({ seed });
    const alice = await w.user('alice');
    const funding = await w.chain.faucet(STRANGER.script, sats(100_000));
    await w.mine(1);
    const coin = chainCoin((await w.chain.transaction(funding))!.tx, 0, STRANGER);
    const payment = spend([coin], [{ value: 99_000n, script: alice.account.boarding.script }]);
    const outpoint = { txid: await w.chain.broadcast(payment), vout: 0 };
    return { w, alice, coin, boarding: coinOf(alice.account, 'boarding', outpoint, 99_000n) };
  }

  test('is refused while it is in no block, when it could be replaced', async () => {
    const { w, alice, coin, boarding } = await unconfirmed('exit/zero-conf');
    assert.equal(await refusal(settling(alice, [boarding])), 'INVALID_INTENT_PROOF');
    await w.chain.broadcast(spend([coin], [{ value: 90_000n, script: STRANGER.script }]));
    await w.mine(1);
    assert.equal(await refusal(settling(alice, [boarding])), 'VTXO_NOT_FOUND');
    await w.audit.check();
  });

  test('and that a reorganization makes vanish after it was registered leaves the batch, which goes on without it', async () => {
    const { w, alice, coin, boarding } = await unconfirmed('exit/vanished');
    const bob = await w.user('bob');
    await w.note(bob, 10_000);
    const { height } = await w.chain.tip();
    await w.mine(1);
    await w.admin('settings', { settings: { roundMinParticipantsCount: 2 } });
    const leave = new AbortController();
    const order = { coins: [boarding], receivers: [paid(alice.account, [boarding])], onchain: [] };
    const lost = refusal(settle(alice.client, alice.account, order, leave.signal));
    await w.rest();
    const rival = await rivalOf(w, height);
    await rival.broadcast(spend([coin], [{ value: 90_000n, script: STRANGER.script }]));
    await rival.mine(2);
    await takeOver(w, rival, height);
    await w.admin('settings', { settings: { roundMinParticipantsCount: 1 } });
    await w.settle(bob);
    leave.abort();
    await w.run(lost);
    assert.deepEqual(await amountsOf(alice), []);
    assert.deepEqual(await amountsOf(bob), [10_000n]);
    await w.audit.check();
  });

  test('is not boarded twice: a second intent over it is refused, during the batch and after', async () => {
    const w = await world({ seed: 'exit/twice' });
    const alice = await w.user('alice');
    const coin = await w.board(alice, 40_000);
    await w.settle(alice);
    assert.match((await refusal(settling(alice, [coin])))!, /^VTXO_(ALREADY_SPENT|NOT_FOUND)$/);
    await w.mine(1);
    assert.match((await refusal(settling(alice, [coin])))!, /^VTXO_(ALREADY_SPENT|NOT_FOUND)$/);
    await w.audit.check();
  });
});

describe("a neighbour's exit", () => {
  /** Alice has paid Bob a part; Bob leaves alone, which puts Alice's change on chain too. */
  async function dragged(seed: string) {
    const w = await world({ seed });
    const [alice, bob] = [await w.user('alice'), await w.user('bob')];
    await w.note(alice, 50_000);
    const [settled] = await w.settle(alice);
    await w.mine(1);
    const coins = await spendableCoins(alice.client, alice.account);
    const outputs = [paid(bob.account, [], 20_000n), paid(alice.account, [], 30_000n)];
    const payment = await w.run(send(alice.client, alice.account, coins, outputs));
    await unroll(w, [...settled!.branch, ...payment.checkpoints.map(finalize), finalize(payment.arkTx)]);
    const change = coinOf(alice.account, 'vtxo', payment.vtxos[1]!.outpoint, 30_000n);
    return { w, alice, bob, change };
  }

  test('is noticed: what it drags along counts as unrolled and is not paid on', async () => {
    const { w, alice, bob, change } = await dragged('exit/dragged');
    assert.deepEqual(await amountsOf(alice), []);
    const pay = send(alice.client, alice.account, [change], [paid(bob.account, [change])]);
    assert.equal(await refusal(pay), 'VTXO_ALREADY_UNROLLED');
    await w.audit.check();
  });

  test('leaves it usable: it is boarded again while its delay lasts, and not after', async () => {
    const { w, alice, bob, change } = await dragged('exit/reboard');
    const boarding = { ...change, kind: 'boarding' as const };
    await w.run(settling(alice, [boarding]));
    await w.mine(1);
    assert.deepEqual(await amountsOf(alice), [30_000n]);
    await w.audit.check();
    await pass(w, EXIT_DELAY);
    const [own] = await vtxosOf(bob.client, bob.account);
    const late = { ...coinOf(bob.account, 'vtxo', own!.outpoint, own!.amount), kind: 'boarding' as const };
    assert.equal(await refusal(settling(bob, [late])), 'INVALID_INTENT_PROOF');
    await w.chain.broadcast(claimOf(bob, late));
    await w.mine(1);
    assert.equal((await vtxosOf(bob.client, bob.account))[0]!.isSpent, true);
    await w.audit.check();
  });
});

describe('a collaborative exit', () => {
  const cold: TxOut = { value: 50_000n, script: STRANGER.script };

  async function holder(seed: string, settings: WorldOptions['settings'] = {}) {
    const w = await world({ seed, settings });
    const alice = await w.user('alice');
    await w.note(alice, 50_000);
    const [outcome] = await w.settle(alice);
    await w.mine(1);
    return { w, alice, outcome: outcome!, coins: await spendableCoins(alice.client, alice.account) };
  }

  const paidOut = async ({ chain }: World): Promise<bigint> =>
    (await chain.unspent(STRANGER.script)).reduce((sum, { value }) => sum + value, 0n);

  test('of a VTXO that is on chain already is refused: it is a coin to board, and pays nobody on chain', async () => {
    const { w, alice, outcome, coins } = await holder('exit/exited');
    await unroll(w, outcome.branch);
    assert.equal(await refusal(settling(alice, coins, [cold])), 'INVALID_INTENT_PROOF');
    await pass(w, EXIT_DELAY);
    await w.chain.broadcast(claimOf(alice, coins[0]!));
    await w.mine(1);
    assert.match((await refusal(settling(alice, coins, [cold])))!, /^(INVALID_INTENT_PROOF|VTXO_ALREADY_SPENT)$/);
    assert.equal(await paidOut(w), 0n);
    await w.audit.check();
  });

  test('of a VTXO that is put on chain while the batch runs comes to nothing, or takes the forfeit', async () => {
    const { w, alice, outcome, coins } = await holder('exit/race');
    const leaving = w.run(settling(alice, coins, [cold]));
    await unroll(w, outcome.branch);
    const left = await leaving.then(
      () => true,
      () => false,
    );
    await pass(w, EXIT_DELAY + 2);
    assert.equal(await paidOut(w), left ? 50_000n : 0n);
    const output = await w.chain.output(coins[0]!.outpoint);
    assert.equal(output?.spentBy !== undefined, left, 'paid out or kept, never both');
    await w.audit.check();
  });

  test('pays no more than it takes away, whoever asks for more', async () => {
    const { w, alice, coins } = await holder('exit/more');
    const order = { coins, receivers: [], onchain: [{ ...cold, value: 50_001n }] };
    assert.equal(await refusal(settle(alice.client, alice.account, order)), 'INTENT_INSUFFICIENT_FEE');
    const both = { coins, receivers: [paid(alice.account, coins)], onchain: [{ ...cold, value: 330n }] };
    assert.equal(await refusal(settle(alice.client, alice.account, both)), 'INTENT_INSUFFICIENT_FEE');
    await w.audit.check();
  });

  test('whose commitment the mempool drops is broadcast with every block until it is in one', async () => {
    const { w, alice, coins } = await holder('exit/dropped');
    const outcome = await w.run(settling(alice, coins, [cold]));
    const commitment = (await w.chain.transaction(outcome.commitmentTxid))!.tx;
    await w.chain.restore({ ...(await w.chain.snapshot()), waiting: [] });
    assert.equal(await w.chain.transaction(txidOf(commitment)), undefined);
    await w.mine(1);
    assert.ok(await w.chain.transaction(txidOf(commitment)), 'it waits again');
    await w.mine(1);
    assert.equal(await paidOut(w), 50_000n);
    await w.audit.check();
  });

  test('whose commitment no block takes is paid for through its change, and again when that is not enough', async () => {
    const { w, alice, coins } = await holder('exit/stuck', { reserveCoins: 0 });
    const outcome = await w.run(settling(alice, coins, [cold]));
    const { tx } = (await w.chain.transaction(outcome.commitmentTxid))!;
    const change = { txid: outcome.commitmentTxid, vout: tx.outputs.length - 1 };
    const payment = async () => (await w.chain.output(change))?.spentBy?.txid;
    let rate = 5;
    w.onChain({ feeRate: async () => feeRate(rate) });
    await mineEmpty(w, 3);
    const first = await payment();
    assert.ok(first);
    rate = 25;
    await mineEmpty(w, 1);
    const second = await payment();
    assert.ok(second && second !== first);
    await w.restart();
    await w.mine(1);
    assert.equal(await paidOut(w), 50_000n);
    await w.audit.check();
  });

  test('whose commitment has become too cheap for the mempool comes back with a child that pays', async () => {
    const { w, alice, coins } = await holder('exit/too-cheap');
    const outcome = await w.run(settling(alice, coins, [cold]));
    await w.chain.restore({ ...(await w.chain.snapshot()), waiting: [] });
    // The node takes it only together with somebody who pays.
    w.onBroadcast(async (tx) => {
      if (txidOf(tx) !== outcome.commitmentTxid) return w.chain.broadcast(tx);
      throw new ProtocolError('TX_REJECTED', 'mempool min fee not met', { reason: 'mempool min fee not met' });
    });
    w.onChain({ feeRate: async () => feeRate(10) });
    await w.mine(1);
    assert.ok(await w.chain.transaction(outcome.commitmentTxid));
    await w.mine(1);
    assert.equal(await paidOut(w), 50_000n);
    await w.audit.check();
  });

  test('whose last message is lost is found settled afterwards, and not paid twice', async () => {
    const { w, alice, coins } = await holder('exit/lost-message');
    w.onBroadcast(async (tx) => {
      const txid = await w.chain.broadcast(tx);
      w.kill();
      return txid;
    });
    const left = w.run(settling(alice, coins, [cold]));
    await assert.rejects(left);
    w.onBroadcast(undefined);
    await w.restart();
    assert.equal(await refusal(settling(alice, coins, [cold])), 'VTXO_ALREADY_SPENT');
    await w.mine(1);
    assert.equal(await paidOut(w), 50_000n);
    assert.deepEqual(await amountsOf(alice), []);
    await w.audit.check();
  });

  test('is answered when the VTXO it paid for is put on chain all the same', async () => {
    const { w, alice, outcome, coins } = await holder('exit/fraud');
    await w.run(settling(alice, coins, [cold]));
    await pass(w, 2);
    await unroll(w, outcome.branch);
    await pass(w, EXIT_DELAY - 2);
    const [txid, vout] = vtxoKey(outcome).split(':') as [typeof outcome.commitmentTxid, string];
    const spent = (await w.chain.output({ txid, vout: Number(vout) }))?.spentBy;
    assert.ok(spent?.confirmation);
    await assert.rejects(w.chain.broadcast(claimOf(alice, coins[0]!)));
    assert.equal(await paidOut(w), 50_000n);
    await w.audit.check();
  });
});

test('a payment with a VTXO that goes on chain before it is final is not made, and the owner keeps it', async () => {
  const w = await world({ seed: 'exit/payment' });
  const [alice, bob] = [await w.user('alice'), await w.user('bob')];
  await w.note(alice, 50_000);
  const [settled] = await w.settle(alice);
  await w.mine(1);
  await unroll(w, settled!.branch);
  await assert.rejects(payAll(w, alice, bob));
  const [coin] = await vtxosOf(alice.client, alice.account);
  await pass(w, EXIT_DELAY);
  await w.chain.broadcast(claimOf(alice, coinOf(alice.account, 'vtxo', coin!.outpoint, 50_000n)));
  await w.mine(1);
  assert.deepEqual(await amountsOf(bob), []);
  await w.audit.check();
});

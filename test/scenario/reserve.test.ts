/** Threat 27: the coins that pay for answers to fraud are there before they are needed, and batches leave them alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Txid, toHex } from '../../src/base/bytes.ts';
import { feeRate, sats } from '../../src/base/units.ts';
import { txidOf } from '../../src/bitcoin/tx.ts';
import { pass, payAll } from '../support/fraud.ts';
import { locksOf } from '../support/locks.ts';
import { coinOf, spend } from '../support/regtest.ts';
import { mineEmpty } from '../support/rival.ts';
import { secp, type World, world } from '../support/world.ts';

interface State {
  readonly ready: number;
  readonly pending: number;
  readonly wanted: number;
  readonly exposed: number;
  readonly coinAmount: string;
  readonly exposedAmount: string;
  readonly shortfall: string;
}

const stateOf = (w: World): Promise<State> => w.admin<State>('wallet/reserve');

/** Alice has settled three times: two VTXOs of hers are forfeited and could still be put on chain. */
async function exposed(seed: string, settings: Parameters<typeof world>[0]['settings'] = {}): Promise<World> {
  const w = await world({ seed, settings });
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  for (let i = 0; i < 3; i++) {
    await w.settle(alice);
    await w.mine(1);
  }
  return w;
}

test('as many coins are set apart as VTXOs could come back, up to the limit, and confirmed with the next block', async () => {
  const w = await world({ seed: 'reserve/derived', settings: { reserveCoins: 2 } });
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  await w.settle(alice);
  await w.mine(1);
  assert.equal((await stateOf(w)).wanted, 0, 'nothing is spent that could come back');
  await w.settle(alice);
  await w.mine(1);
  assert.deepEqual(await stateOf(w).then(({ wanted, pending }) => ({ wanted, pending })), { wanted: 1, pending: 1 });
  await w.mine(1);
  assert.equal((await stateOf(w)).ready, 1);
  for (let i = 0; i < 3; i++) {
    await w.settle(alice);
    await pass(w, 2);
  }
  const { ready, wanted, exposed: count, exposedAmount } = await stateOf(w);
  assert.deepEqual({ ready, wanted, count, exposedAmount }, { ready: 2, wanted: 2, count: 4, exposedAmount: '200000' });
  await w.audit.check();
});

test('off-chain payments expose the server too, and swept batches do so no more', async () => {
  const w = await world({ seed: 'reserve/offchain' });
  const [alice, bob] = [await w.user('alice'), await w.user('bob')];
  await w.note(alice, 50_000);
  await w.settle(alice);
  await w.mine(1);
  await payAll(w, alice, bob);
  await pass(w, 2);
  assert.equal((await stateOf(w)).exposed, 1);
  await pass(w, 144);
  assert.equal((await stateOf(w)).exposed, 0);
  await w.audit.check();
});

test('a batch never spends what is set apart, even where it has nothing else', async () => {
  const w = await exposed('reserve/batches');
  await pass(w, 2);
  const { reserve } = w.serverScripts;
  const before = (await w.chain.unspent(reserve)).map(({ outpoint }) => outpoint.txid);
  assert.ok(before.length > 0);
  w.onChain({ unspent: async (script) => (toHex(script) === toHex(reserve) ? w.chain.unspent(script) : []) });
  const bob = await w.user('bob');
  await w.note(bob, 5_000);
  const settling = w.settle(bob).then(
    () => 'settled',
    () => 'failed',
  );
  assert.equal(await settling, 'failed');
  const after = (await w.chain.unspent(reserve)).map(({ outpoint }) => outpoint.txid);
  assert.deepEqual(after, before);
});

test('higher fees ask for larger coins; a wallet that cannot give them says what is missing', async () => {
  const w = await exposed('reserve/short');
  await pass(w, 2);
  const low = await stateOf(w);
  w.onChain({ feeRate: async () => feeRate(100_000) });
  await w.mine(1);
  const high = await stateOf(w);
  assert.ok(BigInt(high.coinAmount) > BigInt(low.coinAmount));
  assert.equal(high.ready, 0, 'small coins are no reserve');
  assert.ok(BigInt(high.shortfall) > 0n);
  const metrics = await (await w.server.adminApp.request('/metrics')).text();
  assert.match(metrics, /canalworks_ark_reserve_shortfall_sats [1-9]/);
  w.onChain(undefined);
  await w.mine(1);
  assert.equal((await stateOf(w)).shortfall, '0');
});

test('the split is followed over a restart, and a reorganization leaves enough coins behind', async () => {
  const w = await exposed('reserve/split');
  const splitOf = async (): Promise<Txid | undefined> => {
    const [row] = await w.db.read("select value from ark_setting where name = 'reserveSplit'");
    const known = [...w.broadcasts.values()].filter((tx) =>
      tx.outputs.some(({ script }) => toHex(script) === toHex(w.serverScripts.reserve)),
    );
    return row?.value === '' ? undefined : txidOf(known.at(-1)!);
  };
  const txid = (await splitOf())!;
  assert.ok(txid);
  await w.restart();
  assert.ok(await w.chain.transaction(txid), 'it is still waited for');
  await w.mine(1);
  assert.ok((await w.chain.transaction(txid))?.confirmation);
  await w.mine(1);
  assert.equal((await stateOf(w)).pending, 0);
  await w.reorg(2);
  await pass(w, 2);
  assert.ok((await stateOf(w)).ready > 0);
  await w.audit.check();
});

test('a split that no block takes is paid for through its change', async () => {
  const w = await exposed('reserve/stuck');
  let rate = 1;
  w.onChain({ feeRate: async () => feeRate(rate) });
  const { pending } = await stateOf(w);
  assert.ok(pending > 0);
  rate = 20;
  await mineEmpty(w, 8);
  const payment = [...w.broadcasts.values()].at(-1)!;
  assert.equal(payment.inputs.length, 1);
  assert.equal(payment.outputs.length, 1);
  await w.mine(1);
  assert.ok((await w.chain.transaction(txidOf(payment)))?.confirmation);
  await w.audit.check();
});

test('an unconfirmed coin of a stranger funds no batch, nor does it once the stranger has taken it back', async () => {
  const w = await world({ seed: 'reserve/stranger' });
  const lock = locksOf(secp, 'stranger').p2tr;
  const funding = await w.chain.faucet(lock.script, sats(200_000_000));
  await w.mine(1);
  const coin = coinOf((await w.chain.transaction(funding))!.tx, 0, lock);
  const gift = spend([coin], [{ value: 199_999_000n, script: w.serverScripts.wallet }]);
  await w.chain.broadcast(gift);
  // More than the server has itself.
  const alice = await w.user('alice');
  await w.note(alice, 150_000_000);
  await assert.rejects(w.settle(alice));
  await w.chain.broadcast(spend([coin], [{ value: 199_000_000n, script: lock.script }]));
  await w.mine(1);
  const [row] = await w.db.read("select count(*) as n from ark_batch where state = 'final'");
  assert.equal(row!.n, 0n);
});

test('what a commitment spends is spoken for, even when the mempool has forgotten the commitment', async () => {
  const w = await world({ seed: 'reserve/forgotten' });
  const [alice, bob] = [await w.user('alice'), await w.user('bob')];
  await w.note(alice, 50_000);
  const [first] = await w.settle(alice);
  const spent = (await w.chain.transaction(first!.commitmentTxid))!.tx.inputs.map(({ prevout }) => prevout);
  // The node dropped it, and what it spends looks free again.
  const coins = await Promise.all(spent.map(async (outpoint) => ({ outpoint, ...(await w.chain.output(outpoint))! })));
  w.onChain({
    transaction: async (txid) => (txid === first!.commitmentTxid ? undefined : w.chain.transaction(txid)),
    unspent: async (script) => (toHex(script) === toHex(w.serverScripts.wallet) ? coins : []),
  });
  await w.note(bob, 5_000);
  await assert.rejects(w.settle(bob));
  const [row] = await w.db.read("select count(*) as n from ark_batch where state = 'final'");
  assert.equal(row!.n, 1n, 'the second batch found no coin to spend');
  w.onChain(undefined);
  await w.mine(1);
  await w.audit.check();
});

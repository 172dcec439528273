/** Payments out of the server's wallet: exact, once, never with a coin that somebody else counts on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../src/ark/client/batch.ts';
import { outpointKey, type Txid } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { sats, sumSats } from '../../src/base/units.ts';
import { addressOf, parseAddress } from '../../src/bitcoin/address.ts';
import { p2wpkh } from '../../src/bitcoin/script.ts';
import { NodeError } from '../../src/chain/node-error.ts';
import { lying, silent } from '../support/adversary.ts';
import { AdminRefusal, type World, world } from '../support/world.ts';

const SCRIPT = p2wpkh(new Uint8Array(20).fill(7));
const ADDRESS = addressOf('regtest', SCRIPT)!;

interface Listed {
  readonly txid: string;
  readonly amount: string;
  readonly fee: string;
  readonly confirmations: number;
  readonly state: string;
}

const withdraw = async (w: World, order: object): Promise<Txid> =>
  (await w.admin<{ txid: Txid }>('wallet/withdraw', { address: ADDRESS, ...order })).txid;
const listed = async (w: World): Promise<Listed[]> =>
  (await w.admin<{ withdrawals: Listed[] }>('wallet/withdrawals')).withdrawals;
const arrived = async (w: World): Promise<bigint> => sumSats((await w.chain.unspent(SCRIPT)).map(({ value }) => value));
const available = async (w: World): Promise<string> =>
  (await w.admin<{ mainAccount: { available: string } }>('wallet/balance')).mainAccount.available;
const refused = (status: number, code: number) => (error: unknown) =>
  error instanceof AdminRefusal && error.status === status && error.code === code;

/** Another coin for the server's wallet. */
async function fund(w: World, amount: number): Promise<void> {
  await w.chain.faucet(parseAddress('regtest', w.server.walletAddress), sats(amount));
  await w.mine(1);
}

test('the amount arrives, the fee is on top, the change comes back, and it is told until it is buried', async () => {
  const w = await world({ seed: 'withdrawals/pays' });
  const txid = await withdraw(w, { amount: '30000' });
  assert.equal(await arrived(w), 30_000n);
  const { tx } = (await w.chain.transaction(txid))!;
  assert.equal(tx.outputs.length, 2);
  const [{ fee, ...entry }] = (await listed(w)) as [Listed];
  assert.deepEqual(entry, { ...entry, txid, amount: '30000', confirmations: 0, state: 'open' });
  assert.equal(await available(w), ((100_000_000 - 30_000 - Number(fee)) / 1e8).toFixed(8));
  await w.mine(6);
  assert.deepEqual(
    (await listed(w)).map(({ state, confirmations }) => [state, confirmations]),
    [['buried', 6]],
  );
});

test('a fee rate that is given is paid', async () => {
  const w = await world({ seed: 'withdrawals/rate' });
  await withdraw(w, { amount: 30_000, feeRate: 50 });
  const [{ fee }] = (await listed(w)) as [Listed];
  assert.ok(Number(fee) > 50 * 100 && Number(fee) < 50 * 200);
});

test('everything goes, but for what a running batch has taken', async () => {
  const w = await world({ seed: 'withdrawals/all' });
  await fund(w, 5_000_000);
  // The batch waits for her nonces in vain, with the coins it has taken.
  const alice = await w.user('alice', lying({ submitTreeNonces: silent }));
  await w.note(alice, 50_000);
  const settling = settle(alice.client, alice.account, await w.everything(alice));
  const taken = async (): Promise<string[]> =>
    (await w.admin<{ utxos: { txid: string; vout: number; locked: boolean }[] }>('wallet/utxos')).utxos
      .filter(({ locked }) => locked)
      .map(({ txid, vout }) => `${txid}:${vout}`);
  settling.catch(() => {});
  await w.advance(3_000);
  const [coin] = await taken();
  const txid = await withdraw(w, { all: true });
  const { tx } = (await w.chain.transaction(txid))!;
  assert.ok(tx.inputs.every(({ prevout }) => outpointKey(prevout) !== coin));
  assert.equal(await arrived(w), tx.outputs[0]!.value);
  assert.equal(tx.outputs.length, 1);
});

test('what the wallet still has to put aside for answers to fraud stays, unless the operator says otherwise', async () => {
  const w = await world({ seed: 'withdrawals/reserve' });
  const alice = await w.user('alice');
  await w.note(alice, 50_000);
  await w.settle(alice);
  await w.settle(alice);
  const { wanted, ready, pending, coinAmount } = await w.admin<Record<string, string>>('wallet/reserve');
  assert.deepEqual([wanted, ready, pending], [1, 0, 0], 'a coin is wanted that nobody has put aside yet');
  const free = BigInt((await available(w)).replace('.', ''));
  await assert.rejects(withdraw(w, { amount: `${free - 1_000n}` }), refused(400, 9));
  const txid = await withdraw(w, { all: true });
  const { tx } = (await w.chain.transaction(txid))!;
  assert.deepEqual(
    tx.outputs.slice(1).map(({ value }) => value),
    [BigInt(coinAmount!)],
  );
  await withdraw(w, { all: true, spendReserve: true });
  assert.equal(await available(w), '0.00000000');
});

test('what cannot even be sent is on record, and goes out with the next block', async () => {
  const w = await world({ seed: 'withdrawals/offline' });
  w.onBroadcast(() => Promise.reject(new NodeError('NODE_UNREACHABLE', 'a test')));
  const txid = await withdraw(w, { amount: 30_000 });
  assert.equal(await arrived(w), 0n);
  w.onBroadcast(undefined);
  await w.mine(1);
  assert.ok(await w.chain.transaction(txid));
  assert.equal(await arrived(w), 30_000n);
});

test('an order that makes no sense changes nothing', async () => {
  const w = await world({ seed: 'withdrawals/refused' });
  for (const order of [
    { address: '', amount: 1_000 },
    { address: 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4', amount: 1_000 },
    { address: 'not an address', amount: 1_000 },
    { amount: 0 },
    { amount: 329 },
    { amount: -1 },
    { amount: '1e5' },
    { amount: 1_000, feeRate: 0 },
    { amount: 1_000, feeRate: 100_000 },
    { amount: 1_000, feeRate: 'fast' },
    { all: 'perhaps' },
    { amount: 1_000, spendReserve: 'perhaps' },
  ]) {
    await assert.rejects(withdraw(w, order), refused(400, 3), JSON.stringify(order));
  }
  await assert.rejects(withdraw(w, { amount: 100_000_000 }), refused(400, 9));
  assert.deepEqual(await listed(w), []);
  assert.equal(await arrived(w), 0n);
});

test('what the network refuses has never been', async () => {
  const w = await world({ seed: 'withdrawals/network' });
  w.onBroadcast(() => Promise.reject(new ProtocolError('TX_REJECTED', 'a test')));
  await assert.rejects(withdraw(w, { amount: 30_000 }), refused(400, 9));
  w.onBroadcast(undefined);
  assert.deepEqual(await listed(w), []);
  await withdraw(w, { amount: 30_000 });
  assert.equal(await arrived(w), 30_000n);
});

for (const when of ['before', 'after'] as const) {
  test(`a crash ${when} it is recorded: ${when === 'after' ? 'it is paid once' : 'nothing is paid'}`, async () => {
    const w = await world({ seed: `withdrawals/crash-${when}` });
    w.crashAt({ write: 1, when });
    void withdraw(w, { amount: 30_000 }).catch(() => {});
    await w.rest();
    assert.ok(w.isDead);
    assert.equal(await arrived(w), 0n);
    const expected = when === 'after' ? 30_000n : 0n;
    await w.restart();
    assert.equal(await arrived(w), expected);
    await w.restart();
    await w.mine(7);
    assert.equal(await arrived(w), expected);
    assert.equal((await listed(w)).length, when === 'after' ? 1 : 0);
  });
}

test("a payment that fell out of the mempool is broadcast again, and its coins are nobody else's meanwhile", async () => {
  const w = await world({ seed: 'withdrawals/dropped' });
  w.onBroadcast(async () => '00'.repeat(32) as Txid);
  const txid = await withdraw(w, { amount: 30_000 });
  assert.equal(await available(w), '0.00000000');
  await assert.rejects(withdraw(w, { amount: 30_000 }), refused(400, 9));
  await w.mine(1);
  assert.equal(await w.chain.transaction(txid), undefined);
  w.onBroadcast(undefined);
  await w.restart();
  assert.ok(await w.chain.transaction(txid));
  assert.equal(await arrived(w), 30_000n);
});

test('a reorganization makes it late, not double', async () => {
  const w = await world({ seed: 'withdrawals/reorg' });
  const txid = await withdraw(w, { amount: 30_000 });
  await w.mine(3);
  await w.reorg(3);
  await w.mine(7);
  assert.deepEqual(
    (await listed(w)).map(({ txid: id, state }) => [id, state]),
    [[txid, 'buried']],
  );
  assert.equal(await arrived(w), 30_000n);
});

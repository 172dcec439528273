/**
 * kill -9 at every write: the process dies just before or just after a commit of its database, in the middle of batches,
 * payments and sweeps. Whatever comes back on what it left owes everybody what they had, and everybody can leave.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Account, type Coin, coinOf, coinOfNote, createAccount } from '../../src/ark/client/account.ts';
import { deleteIntent, settle } from '../../src/ark/client/batch.ts';
import { type ArkClient, connect, createAggregators } from '../../src/ark/client/client.ts';
import { createEsploraSource } from '../../src/ark/client/esplora.ts';
import { createExitStore } from '../../src/ark/client/exit-store.ts';
import { createFeeWallet } from '../../src/ark/client/fee-wallet.ts';
import { createKeeper } from '../../src/ark/client/keeper.ts';
import { resumePayments, send } from '../../src/ark/client/offchain.ts';
import { createTransport } from '../../src/ark/client/transport.ts';
import { vtxosOf } from '../../src/ark/client/vtxos.ts';
import { parseNote } from '../../src/ark/protocol/note.ts';
import { parseTxid } from '../../src/base/bytes.ts';
import { createMemoryRecords } from '../../src/base/records.ts';
import { sumSats } from '../../src/base/units.ts';
import { addressOf } from '../../src/bitcoin/address.ts';
import { p2tr } from '../../src/bitcoin/script.ts';
import type { Ready } from '../../src/cli/ready.ts';
import { call, controlUrl } from '../../src/cli/remote.ts';
import { systemEntropy } from '../../src/runtime/entropy.ts';
import { loadSecp } from '../../src/runtime/secp-wasm.ts';
import { openSqlite } from '../../src/store/sqlite.ts';

const secp = await loadSecp();
const aggregators = createAggregators(secp);
const CHILD = join(import.meta.dirname, '..', 'support', 'mortal-stack.ts');
const EXPIRY = 30;
const SIDES = ['before', 'after'] as const;
type Side = (typeof SIDES)[number];

interface Person {
  readonly client: ArkClient;
  readonly account: Account;
}

/** One data folder and the processes that live and die on it, one after the other. */
async function house(settings: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'canalworks-kill-'));
  const secrets = [systemEntropy.bytes(32), systemEntropy.bytes(32)];
  let child: ChildProcess;
  let ready: Ready;
  let people: Person[];
  let isDead = true;
  let deaths = 0;

  async function start(): Promise<void> {
    const args = [folder, JSON.stringify({ sessionDuration: '2', ...settings })];
    child = fork(CHILD, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    isDead = false;
    const own = child;
    own.once('exit', () => {
      if (own === child) isDead = true;
    });
    [ready] = (await once(child, 'message')) as [Ready];
    const transport = createTransport((url, init) => fetch(url, init), ready.ark.url);
    const client = await connect({ transport, secp, random: systemEntropy.bytes, aggregators });
    people = secrets.map((secret) => ({ client, account: createAccount(secp, client.terms, secret) }));
  }

  async function stop(): Promise<void> {
    if (isDead) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  const control = <T>(name: string, body: object): Promise<T> => call<T>(ready, controlUrl(ready, name), body);
  const mine = (blocks: number) => control('mine', { blocks });
  after(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await start();

  return {
    get people() {
      return people;
    },
    get ready() {
      return ready;
    },
    get deaths() {
      return deaths;
    },
    folder,
    stop,
    mine,
    async pay(script: Uint8Array, amount: number): Promise<string> {
      const { txid } = await control<{ txid: string }>('faucet', {
        address: addressOf('regtest', script),
        amount: `${amount}`,
      });
      await mine(1);
      return txid;
    },
    async note(amount: number): Promise<Coin> {
      const url = `${ready.ark.adminUrl}/v1/admin/note`;
      const { notes } = await call<{ notes: string[] }>(ready, url, { amount: `${amount}`, quantity: 1 });
      return coinOfNote(secp, parseNote(notes[0]!));
    },
    /** Does `work` in a process that dies at that write of it. True when it did, and the next one is running. */
    async survived(write: number, when: Side, work: () => Promise<unknown>): Promise<boolean> {
      child.send({ write, when });
      await once(child, 'message');
      const gone = once(child, 'exit');
      const done = work().then(
        () => true,
        (error) => {
          if (isDead || child.killed) return false;
          return gone.then(
            () => false,
            () => assert.fail(error),
          );
        },
      );
      const isDone = await Promise.race([done, gone.then(() => false)]);
      if (isDone && !isDead) {
        child.send({ write: Number.MAX_SAFE_INTEGER, when });
        await once(child, 'message');
        return false;
      }
      deaths++;
      await start();
      return true;
    },
    /** Satoshi of each person that are neither spent nor lost. */
    holdings: () =>
      Promise.all(
        people.map(async ({ client, account }) =>
          sumSats((await vtxosOf(client, account)).filter((vtxo) => !vtxo.isSpent).map(({ amount }) => amount)),
        ),
      ),
  };
}

type House = Awaited<ReturnType<typeof house>>;

const coinsOf = async ({ client, account }: Person): Promise<Coin[]> =>
  (await vtxosOf(client, account))
    .filter(({ isSpent }) => !isSpent)
    .map(({ outpoint, amount, isSwept }) => coinOf(account, isSwept ? 'recoverable' : 'vtxo', outpoint, amount));

async function settleAll({ people }: House, more: readonly (readonly Coin[])[]): Promise<void> {
  await Promise.all(
    people.map(async (person, i) => {
      const coins = [...(await coinsOf(person)), ...more[i]!];
      const { client, account } = person;
      const receivers = [{ value: sumSats(coins.map(({ amount }) => amount)), script: account.vtxo.script }];
      await deleteIntent(client, account, coins).catch(() => {});
      await settle(client, account, { coins, receivers, onchain: [] });
    }),
  );
}

/** Runs `attempt` with a death at its first write, its second, and so on, until it lives through all of them. */
async function dieEverywhere(h: House, least: number, attempt: (write: number, when: Side) => Promise<boolean>) {
  for (let write = 1; ; write++) {
    const died: boolean[] = [];
    for (const when of SIDES) died.push(await attempt(write, when));
    if (died.every((one) => !one)) break;
  }
  assert.ok(h.deaths >= least, `${h.deaths} deaths`);
}

/** Nothing may be half done in what a dead process left and a living one took over. */
async function assertAtRest({ folder }: House): Promise<void> {
  const db = openSqlite(join(folder, 'ark.sqlite'));
  assert.deepEqual(await db.read('select id from ark_intent where batch_id is not null'), []);
  assert.deepEqual(await db.read("select id from ark_batch where state = 'pending'"), []);
  await db.close();
}

/** Takes every VTXO of the second person on chain, by what that person keeps and the chain alone. */
async function leave(h: House): Promise<bigint> {
  const { client, account } = h.people[1]!;
  const chain = createEsploraSource((url, init) => fetch(url, init), h.ready.chain.esplora, 'regtest');
  const keeper = createKeeper({ client, account, chain, store: createExitStore(createMemoryRecords()) });
  const { refused, disputed } = await keeper.sync();
  assert.deepEqual([refused, disputed], [[], []]);
  const fees = createFeeWallet(secp, chain, account.secret, client.random);
  for (let coin = 0; coin < 4; coin++) await h.pay(fees.script, 50_000);
  const to = p2tr(account.publicKey);
  let left = (await keeper.review()).map(({ vtxo }) => vtxo.outpoint);
  for (let block = 0; block < 80 && left.length > 0; block++) {
    const states: string[] = [];
    for (const outpoint of left) states.push((await keeper.exit(outpoint, { fees, to })).at);
    left = left.filter((_, i) => states[i] !== 'claimed');
    assert.ok(!states.includes('lost'));
    await h.mine(1);
  }
  assert.deepEqual(left, []);
  return sumSats((await chain.unspent(to)).map(({ output }) => output.value));
}

test('batches: kill -9 at every write, before and after its commit', async () => {
  const h = await house();
  let expected = 0n;
  await dieEverywhere(h, 10, async (write, when) => {
    const note = await h.note(1_000);
    const account = h.people[1]!.account;
    const txid = parseTxid(await h.pay(account.boarding.script, 2_000));
    const boarded = coinOf(account, 'boarding', { txid, vout: 0 }, 2_000n);
    expected += 3_000n;
    const died = await h.survived(write, when, () => settleAll(h, [[note], [boarded]]));
    await h.mine(1);
    await assertAtRest(h);
    if (!died) return false;
    const held = sumSats(await h.holdings());
    assert.ok(held === expected || held === expected - 3_000n, 'all of it, or nothing of it');
    await settleAll(h, held === expected ? [[], []] : [[note], [boarded]]);
    assert.equal(sumSats(await h.holdings()), expected);
    return true;
  });
  const [, own] = await h.holdings();
  await h.mine(1);
  assert.ok((await leave(h)) > own! - 5_000n);
});

test('payments: kill -9 at every write, before and after its commit', async () => {
  const h = await house();
  await settleAll(h, [[await h.note(100_000)], [await h.note(1_000)]]);
  let paid = 0n;
  await dieEverywhere(h, 4, async (write, when) => {
    const [alice, bob] = h.people as [Person, Person];
    const coins = await coinsOf(alice);
    const total = sumSats(coins.map(({ amount }) => amount));
    const outputs = (to: Account) => [
      { value: 3_000n, script: to.vtxo.script },
      { value: total - 3_000n, script: alice.account.vtxo.script },
    ];
    const pay = ({ client, account }: Person) => send(client, account, coins, outputs(bob.account));
    const died = await h.survived(write, when, () => pay(alice));
    const again = h.people[0]!;
    await resumePayments(again.client, again.account, coins);
    if ((await h.holdings())[1] === 1_000n + paid) await pay(again);
    paid += 3_000n;
    assert.deepEqual(await h.holdings(), [100_000n - paid, 1_000n + paid]);
    return died;
  });
  await h.mine(1);
  assert.ok((await leave(h)) > paid - 5_000n);
});

test('sweeps: kill -9 at every write of the block that a batch expires with; what was in it is settled anew', async () => {
  const h = await house({ batchExpiry: `${EXPIRY}` });
  await settleAll(h, [[await h.note(50_000)], [await h.note(60_000)]]);
  await dieEverywhere(h, 4, async (write, when) => {
    await h.mine(EXPIRY - 1);
    const died = await h.survived(write, when, async () => {
      await h.mine(1);
      await h.mine(1);
      await new Promise((resolve) => setTimeout(resolve, 500));
    });
    await h.mine(2);
    for (let wait = 0; wait < 50; wait++) {
      const rows = await vtxosOf(h.people[0]!.client, h.people[0]!.account, 'recoverableOnly');
      if (rows.length > 0) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const [recoverable, ...others] = await vtxosOf(h.people[0]!.client, h.people[0]!.account, 'recoverableOnly');
    assert.deepEqual([recoverable?.amount, others], [50_000n, []]);
    await settleAll(h, [[], []]);
    assert.deepEqual(await h.holdings(), [50_000n, 60_000n]);
    await h.mine(1);
    return died;
  });
});

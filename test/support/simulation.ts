/**
 * A life of an Ark at random: users board, pay, settle, leave with and without the server, cheat and offend; blocks come
 * and go, batches expire, the server dies at any of its writes. After each step everything is counted; at the end the
 * server is switched off for good, and everybody leaves with what they hold.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Coin } from '../../src/ark/client/account.ts';
import { coinOf } from '../../src/ark/client/account.ts';
import { settle } from '../../src/ark/client/batch.ts';
import type { BatchOrder } from '../../src/ark/client/batch-session.ts';
import { resumePayments, send } from '../../src/ark/client/offchain.ts';
import { vtxosOf } from '../../src/ark/client/vtxos.ts';
import { type Outpoint, outpointKey, toHex } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { sumSats } from '../../src/base/units.ts';
import { p2tr } from '../../src/bitcoin/script.ts';
import { relativeTimelock } from '../../src/bitcoin/timelock.ts';
import { type Tx, txidOf } from '../../src/bitcoin/tx.ts';
import { type Lies, lying, silent } from './adversary.ts';
import { CLAIM_FEE, claim, exitPath, leave } from './exits.ts';
import { type Crash, paid, SETTINGS, type User, world } from './world.ts';

const NAMES = ['alice', 'bob', 'carol', 'dave'];
const EXPIRY = 90;
const EXIT_DELAY = SETTINGS.unilateralExitDelay.value;
const LIES = ['confirmRegistration', 'submitTreeNonces', 'submitTreeSignatures', 'submitForfeitTxs'] as const;

const NEVER: Crash = { write: Number.POSITIVE_INFINITY, when: 'before' };

const who = fc.nat(NAMES.length - 1);
const amount = fc.integer({ min: 5_000, max: 90_000 });

/** Weighted so that there mostly is something to settle, pay and leave with. */
export const steps = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('board' as const), who, amount }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('note' as const), who, amount }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('settle' as const), mask: fc.integer({ min: 1, max: 15 }) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('pay' as const), who, to: who, share: fc.nat(100) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('exit' as const), who, share: fc.nat(100) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('unroll' as const), who, pick: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cheat' as const), pick: fc.nat(99) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('offend' as const), who, lie: fc.nat(LIES.length - 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reorg' as const), depth: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('mine' as const), blocks: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('crash' as const),
      write: fc.integer({ min: 1, max: 8 }),
      when: fc.constantFrom<Crash['when']>('before', 'after'),
    }),
  },
);

export type Step = typeof steps extends fc.Arbitrary<infer S> ? S : never;

interface Kept {
  readonly owner: User;
  readonly outpoint: Outpoint;
  readonly path: readonly Tx[];
}

export interface Simulation {
  step(step: Step): Promise<void>;
  /** The server is no more; everybody leaves. */
  end(): Promise<void>;
}

export async function simulation(seed: string): Promise<Simulation> {
  const settings = { batchExpiry: relativeTimelock(EXPIRY), banThreshold: 0 };
  const w = await world({ seed, settings });
  const lies: Lies[] = NAMES.map(() => ({}));
  const users = await Promise.all(NAMES.map((name, i) => w.user(name, lying(lies[i]!))));
  /** What owners hold to leave with, of VTXOs they have or had. */
  const kept = new Map<string, Kept>();
  let deposits = 0n;
  let claims = 0n;

  const rowsOf = ({ account }: User, condition: string) =>
    w.db.read<{ outpoint: string; amount: bigint; swept: bigint; unrolled: bigint }>(
      `select outpoint, amount, swept, unrolled from ark_vtxo
       where script = $1 and spent_by is null and claimed_by is null ${condition} order by outpoint`,
      [toHex(account.vtxo.script)],
    );

  const isGone = async ({ kind, outpoint }: Coin): Promise<boolean> =>
    kind === 'boarding'
      ? (await w.chain.output(outpoint))?.spentBy !== undefined
      : (
          await w.db.read('select 1 from ark_vtxo where outpoint = $1 and spent_by is not null', [
            outpointKey(outpoint),
          ])
        ).length > 0;

  async function emptyPockets(): Promise<void> {
    for (const { pocket } of users) {
      const gone = await Promise.all(pocket.map(isGone));
      pocket.splice(0, pocket.length, ...pocket.filter((_, i) => !gone[i]));
    }
  }

  /** Boarding coins that are too old to board are left where they are. */
  async function coinsOf({ client, account, pocket }: User): Promise<Coin[]> {
    const { height } = await w.chain.tip();
    const fresh = await Promise.all(
      pocket.map(async ({ kind, outpoint }) => {
        const at = kind === 'boarding' ? (await w.chain.output(outpoint))?.confirmation?.height : height;
        return at !== undefined && height - at + 1 < SETTINGS.boardingExitDelay.value / 2;
      }),
    );
    const own = (await vtxosOf(client, account)).filter(({ isSpent, isUnrolled }) => !isSpent && !isUnrolled);
    return [
      ...pocket.filter((_, i) => fresh[i]),
      ...own.map((vtxo) => coinOf(account, vtxo.isSwept ? 'recoverable' : 'vtxo', vtxo.outpoint, vtxo.amount)),
    ];
  }

  const everything = async (user: User): Promise<BatchOrder> => {
    const coins = await coinsOf(user);
    return { coins, receivers: coins.length > 0 ? [paid(user.account, coins)] : [], onchain: [] };
  };

  async function settleAll(members: readonly User[], offender?: User): Promise<void> {
    const away = new AbortController();
    const orders = await Promise.all(members.map(everything));
    const all = members.map((user, i) =>
      orders[i]!.coins.length === 0
        ? Promise.resolve()
        : settle(user.client, user.account, orders[i]!, user === offender ? away.signal : undefined),
    );
    for (const one of all) one.catch(() => {});
    try {
      await w.run(Promise.all(all.filter((_, i) => members[i] !== offender)));
    } finally {
      away.abort();
      await Promise.allSettled(all.filter((_, i) => members[i] === offender));
    }
  }

  async function pay(from: User, to: User, share: number): Promise<void> {
    const coins = (await coinsOf(from)).filter(({ kind }) => kind === 'vtxo');
    const total = sumSats(coins.map((coin) => coin.amount));
    const value = (total * BigInt(share)) / 100n;
    if (value < 2_000n || total - value < 2_000n) return;
    const outputs = [paid(to.account, [], value), paid(from.account, [], total - value)];
    await w.run(send(from.client, from.account, coins, outputs));
  }

  async function collaborate(user: User, share: number): Promise<void> {
    const coins = (await coinsOf(user)).filter(({ kind }) => kind !== 'boarding');
    const total = sumSats(coins.map((coin) => coin.amount));
    const value = (total * BigInt(share)) / 100n;
    if (value < 2_000n || (total !== value && total - value < 2_000n)) return;
    const receivers = total === value ? [] : [paid(user.account, [], total - value)];
    const onchain = [{ value, script: p2tr(user.account.publicKey) }];
    await w.run(settle(user.client, user.account, { coins, receivers, onchain }));
  }

  async function takeOut(user: User, outpoint: Outpoint): Promise<void> {
    await leave(w, kept.get(outpointKey(outpoint))!.path);
    await followOn();
    await w.mine(EXIT_DELAY);
    if ((await w.chain.output(outpoint))?.spentBy) return;
    await claim(w, user, outpoint);
    claims++;
    await w.mine(1);
  }

  async function unroll(user: User, pick: number): Promise<void> {
    const rows = await rowsOf(user, 'and swept = 0');
    const row = rows[pick % Math.max(1, rows.length)];
    const held = row && kept.get(row.outpoint);
    if (held) await takeOut(user, held.outpoint);
  }

  /** A spent VTXO is put on chain; whoever was paid with it goes on from there, as its wallet would. */
  async function cheat(pick: number): Promise<void> {
    const spent = await w.db.read<{ outpoint: string }>(
      `select outpoint from ark_vtxo where spent_by is not null and swept = 0 and unrolled = 0
       and origin <> 'note' order by outpoint`,
    );
    const row = spent[pick % Math.max(1, spent.length)];
    const held = row && kept.get(row.outpoint);
    if (!held) return;
    try {
      await leave(w, held.path);
    } catch (error) {
      // The branch was swept, or another cheat has answered it.
      if (error instanceof ProtocolError) return;
      throw error;
    }
    await followOn();
    await w.mine(EXIT_DELAY);
  }

  /** Where a spent VTXO is on chain, the checkpoint follows, and who was paid from it must go on from there in time. */
  async function followOn(): Promise<void> {
    for (let again = true; again; ) {
      again = false;
      for (const { outpoint, path } of kept.values()) {
        if (!(await isLive(outpoint)) || !(await isExposed(path))) continue;
        await leave(w, path);
        again = true;
      }
    }
  }

  /** Whether a VTXO that was spent on the way is on chain, and the VTXO itself is not. */
  async function isExposed(path: readonly Tx[]): Promise<boolean> {
    const present = await Promise.all(path.map((tx) => w.chain.transaction(txidOf(tx))));
    if (present.at(-1)?.confirmation) return false;
    const spent = await w.db.read(
      `select outpoint from ark_vtxo where unrolled = 1 and ark_txid is not null and txid in (${path
        .map((_, i) => `$${i + 1}`)
        .join(', ')})`,
      path.map(txidOf),
    );
    const exposed = new Set(spent.map((row) => row.outpoint));
    return path.some((tx) => tx.inputs.some(({ prevout }) => exposed.has(outpointKey(prevout))));
  }

  const isLive = async (outpoint: Outpoint): Promise<boolean> =>
    (
      await w.db.read('select 1 from ark_vtxo where outpoint = $1 and spent_by is null and claimed_by is null', [
        outpointKey(outpoint),
      ])
    ).length > 0;

  async function act(step: Step): Promise<void> {
    switch (step.kind) {
      case 'board':
        await w.board(users[step.who]!, step.amount);
        deposits += BigInt(step.amount);
        return;
      case 'note':
        return note(users[step.who]!, step.amount);
      case 'settle':
        return settleAll(users.filter((_, i) => step.mask & (1 << i)));
      case 'pay':
        return pay(users[step.who]!, users[step.to]!, step.share);
      case 'exit':
        return collaborate(users[step.who]!, step.share);
      case 'unroll':
        return unroll(users[step.who]!, step.pick);
      case 'cheat':
        return cheat(step.pick);
      case 'offend':
        return offend(step.who, LIES[step.lie]!);
      case 'expire':
        return w.mine(EXPIRY + 1);
      case 'reorg':
        await w.reorg(step.depth);
        return w.mine(step.depth + 1);
      case 'mine':
        return w.mine(step.blocks);
      case 'restart':
        return w.restart();
      case 'crash':
        return w.crashAt(step);
    }
  }

  async function note(user: User, value: number): Promise<void> {
    let isIssued = false;
    const issued = w.note(user, value).then(() => (isIssued = true));
    while (!isIssued && !w.isDead) await Promise.race([issued, new Promise((resolve) => setImmediate(resolve))]);
    if (isIssued) deposits += BigInt(value);
  }

  async function offend(index: number, lie: (typeof LIES)[number]): Promise<void> {
    lies[index]![lie] = silent;
    try {
      await settleAll(users, users[index]);
    } finally {
      delete lies[index]![lie];
    }
  }

  /** Clients that were left without an answer ask again, or are gone; a server that died is started again. */
  async function recover(): Promise<void> {
    if (w.isDead) await w.restart();
    await w.db.write((tx) => tx.run('delete from ark_intent where batch_id is null'));
    for (const user of users) {
      const { client, account } = user;
      const spent = (await vtxosOf(client, account)).filter(({ isSpent, isUnrolled }) => isSpent && !isUnrolled);
      const coins = spent.map(({ outpoint, amount: value }) => coinOf(account, 'vtxo', outpoint, value));
      for (let at = 0; at < coins.length; at += 20) await resumePayments(client, account, coins.slice(at, at + 20));
    }
    await emptyPockets();
    await w.mine(1);
  }

  async function keep(): Promise<void> {
    for (const owner of users) {
      for (const { outpoint } of await vtxosOf(owner.client, owner.account, 'spendableOnly')) {
        const key = outpointKey(outpoint);
        if (!kept.has(key)) kept.set(key, { owner, outpoint, path: await exitPath(owner, outpoint) });
      }
    }
  }

  const received = async (): Promise<bigint> => {
    const coins = await Promise.all(users.map(({ account }) => w.chain.unspent(p2tr(account.publicKey))));
    return sumSats(coins.flat().map(({ value }) => value)) + claims * CLAIM_FEE;
  };

  /** What the users have in all, wherever it is, is what they brought in. */
  async function check(): Promise<void> {
    await w.audit.check();
    const rows = await Promise.all(users.map((user) => rowsOf(user, '')));
    const pockets = users.flatMap(({ pocket }) => pocket.map((coin) => coin.amount));
    const owned = sumSats([...rows.flat().map((row) => row.amount), ...pockets]);
    assert.equal(owned + (await received()), deposits, 'users have what they brought');
  }

  return {
    async step(step) {
      try {
        await act(step);
      } catch (error) {
        if (!w.isDead) throw error;
      }
      // It lies in wait for the step after it, and for that one only.
      if (step.kind === 'crash') return;
      w.crashAt(NEVER);
      await recover();
      await check();
      await keep();
    },

    async end() {
      const rows = await Promise.all(users.map((user) => rowsOf(user, 'and swept = 0')));
      const due = sumSats(rows.flat().map((row) => row.amount)) + (await received());
      w.kill();
      for (const [i, user] of users.entries()) {
        for (const { outpoint } of rows[i]!) await takeOut(user, kept.get(outpoint)!.outpoint);
      }
      assert.equal(await received(), due, 'everybody left with what they held');
    },
  };
}

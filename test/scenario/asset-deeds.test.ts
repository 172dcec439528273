/** Users who do with assets whatever comes to their mind, some of it nonsense. The books are audited after every deed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coinOf } from '../../src/ark/client/account.ts';
import { assetPacket, assetsOf } from '../../src/ark/client/assets.ts';
import { settle } from '../../src/ark/client/batch.ts';
import { buildPayment, resumePayments, send } from '../../src/ark/client/offchain.ts';
import { vtxosOf } from '../../src/ark/client/vtxos.ts';
import type { AssetAmount, AssetId, AssetPacket } from '../../src/ark/protocol/asset-packet.ts';
import { ARK_ERRORS } from '../../src/ark/wire/errors.ts';
import { ARK_ROUTES } from '../../src/ark/wire/routes.ts';
import { psbtBase64 } from '../../src/bitcoin/psbt.ts';
import { refusal } from '../support/adversary.ts';
import { coinsOf, supplyOf } from '../support/assets.ts';
import { type Dice, dice, pick } from '../support/mutations.ts';
import { paid, type User, type World, world } from '../support/world.ts';

const DEEDS = 60;
const CRASH_ODDS = 8;

/** Splits what is held over `parts` at random; what falls off the table is burned. */
function deal(roll: Dice, held: readonly AssetAmount[], parts: number, losses: boolean): AssetAmount[][] {
  const shares = Array.from({ length: parts }, (): AssetAmount[] => []);
  for (const { assetId, amount } of held) {
    let left = amount;
    for (const [i, share] of shares.entries()) {
      const isLast = i === parts - 1 && !(losses && roll(3) === 0);
      const some = isLast ? left : BigInt(roll(Number(left) + 1));
      if (some > 0n) share.push({ assetId, amount: some });
      left -= some;
    }
  }
  return shares;
}

/** The packet with one thing in it changed, so that it may be sound or not. */
function tampered(roll: Dice, packet: AssetPacket, known: readonly AssetId[]): AssetPacket {
  const at = roll(packet.length);
  return packet.map((group, i) => {
    if (i !== at) return group;
    const nudged = <T extends { amount: bigint }>(list: readonly T[]): T[] =>
      list.map((entry) => ({ ...entry, amount: entry.amount + BigInt(roll(3)) }));
    switch (roll(5)) {
      case 0:
        return { ...group, outputs: nudged(group.outputs) };
      case 1:
        return { ...group, inputs: nudged(group.inputs) };
      case 2:
        return { ...group, inputs: [] };
      case 3:
        return { ...group, outputs: group.outputs.map((output) => ({ ...output, vout: output.vout + roll(4) })) };
      default:
        return { ...group, assetId: pick(roll, known) };
    }
  });
}

interface Stage {
  readonly w: World;
  readonly roll: Dice;
  readonly users: readonly User[];
  /** Every asset so far. */
  readonly known: readonly AssetId[];
}

/** Pays all that `user` has to one or two others, issuing and burning on the way as it comes. */
async function payment({ w, roll, users, known }: Stage, user: User): Promise<void> {
  const coins = await coinsOf(user);
  const total = coins.reduce((sum, { amount }) => sum + amount, 0n);
  if (total < 2_000n) return;
  const values = roll(2) === 0 ? [total] : [1_000n, total - 1_000n];
  const outputs = values.map((value, i) => paid((i === 0 ? pick(roll, users) : user).account, [], value));
  const issues =
    roll(2) === 0
      ? [
          {
            outputs: [{ vout: 0, amount: BigInt(1 + roll(100)) }],
            ...(known.length > 0 && roll(2) === 0 && { control: { kind: 'id', assetId: pick(roll, known) } as const }),
          },
        ]
      : [];
  const plan = { outputs: deal(roll, assetsOf(coins), values.length, true), issues };
  await w.run(send(user.client, user.account, coins, outputs, plan));
}

async function settlement({ w, roll }: Stage, user: User): Promise<void> {
  const coins = await coinsOf(user);
  if (coins.length === 0) return;
  const assets = deal(roll, assetsOf(coins), 1, roll(4) === 0);
  await w.run(
    settle(user.client, user.account, { coins, receivers: [paid(user.account, coins)], onchain: [], assets }),
  );
}

/** What nobody should be able to do: it is refused by name, or happens to be sound and then is one payment more. */
async function nonsense({ w, roll, known }: Stage, user: User): Promise<void> {
  const coins = await coinsOf(user);
  const packet = assetPacket(coins, { outputs: deal(roll, assetsOf(coins), 1, false) });
  if (!packet || known.length === 0) return;
  const outputs = [paid(user.account, coins)];
  const { arkTx, checkpoints } = buildPayment(user.client, user.account, coins, outputs, tampered(roll, packet, known));
  const body = { signedArkTx: psbtBase64(arkTx), checkpointTxs: checkpoints.map(psbtBase64) };
  const answer = user.client.transport.call({ route: ARK_ROUTES.submitTx, body });
  const isSound = await answer.then(
    () => true,
    () => false,
  );
  if (!isSound) {
    const code = await refusal(answer);
    assert.ok(code in ARK_ERRORS && code !== 'INTERNAL_ERROR', code);
  }
  await w.audit.check();
}

/** Makes final what hangs in the air: after a crash, or because nonsense was sound. */
async function tidyUp(w: World, { client, account }: User): Promise<void> {
  const pending = await vtxosOf(client, account, 'pendingOnly');
  const coins = pending.map(({ outpoint, amount }) => coinOf(account, 'vtxo', outpoint, amount));
  if (coins.length > 0) await w.run(resumePayments(client, account, coins));
}

for (const seed of [1, 2, 3]) {
  test(`whatever users do, every unit is where the books say (seed ${seed})`, async () => {
    const roll = dice(seed);
    const w = await world({ seed: `asset-deeds/${seed}` });
    const users = [await w.user('alice'), await w.user('bob'), await w.user('carol')];
    for (const user of users) await w.note(user, 40_000);
    await w.settle(...users);
    const known = async () => (await w.db.read('select id from ark_asset order by id')).map(({ id }) => id as AssetId);
    const surviving = async (work: Promise<void>): Promise<void> => {
      await work.catch((error: unknown) => {
        if (!w.isDead) throw error;
      });
      if (!w.isDead) return;
      await w.restart();
      await w.db.write((tx) => tx.run('delete from ark_intent where batch_id is null'));
    };
    const settleDown = async (): Promise<void> => {
      for (const user of users) await surviving(tidyUp(w, user));
      for (const user of users) await surviving(tidyUp(w, user));
    };
    for (let deed = 0; deed < DEEDS; deed++) {
      const holdings = await Promise.all(users.map(coinsOf));
      const user = pick(
        roll,
        users.filter((_, i) => holdings[i]!.length > 0),
      );
      const act = pick(roll, [payment, payment, payment, settlement, nonsense, nonsense]);
      if (roll(CRASH_ODDS) === 0) w.crashAt({ write: 1 + roll(2), when: pick(roll, ['before', 'after'] as const) });
      await surviving(act({ w, roll, users, known: await known() }, user));
      await settleDown();
    }
    const coins = (await Promise.all(users.map(coinsOf))).flat();
    assert.equal(
      coins.reduce((sum, { amount }) => sum + amount, 0n),
      120_000n,
    );
    assert.ok((await known()).length > 2);
    for (const assetId of await known()) assert.ok((await supplyOf(users[0]!, assetId)) >= 0n);
  });
}

/** Transactions over confirmed and waiting coins, honest or damaged, from a repeatable source of chance. */
import { sumSats } from '../../src/base/units.ts';
import type { Tx } from '../../src/bitcoin/tx.ts';
import type { Lock } from './locks.ts';
import { BODY_MUTATIONS, type Dice, pick, UNLOCK_MUTATIONS } from './mutations.ts';
import { anchorOf, coinOf, P2A, pay, sign, spend, type TestChain, type TestCoin } from './regtest.ts';

const ENOUGH = 30;
const FEES = [0n, 100n, 300n, 1_000n, 3_000n, 10_000n];

/** A transaction with what it spends and the locks of its outputs. */
export interface Forged {
  readonly tx: Tx;
  readonly coins: readonly TestCoin[];
  readonly locks: readonly Lock[];
}

export class Forge {
  readonly #world: TestChain;
  readonly #roll: Dice;
  #coins: TestCoin[] = [];

  constructor(world: TestChain, roll: Dice) {
    this.#world = world;
    this.#roll = roll;
  }

  /** Mines, forgets what is gone for good, and makes up for it. */
  async turn(): Promise<void> {
    await this.#world.chain.mine(1);
    const left: TestCoin[] = [];
    for (const coin of this.#coins) {
      const output = await this.#world.chain.output(coin.outpoint);
      if (output && !output.spentBy?.confirmation) left.push(coin);
    }
    const missing = Math.max(0, ENOUGH - left.length);
    this.#coins = [...left, ...(await this.#world.fund(Array.from({ length: missing }, () => this.#anyLock())))];
  }

  #anyLock(): Lock {
    const { locks } = this.#world;
    return pick(this.#roll, [locks.p2tr, locks.p2wpkh, locks.p2pkh, locks.nested, locks.p2wsh, locks.csv(2)]);
  }

  honest(): Forged {
    const roll = this.#roll;
    const coins = [...new Set(Array.from({ length: 1 + roll(2) }, () => pick(roll, this.#coins)))];
    const locks = Array.from({ length: 1 + roll(3) }, () => this.#anyLock());
    const total = sumSats(coins.map((coin) => coin.output.value));
    const fee = pick(roll, FEES);
    const each = (total - (fee < total ? fee : 0n)) / BigInt(locks.length);
    const sequences = coins.map(() => pick(roll, [2, 2, 0xffffffff]));
    const version = pick(roll, [1, 2, 2, 2, 3, 3]);
    const tx = spend(
      coins,
      locks.map((lock) => pay(lock, each)),
      { version, sequences },
    );
    return { tx, coins, locks };
  }

  damaged(): Forged {
    const roll = this.#roll;
    const { tx, coins, locks } = this.honest();
    let changed = tx;
    if (roll(2) === 0) changed = pick(roll, Object.values(BODY_MUTATIONS))(changed, roll);
    if (roll(4) > 0) changed = sign(changed, coins);
    if (roll(4) === 0) changed = pick(roll, Object.values(UNLOCK_MUTATIONS))(changed, roll);
    return { tx: changed, coins, locks };
  }

  /** A parent with an anchor and a child that spends it, either of which may be damaged. */
  family(): readonly [Forged, Forged] {
    const roll = this.#roll;
    const parentCoins = [pick(roll, this.#coins)];
    const lock = this.#anyLock();
    const version = roll(8) === 0 ? 2 : 3;
    const value = parentCoins[0]!.output.value - (roll(12) === 0 ? 500n : 0n);
    const outputs = [pay(lock, value), ...(roll(10) > 0 ? [P2A] : []), ...(roll(16) === 0 ? [P2A] : [])];
    const sequences = [pick(roll, [2, 0xffffffff])];
    let parent = spend(parentCoins, outputs, { version, sequences });
    if (roll(6) === 0) parent = sign(pick(roll, Object.values(BODY_MUTATIONS))(parent, roll), parentCoins);
    const fromParent = [anchorOf(parent), coinOf(parent, 0, lock)].filter((coin) => coin.output !== undefined);
    const childCoins = [...(roll(6) > 0 ? fromParent.slice(0, 1) : fromParent), pick(roll, this.#coins)];
    const childLocks = [this.#anyLock()];
    const total = sumSats(childCoins.map((coin) => coin.output.value));
    const rest = total - pick(roll, [100n, 1_000n, 2_000n, 20_000n]);
    const draft = spend(childCoins, [pay(childLocks[0]!, rest)], {
      version: roll(12) === 0 ? 2 : version,
      sequences: childCoins.map(() => 0xffffffff),
    });
    const child = roll(6) === 0 ? pick(roll, Object.values(UNLOCK_MUTATIONS))(draft, roll) : draft;
    return [
      { tx: parent, coins: parentCoins, locks: [lock] },
      { tx: child, coins: childCoins, locks: childLocks },
    ];
  }

  /** Coins spent go, though not always, so that others conflict; coins made come. */
  accepted({ tx, coins, locks }: Forged): void {
    const gone = new Set(coins.filter(() => this.#roll(3) > 0));
    this.#coins = this.#coins.filter((coin) => !gone.has(coin));
    for (const [vout, lock] of locks.entries()) {
      if (tx.outputs[vout]?.script === lock.script) this.#coins.push(coinOf(tx, vout, lock));
    }
  }
}

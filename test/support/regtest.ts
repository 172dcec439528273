/** A chain of a test's own, coins to spend on it, and transactions made of them. */
import type { Outpoint } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { sats } from '../../src/base/units.ts';
import { P2A_SCRIPT } from '../../src/bitcoin/script.ts';
import { type Tx, type TxOut, txIn, txidOf } from '../../src/bitcoin/tx.ts';
import { createRegtestChain, type RegtestChain, type RegtestOptions } from '../../src/chain/regtest/chain.ts';
import { loadSecp } from '../../src/runtime/secp-wasm.ts';
import { anchor, type Lock, type Locks, locksOf } from './locks.ts';

export const secp = await loadSecp();

/** An output that the test can spend. */
export interface TestCoin {
  readonly outpoint: Outpoint;
  readonly output: TxOut;
  readonly lock: Lock;
}

export interface SpendOptions {
  readonly version?: number;
  readonly locktime?: number;
  /** One per input; final ones if absent. */
  readonly sequences?: readonly number[];
}

/** A signed transaction. */
export function spend(coins: readonly TestCoin[], outputs: readonly TxOut[], options: SpendOptions = {}): Tx {
  const { version = 2, locktime = 0, sequences = [] } = options;
  const inputs = coins.map((coin, i) => txIn(coin.outpoint, sequences[i]));
  return sign({ version, inputs, outputs, locktime }, coins);
}

/** `tx` with every input unlocked anew; `coins` are what it spends. */
export function sign(tx: Tx, coins: readonly TestCoin[]): Tx {
  const prevouts = coins.map((coin) => coin.output);
  return { ...tx, inputs: tx.inputs.map((input, i) => ({ ...input, ...coins[i]!.lock.unlock(tx, i, prevouts) })) };
}

/** Output `vout` of `tx`, spendable through `lock`. */
export const coinOf = (tx: Tx, vout: number, lock: Lock): TestCoin => ({
  outpoint: { txid: txidOf(tx), vout },
  output: tx.outputs[vout]!,
  lock,
});

export const pay = (lock: Lock, value: bigint): TxOut => ({ value, script: lock.script });
export const P2A: TxOut = { value: 0n, script: P2A_SCRIPT };
export const anchorOf = (tx: Tx): TestCoin =>
  coinOf(
    tx,
    tx.outputs.findIndex((output) => output.script === P2A_SCRIPT),
    anchor,
  );

export interface TestChain {
  readonly chain: RegtestChain;
  readonly locks: Locks;
  /** Confirmed coins of the given locks, of `value` satoshi each. */
  fund(locks: readonly Lock[], value?: bigint): Promise<TestCoin[]>;
  /** Unix seconds, which stand still; assign to move them. */
  time: number;
}

const START = 1_750_000_000;
/** As the judge's, whose version is below 30. */
const MAX_DATA_SCRIPT = 83;

export function testChain(options: Partial<RegtestOptions> = {}): TestChain {
  const world = { time: START };
  const chain = createRegtestChain({ secp, now: () => world.time, maxDataScript: MAX_DATA_SCRIPT, ...options });
  return Object.assign(world, {
    chain,
    locks: locksOf(secp, 'alice'),
    async fund(locks: readonly Lock[], value = 100_000n): Promise<TestCoin[]> {
      const coins: TestCoin[] = [];
      for (const lock of locks) {
        const txid = await chain.faucet(lock.script, sats(value));
        const { tx } = (await chain.transaction(txid))!;
        coins.push(coinOf(tx, 0, lock));
      }
      await chain.mine(1);
      return coins;
    },
  });
}

/** The reject reason of a refused call; `undefined` when it was not refused. */
export async function reasonOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return error.data.reason ?? error.code;
    throw error;
  }
}

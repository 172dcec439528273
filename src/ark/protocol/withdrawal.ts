/** A payment out of the server's wallet: which coins pay it, what it costs, and what comes back. */
import type { Bytes } from '../../base/bytes.ts';
import { type FeeRate, sumSats } from '../../base/units.ts';
import { SEQUENCE_FINAL, type Tx, type TxOut, txIn, vsizeOf } from '../../bitcoin/tx.ts';
import type { WalletCoin } from './commitment.ts';

export interface WithdrawalPlan {
  readonly script: Bytes;
  /** Satoshi that arrive, or everything there is, less the fee. */
  readonly amount: bigint | 'all';
  readonly changeScript: Bytes;
  /** Satoshi that must stay in the wallet. */
  readonly keep: bigint;
  readonly feeRate: FeeRate;
  readonly dust: bigint;
}

export interface Withdrawal {
  /** Unsigned. */
  readonly tx: Tx;
  readonly coins: readonly WalletCoin[];
  /** Satoshi. */
  readonly amount: bigint;
  readonly fee: bigint;
}

const VERSION = 2;
/** BIP125: whoever waits for the payment can see that it may be replaced by a dearer one. */
const REPLACEABLE = SEQUENCE_FINAL - 2;
/** Longest Schnorr signature: 64 bytes and a sighash type. */
const SIGNATURE = new Uint8Array(65);
/** Sets of coins to look at in search of one that needs no change. */
const MAX_TRIES = 50_000;

const draft = (coins: readonly WalletCoin[], outputs: readonly TxOut[]): Tx => ({
  version: VERSION,
  inputs: coins.map(({ outpoint }) => txIn(outpoint, REPLACEABLE)),
  outputs,
  locktime: 0,
});

const feeOf = (coins: readonly WalletCoin[], outputs: readonly TxOut[], rate: FeeRate): bigint => {
  const tx = draft(coins, outputs);
  const signed = { ...tx, inputs: tx.inputs.map((input) => ({ ...input, witness: [SIGNATURE] })) };
  return BigInt(Math.ceil(vsizeOf(signed) * rate));
};

const worthOf = (coins: readonly WalletCoin[]): bigint => sumSats(coins.map(({ output }) => output.value));

/** What one more coin costs: the difference between two of them and one. */
function inputFee(coin: WalletCoin, outputs: readonly TxOut[], rate: FeeRate): bigint {
  return feeOf([coin, coin], outputs, rate) - feeOf([coin], outputs, rate);
}

/**
 * The payment, made of as few and as fitting coins as can be: a set that needs no change if there is one, else the
 * smallest coin that suffices, else the largest ones. Coins that cost more than they are worth stay where they are.
 * `undefined` when the coins do not suffice, or too little would stay.
 */
export function buildWithdrawal(plan: WithdrawalPlan, available: readonly WalletCoin[]): Withdrawal | undefined {
  const { amount, script, feeRate } = plan;
  const outputs = [{ value: 0n, script }];
  const coins = available
    .filter((coin) => coin.output.value > inputFee(coin, outputs, feeRate))
    .toSorted((a, b) => (a.output.value < b.output.value ? 1 : a.output.value > b.output.value ? -1 : 0));
  if (amount === 'all') return buildSweep(plan, coins);
  const chosen = withoutChange(plan, amount, coins) ?? withChange(plan, amount, coins);
  const built = chosen && toWithdrawal(plan, amount, chosen);
  return built && worthOf(available) - built.amount - built.fee >= plan.keep ? built : undefined;
}

function buildSweep(plan: WithdrawalPlan, coins: readonly WalletCoin[]): Withdrawal | undefined {
  if (coins.length === 0) return undefined;
  const { script, changeScript, keep, feeRate, dust } = plan;
  const kept = keep === 0n ? [] : [{ value: keep > dust ? keep : dust, script: changeScript }];
  const fee = feeOf(coins, [{ value: 0n, script }, ...kept], feeRate);
  const amount = worthOf(coins) - fee - sumSats(kept.map(({ value }) => value));
  return amount < dust ? undefined : { tx: draft(coins, [{ value: amount, script }, ...kept]), coins, amount, fee };
}

/** Branch and bound over coins in falling order: the first set that overpays by less than change would cost. */
function withoutChange(plan: WithdrawalPlan, amount: bigint, coins: readonly WalletCoin[]): WalletCoin[] | undefined {
  const [first] = coins;
  if (!first) return undefined;
  const { script, changeScript, feeRate } = plan;
  const payment = { value: amount, script };
  const change = { value: 0n, script: changeScript };
  const each = inputFee(first, [payment], feeRate);
  const base = feeOf([first], [payment], feeRate) - each;
  const worth = coins.map(({ output }) => output.value - each);
  const rest = worth.map((_, i) => sumSats(worth.slice(i)));
  const least = amount + base;
  // A change output is paid for twice: when it is made and when it is spent.
  const most = least + feeOf([first], [payment, change], feeRate) - feeOf([first], [payment], feeRate) + each;
  let tries = 0;
  const search = (i: number, sum: bigint): number[] | undefined => {
    if (sum > most || tries++ > MAX_TRIES) return undefined;
    if (sum >= least) return [];
    if (i >= coins.length || sum + rest[i]! < least) return undefined;
    const taken = search(i + 1, sum + worth[i]!);
    return taken ? [i, ...taken] : search(i + 1, sum);
  };
  const found = search(0, 0n)?.map((i) => coins[i]!);
  return found && worthOf(found) >= amount + feeOf(found, [payment], feeRate) ? found : undefined;
}

function withChange(plan: WithdrawalPlan, amount: bigint, coins: readonly WalletCoin[]): WalletCoin[] | undefined {
  const suffices = (chosen: readonly WalletCoin[]): boolean =>
    worthOf(chosen) >= amount + feeOf(chosen, [{ value: amount, script: plan.script }], plan.feeRate);
  const single = coins.findLast((coin) => suffices([coin]));
  if (single) return [single];
  const count = coins.findIndex((_, i) => suffices(coins.slice(0, i + 1)));
  return count < 0 ? undefined : coins.slice(0, count + 1);
}

/** Change below dust goes to the fee. */
function toWithdrawal(plan: WithdrawalPlan, amount: bigint, coins: readonly WalletCoin[]): Withdrawal {
  const { script, changeScript, feeRate, dust } = plan;
  const payment = { value: amount, script };
  const surplus = worthOf(coins) - amount;
  const change = surplus - feeOf(coins, [payment, { value: 0n, script: changeScript }], feeRate);
  if (change < dust) return { tx: draft(coins, [payment]), coins, amount, fee: surplus };
  return { tx: draft(coins, [payment, { value: change, script: changeScript }]), coins, amount, fee: surplus - change };
}

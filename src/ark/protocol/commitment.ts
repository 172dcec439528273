/**
 * The commitment transaction of a batch: [0] batch output, [1] connector output, then on-chain receivers, then the
 * server's change. Without a tree the first on-chain receiver stands in its place, since clients look for the
 * connectors at output 1; without forfeits there is no connector output.
 */
import type { Bytes, Outpoint } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import { type FeeRate, sumSats } from '../../base/units.ts';
import { createPsbt, EMPTY_INPUT, type Psbt } from '../../bitcoin/psbt.ts';
import { type Tx, type TxOut, txIn, vsizeOf } from '../../bitcoin/tx.ts';

/** A coin of the server's wallet: a BIP86 output. */
export interface WalletCoin {
  readonly outpoint: Outpoint;
  readonly output: TxOut;
}

/** An on-chain input that its owner and the server sign through a tapscript leaf. */
export interface BoardingInput extends WalletCoin {
  readonly leafScript: Bytes;
  readonly controlBlock: Bytes;
  /** Keys in the leaf, each of which owes a signature. */
  readonly signatures: number;
}

export interface CommitmentPlan {
  readonly batch: TxOut | undefined;
  readonly connectors: TxOut | undefined;
  readonly onchain: readonly TxOut[];
  readonly boarding: readonly BoardingInput[];
  readonly changeScript: Bytes;
  readonly feeRate: FeeRate;
  readonly dust: bigint;
}

export interface Commitment {
  readonly psbt: Psbt;
  readonly coins: readonly WalletCoin[];
  /** Satoshi. */
  readonly fee: bigint;
}

export const COMMITMENT_VERSION = 2;

/** Longest Schnorr signature: 64 bytes and a sighash type. */
const SIGNATURE_LENGTH = 65;
const blank = (length: number): Bytes => new Uint8Array(length);

function outputsOf({ batch, connectors, onchain }: CommitmentPlan): TxOut[] {
  const [first, ...rest] = batch ? [batch, ...onchain] : onchain;
  invariant(first, 'a batch pays somebody');
  return [first, ...(connectors ? [connectors] : []), ...rest];
}

function feeOf(plan: CommitmentPlan, coins: readonly WalletCoin[], outputs: readonly TxOut[]): bigint {
  const inputs: Tx['inputs'] = [
    ...coins.map((coin) => ({ ...txIn(coin.outpoint), witness: [blank(SIGNATURE_LENGTH)] })),
    ...plan.boarding.map((input) => ({
      ...txIn(input.outpoint),
      witness: [...Array(input.signatures).fill(blank(SIGNATURE_LENGTH)), input.leafScript, input.controlBlock],
    })),
  ];
  const vsize = vsizeOf({ version: COMMITMENT_VERSION, inputs, outputs, locktime: 0 });
  return BigInt(Math.ceil(vsize * plan.feeRate));
}

/**
 * Picks coins in the order given until inputs cover outputs and fee, and returns the unsigned PSBT: wallet inputs
 * first, then boarding inputs, a `witnessUtxo` on each. Change below dust goes to the fee.
 * `undefined` when the coins do not suffice.
 */
export function buildCommitment(plan: CommitmentPlan, available: readonly WalletCoin[]): Commitment | undefined {
  const fixed = outputsOf(plan);
  const owed = sumSats(fixed.map((output) => output.value));
  let held = sumSats(plan.boarding.map((input) => input.output.value));
  const coins: WalletCoin[] = [];
  for (let next = 0; ; next++) {
    const change = changeOf(plan, coins, fixed, held - owed);
    if (change !== undefined && coins.length + plan.boarding.length > 0) {
      const outputs = change > 0n ? [...fixed, { value: change, script: plan.changeScript }] : fixed;
      return { psbt: toPsbt(plan, coins, outputs), coins, fee: held - owed - change };
    }
    const coin = available[next];
    if (!coin) return undefined;
    coins.push(coin);
    held += coin.output.value;
  }
}

/** Change in satoshi, 0 for none; `undefined` when `surplus` does not cover the fee. */
function changeOf(
  plan: CommitmentPlan,
  coins: readonly WalletCoin[],
  fixed: readonly TxOut[],
  surplus: bigint,
): bigint | undefined {
  const change = surplus - feeOf(plan, coins, [...fixed, { value: 0n, script: plan.changeScript }]);
  if (change >= plan.dust) return change;
  const bareFee = feeOf(plan, coins, fixed);
  return surplus >= bareFee ? 0n : undefined;
}

function toPsbt(plan: CommitmentPlan, coins: readonly WalletCoin[], outputs: readonly TxOut[]): Psbt {
  const spent = [...coins, ...plan.boarding];
  const inputs = spent.map(({ outpoint }) => txIn(outpoint));
  invariant(
    new Set(spent.map(({ outpoint }) => `${outpoint.txid}:${outpoint.vout}`)).size === spent.length,
    'input twice',
  );
  return createPsbt(
    { version: COMMITMENT_VERSION, inputs, outputs, locktime: 0 },
    spent.map(({ output }) => ({ ...EMPTY_INPUT, witnessUtxo: output })),
  );
}

/** Packages of one parent that pays no fee and one child that pays for both (BIP431 TRUC, BIP433 P2A). */
import type { Bytes, Outpoint } from '../base/bytes.ts';
import { type FeeRate, sumSats } from '../base/units.ts';
import { isP2A, P2A_SCRIPT, p2tr } from './script.ts';
import { NULL_TXID, type Tx, type TxOut, txIn, txidOf, vsizeOf } from './tx.ts';

/** BIP431: a transaction of this version has one unconfirmed parent or child at most, so that nobody can pin it. */
export const TRUC_VERSION = 3;

/** The output that a paying child spends: without value, and for anybody to take. */
export const ANCHOR: TxOut = { value: 0n, script: P2A_SCRIPT };

/** A coin that can pay fees: a P2TR output spent by its key. It must be confirmed, as a TRUC child has one parent only. */
export interface FeeCoin {
  readonly outpoint: Outpoint;
  readonly output: TxOut;
}

const KEY_PATH_SIGNATURE = 65;
/** BIP431. */
const MAX_CHILD_VSIZE = 1_000;

/** Index of the anchor among the outputs, if there is one. */
export function anchorOf(tx: Tx): number | undefined {
  const index = tx.outputs.findIndex((output) => isP2A(output.script));
  return index < 0 ? undefined : index;
}

/** `witness` is that of each coin. */
const childOf = (anchor: Outpoint, coins: readonly Outpoint[], output: TxOut, witness: readonly Bytes[] = []): Tx => ({
  version: TRUC_VERSION,
  inputs: [txIn(anchor), ...coins.map((coin) => ({ ...txIn(coin), witness }))],
  outputs: [output],
  locktime: 0,
});

/** Virtual bytes of a signed {@link anchorChild} with a P2TR output. */
export const ANCHOR_CHILD_VSIZE: number = childVsize(p2tr(new Uint8Array(32)), 1);

function childVsize(changeScript: Bytes, coins: number): number {
  const nowhere = { txid: NULL_TXID, vout: 0 };
  const witness = [new Uint8Array(KEY_PATH_SIGNATURE)];
  return vsizeOf(childOf(nowhere, Array(coins).fill(nowhere), { value: 0n, script: changeScript }, witness));
}

/**
 * The unsigned child of `parent`: spends its anchor (input 0, no witness needed) and `coins`, and returns what is left
 * to `changeScript`. `feeOf` says what it pays, in satoshi, when it has so many virtual bytes once signed.
 * `undefined` when the parent has no anchor, the coins do not pay with `dust` to spare, or there are too many of them.
 */
export function payingChild(
  parent: Tx,
  coins: readonly FeeCoin[],
  changeScript: Bytes,
  feeOf: (vsize: number) => bigint,
  dust: bigint,
): Tx | undefined {
  const anchor = anchorOf(parent);
  const vsize = childVsize(changeScript, coins.length);
  if (anchor === undefined || vsize > MAX_CHILD_VSIZE) return undefined;
  const change = sumSats(coins.map(({ output }) => output.value)) - feeOf(vsize);
  const spent = coins.map(({ outpoint }) => outpoint);
  const output = { value: change, script: changeScript };
  return change >= dust ? childOf({ txid: txidOf(parent), vout: anchor }, spent, output) : undefined;
}

/** {@link payingChild} with one coin, at a rate for both. `parent` must be fully signed, since its size counts. */
export const anchorChild = (
  parent: Tx,
  coin: FeeCoin,
  changeScript: Bytes,
  rate: FeeRate,
  dust: bigint,
): Tx | undefined =>
  payingChild(parent, [coin], changeScript, (vsize) => BigInt(Math.ceil((vsizeOf(parent) + vsize) * rate)), dust);

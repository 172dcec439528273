/** Packages of one parent that pays no fee and one child that pays for both (BIP431 TRUC, BIP433 P2A). */
import type { Bytes, Outpoint } from '../base/bytes.ts';
import type { FeeRate } from '../base/units.ts';
import { isP2A, P2A_SCRIPT, p2tr } from './script.ts';
import { NULL_TXID, type Tx, type TxIn, type TxOut, txIn, txidOf, vsizeOf } from './tx.ts';

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

/** Index of the anchor among the outputs, if there is one. */
export function anchorOf(tx: Tx): number | undefined {
  const index = tx.outputs.findIndex((output) => isP2A(output.script));
  return index < 0 ? undefined : index;
}

const childOf = (anchor: Outpoint, coin: Outpoint, output: TxOut): Tx => ({
  version: TRUC_VERSION,
  inputs: [txIn(anchor), txIn(coin)],
  outputs: [output],
  locktime: 0,
});

/** Virtual bytes of a signed {@link anchorChild} with a P2TR output. */
export const ANCHOR_CHILD_VSIZE: number = childVsize(p2tr(new Uint8Array(32)));

function childVsize(changeScript: Bytes): number {
  const nowhere = { txid: NULL_TXID, vout: 0 };
  const draft = childOf(nowhere, nowhere, { value: 0n, script: changeScript });
  const [anchor, coin] = draft.inputs as [TxIn, TxIn];
  return vsizeOf({ ...draft, inputs: [anchor, { ...coin, witness: [new Uint8Array(KEY_PATH_SIGNATURE)] }] });
}

/**
 * The unsigned child of `parent`: spends its anchor (input 0, no witness needed) and `coin` (input 1), and returns
 * what is left to `changeScript`. `parent` must be fully signed, since its size counts.
 * `undefined` when the parent has no anchor or the coin does not pay for both with `dust` to spare.
 */
export function anchorChild(
  parent: Tx,
  coin: FeeCoin,
  changeScript: Bytes,
  rate: FeeRate,
  dust: bigint,
): Tx | undefined {
  const anchor = anchorOf(parent);
  if (anchor === undefined) return undefined;
  const fee = BigInt(Math.ceil((vsizeOf(parent) + childVsize(changeScript)) * rate));
  const change = coin.output.value - fee;
  const output = { value: change, script: changeScript };
  return change >= dust ? childOf({ txid: txidOf(parent), vout: anchor }, coin.outpoint, output) : undefined;
}

/** Packages of one parent that pays no fee and one child that pays for both (BIP431 TRUC, BIP433 P2A). */
import type { Bytes, Outpoint } from '../base/bytes.ts';
import type { FeeRate } from '../base/units.ts';
import { isP2A, P2A_SCRIPT } from './script.ts';
import { type Tx, type TxOut, txIn, txidOf, vsizeOf } from './tx.ts';

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
  const childOf = (value: bigint): Tx => ({
    version: TRUC_VERSION,
    inputs: [txIn({ txid: txidOf(parent), vout: anchor }), txIn(coin.outpoint)],
    outputs: [{ value, script: changeScript }],
    locktime: 0,
  });
  const draft = childOf(0n);
  const signed = {
    ...draft,
    inputs: draft.inputs.map((input, i) =>
      i === 1 ? { ...input, witness: [new Uint8Array(KEY_PATH_SIGNATURE)] } : input,
    ),
  };
  const fee = BigInt(Math.ceil((vsizeOf(parent) + vsizeOf(signed)) * rate));
  const change = coin.output.value - fee;
  return change >= dust ? childOf(change) : undefined;
}

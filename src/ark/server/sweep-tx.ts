/** The transactions that take outputs back which are the server's alone again. */
import { type Bytes, fromHex, type Outpoint, type Txid, toHex } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import { sumSats } from '../../base/units.ts';
import { parsePsbt } from '../../bitcoin/psbt.ts';
import { taprootSighash } from '../../bitcoin/sighash.ts';
import { controlBlock, leafHash, outputKey } from '../../bitcoin/taproot.ts';
import { type RelativeTimelock, toSequence } from '../../bitcoin/timelock.ts';
import { SEQUENCE_FINAL, type Tx, type TxOut, txIn, vsizeOf, weightOf } from '../../bitcoin/tx.ts';
import { batchAggregator, sweepScript } from '../protocol/batch-tree.ts';
import { cosignersOf } from '../protocol/psbt-fields.ts';
import type { ArkContext } from './context.ts';

/** An output to take back, with what its input needs. */
export interface Remnant {
  readonly outpoint: Outpoint;
  readonly output: TxOut;
  readonly sequence: number;
  /** The leaf that the forfeit key opens; without one it is the connector key's own output. */
  readonly leaf?: { readonly script: Bytes; readonly controlBlock: Bytes };
  /** Of whose batch it is, if of any. */
  readonly commitmentTxid?: Txid;
}

export interface SweepTx {
  readonly tx: Tx;
  /** Satoshi. */
  readonly fee: bigint;
  readonly remnants: readonly Remnant[];
}

const SWEEP_VERSION = 2;
/** Weight units: some three hundred inputs, a quarter of what nodes relay. */
const MAX_WEIGHT = 100_000;
const SIGNATURE_LENGTH = 64;

/** How the batch's sweep leaf opens an output of its tree: the node that would have spent it names the cosigners. */
export function treeRemnantLeaf(ctx: ArkContext, nodePsbt: string, expiry: RelativeTimelock) {
  const script = sweepScript(expiry, fromHex(ctx.publicKeys.forfeit).slice(1));
  const cosigners = cosignersOf(parsePsbt(nodePsbt).inputs[0]!).map(toHex);
  const { internal } = batchAggregator(ctx.secp, script).of(cosigners);
  return { script, controlBlock: controlBlock(internal, outputKey(ctx.secp, internal, leafHash(script)).parity, []) };
}

/** Sequence of an input that waits for `delay`. */
export const waiting = (delay: RelativeTimelock): number => toSequence(delay);
export const NO_WAIT = SEQUENCE_FINAL;

const witnessOf = ({ leaf }: Remnant, signature: Bytes): readonly Bytes[] =>
  leaf ? [signature, leaf.script, leaf.controlBlock] : [signature];

const draftOf = (remnants: readonly Remnant[], value: bigint, script: Bytes): Tx => ({
  version: SWEEP_VERSION,
  inputs: remnants.map((remnant) => ({
    ...txIn(remnant.outpoint, remnant.sequence),
    witness: witnessOf(remnant, new Uint8Array(SIGNATURE_LENGTH)),
  })),
  outputs: [{ value, script }],
  locktime: 0,
});

/** Weight that a remnant adds. */
function weightOfInput(remnant: Remnant, script: Bytes): number {
  return weightOf(draftOf([remnant, remnant], 0n, script)) - weightOf(draftOf([remnant], 0n, script));
}

/** The rate (satoshi per virtual byte) up to which a remnant is worth its input. */
export const worthUpTo = (remnant: Remnant, script: Bytes): number =>
  Number(remnant.output.value) / (weightOfInput(remnant, script) / 4);

/** In groups that fit into one transaction each, in the order given. */
export function inLoads(remnants: readonly Remnant[], script: Bytes): Remnant[][] {
  const loads: Remnant[][] = [];
  let weight = MAX_WEIGHT;
  for (const remnant of remnants) {
    const added = weightOfInput(remnant, script);
    if (weight + added > MAX_WEIGHT) {
      loads.push([]);
      weight = weightOf(draftOf([], 0n, script));
    }
    loads.at(-1)!.push(remnant);
    weight += added;
  }
  return loads;
}

/**
 * Takes `remnants` back into the wallet at `rate`, or for `least` satoshi if that is more. `undefined` when what they
 * hold does not cover the fee.
 */
export function signSweep(
  ctx: ArkContext,
  remnants: readonly Remnant[],
  rate: number,
  least: (vsize: number) => bigint = () => 0n,
): SweepTx | undefined {
  const { script } = ctx.wallet;
  const vsize = vsizeOf(draftOf(remnants, 0n, script));
  const going = BigInt(Math.ceil(vsize * rate));
  const fee = going > least(vsize) ? going : least(vsize);
  const value = sumSats(remnants.map(({ output }) => output.value)) - fee;
  if (value < ctx.settings().dust) return undefined;
  const tx = draftOf(remnants, value, script);
  const prevouts = remnants.map(({ output }) => ({ value: output.value, script: output.script }));
  const inputs = tx.inputs.map((input, i) => {
    const remnant = remnants[i]!;
    const { leaf } = remnant;
    const message = taprootSighash(tx, i, prevouts, leaf ? { leafHash: leafHash(leaf.script) } : {});
    invariant(message, 'a sweep input has a sighash');
    return { ...input, witness: witnessOf(remnant, ctx.signer.sign(leaf ? 'forfeit' : 'connector', message)) };
  });
  return { tx: { ...tx, inputs }, fee, remnants };
}

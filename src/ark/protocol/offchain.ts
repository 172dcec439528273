/**
 * Off-chain payments: each VTXO spent gets a checkpoint transaction, which moves it to a script that the server can
 * take back alone after a delay; the ark transaction spends the checkpoints and pays the receivers.
 */
import type { Bytes, Outpoint } from '../../base/bytes.ts';
import type { Closure } from '../../bitcoin/closure.ts';
import { ANCHOR, TRUC_VERSION } from '../../bitcoin/package.ts';
import { createPsbt, EMPTY_INPUT, type Psbt, type PsbtInput } from '../../bitcoin/psbt.ts';
import { LOCKTIME_THRESHOLD } from '../../bitcoin/timelock.ts';
import { SEQUENCE_FINAL, SEQUENCE_LOCKTIME, type Tx, type TxOut, txIn, txidOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { demand } from './errors.ts';
import { type ClosureLeaf, leafFields, leafOfVtxo } from './leaf-spend.ts';
import { conditionPair, tapTreePair, withPairs } from './psbt-fields.ts';
import { type VtxoScript, vtxoScript } from './vtxo.ts';

/** A coin to be spent by one of its leaves. */
export interface OffchainInput {
  readonly outpoint: Outpoint;
  /** Satoshi. */
  readonly value: bigint;
  readonly vtxo: VtxoScript;
  readonly leaf: ClosureLeaf;
  readonly condition?: readonly Bytes[] | undefined;
}

/** What a checkpoint pays to: the server alone after its delay, or the very leaf that spent the VTXO. */
export const checkpointScript = (secp: Secp, checkpointTapscript: Bytes, leafScript: Bytes): VtxoScript =>
  vtxoScript(secp, [checkpointTapscript, leafScript]);

/**
 * Locktime that a transaction over these leaves needs. Throws `MALFORMED_ARK_TX` when one leaf wants a height and
 * another a time, which no transaction can satisfy.
 */
function locktimeOf(closures: readonly Closure[]): number {
  const locktimes = closures.flatMap((closure) => (closure.kind === 'cltv' ? [closure.locktime] : []));
  const kinds = new Set(locktimes.map((locktime) => locktime < LOCKTIME_THRESHOLD));
  demand(kinds.size <= 1, 'MALFORMED_ARK_TX', 'the inputs wait for a height and for a time');
  return Math.max(0, ...locktimes);
}

const inputMap = ({ value, vtxo, leaf, condition }: OffchainInput): PsbtInput =>
  withPairs(
    { ...EMPTY_INPUT, witnessUtxo: { value, script: vtxo.script }, ...leafFields(leaf) },
    tapTreePair(vtxo.scripts),
    ...(condition ? [conditionPair(condition)] : []),
  );

function spendAll(inputs: readonly OffchainInput[], outputs: readonly TxOut[]): Psbt {
  const closures = inputs.map(({ leaf }) => leaf.closure);
  const tx: Tx = {
    version: TRUC_VERSION,
    inputs: inputs.map(({ outpoint, leaf }) =>
      txIn(outpoint, leaf.closure.kind === 'cltv' ? SEQUENCE_LOCKTIME : SEQUENCE_FINAL),
    ),
    outputs: [...outputs, ANCHOR],
    locktime: locktimeOf(closures),
  };
  return createPsbt(tx, inputs.map(inputMap));
}

export interface Checkpoint {
  readonly psbt: Psbt;
  /** The checkpoint's output as input of the ark transaction. */
  readonly output: OffchainInput;
}

/** Throws `INVALID_VTXO_SCRIPT` when `checkpointTapscript` is no closure. */
export function buildCheckpoint(secp: Secp, checkpointTapscript: Bytes, input: OffchainInput): Checkpoint {
  const vtxo = checkpointScript(secp, checkpointTapscript, input.leaf.script);
  const psbt = spendAll([input], [{ value: input.value, script: vtxo.script }]);
  const { value, condition } = input;
  const outpoint = { txid: txidOf(psbt.tx), vout: 0 };
  return { psbt, output: { outpoint, value, vtxo, leaf: leafOfVtxo(vtxo, input.leaf.script)!, condition } };
}

/** The ark transaction over these checkpoints' outputs; the anchor is added. Throws like {@link buildCheckpoint}. */
export const buildArkTx = (checkpoints: readonly OffchainInput[], outputs: readonly TxOut[]): Psbt =>
  spendAll(checkpoints, outputs);

/** What the server checks before it lends its signature to an off-chain payment, and the signing itself. */
import { type Bytes, equal, type Outpoint, outpointKey, type Txid } from '../../base/bytes.ts';
import { sumSats } from '../../base/units.ts';
import { createPsbt, type Psbt, type PsbtInput, parsePsbt, prevoutsOf, withInput } from '../../bitcoin/psbt.ts';
import { SIGHASH } from '../../bitcoin/sighash.ts';
import { SEQUENCE_LOCKTIME, type Tx, txidOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { AssetPacket } from './asset-packet.ts';
import { demand, reading } from './errors.ts';
import type { Extension } from './extension.ts';
import {
  type ClosureLeaf,
  isConditionMet,
  keysAmong,
  keysBesides,
  type LeafSigner,
  leafOfVtxo,
  MAX_ENFORCEABLE_WEIGHT,
  revealedLeaf,
  signatureFault,
  signedWeight,
  signLeaf,
  withClosure,
} from './leaf-spend.ts';
import { type ChainTip, checkMaturity } from './maturity.ts';
import { buildArkTx, buildCheckpoint, type Checkpoint, type OffchainInput } from './offchain.ts';
import { type OffchainOutput, type OutputRules, readOffchainOutputs } from './offchain-outputs.ts';
import { conditionOf, conditionPair, tapTreeOf, withoutCondition, withPairs } from './psbt-fields.ts';
import { checkVtxoScript, isForfeitClosure, type VtxoRules, type VtxoScript, vtxoScript } from './vtxo.ts';

/** What a client may sign with: either commits to everything. */
const OWNER_SIGHASHES = [SIGHASH.DEFAULT, SIGHASH.ALL];

export interface SubmissionRules extends VtxoRules, OutputRules {
  /** The server's exit leaf in every checkpoint. */
  readonly checkpointTapscript: Bytes;
  /** Weight units of the signed ark transaction. */
  readonly maxTxWeight: number;
  readonly tip: ChainTip;
}

/** What `POST /v1/tx/submit` brings: base64 PSBTs. */
export interface SubmittedTxs {
  readonly signedArkTx: string;
  readonly checkpointTxs: readonly string[];
}

/** An input as the client claims it: that the VTXO exists with this value and script is for the caller to look up. */
export interface SubmittedInput {
  readonly outpoint: Outpoint;
  /** Satoshi. */
  readonly value: bigint;
  readonly vtxo: VtxoScript;
  /** The leaf that spends the VTXO, and again the checkpoint. */
  readonly leaf: ClosureLeaf;
  /** x-only: which of the server's keys this leaf asks for. */
  readonly signerKey: Bytes;
  readonly checkpoint: Checkpoint;
  readonly checkpointTxid: Txid;
  /** Whether the client wrote the condition into the checkpoint: if not it will, and a field may be there only once. */
  readonly hasCondition: boolean;
}

export interface Submission {
  readonly arkTxid: Txid;
  /** With all of the clients' signatures, verified, and nothing else that we did not put there. */
  readonly arkTx: Psbt;
  /** In the order of the ark transaction's inputs. */
  readonly inputs: readonly SubmittedInput[];
  readonly outputs: readonly OffchainOutput[];
  readonly extension: Extension | undefined;
  /** What moves the assets, if any; whether it may depends on what the VTXOs hold. */
  readonly assets: AssetPacket | undefined;
}

interface SubmittedCheckpoint {
  readonly txid: Txid;
  readonly outpoint: Outpoint;
  readonly map: PsbtInput;
}

function readCheckpoint(tx: string): SubmittedCheckpoint {
  const psbt = reading('INVALID_CHECKPOINT_PSBT', { tx }, () => parsePsbt(tx));
  const txid = txidOf(psbt.tx);
  const [input] = psbt.tx.inputs;
  demand(input, 'INVALID_PSBT_MISSING_INPUT', 'a checkpoint spends nothing', { txid });
  return { txid, outpoint: input.prevout, map: psbt.inputs[0]! };
}

const areDistinct = (outpoints: readonly Outpoint[]): boolean =>
  new Set(outpoints.map(outpointKey)).size === outpoints.length;

/** The checkpoints in the order of the inputs that spend them: one each, over VTXOs all different. */
function pairCheckpoints(arkTx: Tx, checkpointTxs: readonly string[]): readonly SubmittedCheckpoint[] {
  const txid = txidOf(arkTx);
  const spent = arkTx.inputs.map(({ prevout }) => prevout);
  demand(spent.length > 0, 'INVALID_PSBT_MISSING_INPUT', 'the ark tx spends nothing', { txid });
  const mismatch = `${checkpointTxs.length} checkpoints for ${spent.length} inputs`;
  demand(checkpointTxs.length === spent.length, 'CHECKPOINT_MISMATCH', mismatch, { expected_txid: txid });
  const checkpoints = checkpointTxs.map(readCheckpoint);
  const onceEach = areDistinct(spent) && areDistinct(checkpoints.map(({ outpoint }) => outpoint));
  demand(onceEach, 'INVALID_PSBT_INPUT', 'something is spent twice', { txid, input_index: '0' });
  const byTxid = new Map(checkpoints.map((checkpoint) => [checkpoint.txid, checkpoint]));
  return spent.map((prevout, i) => {
    const checkpoint = byTxid.get(prevout.txid);
    demand(checkpoint, 'CHECKPOINT_MISMATCH', `input ${i} spends no checkpoint`, { expected_txid: prevout.txid });
    return checkpoint;
  });
}

/** Throws `TX_TOO_LARGE`. */
const checkWeight = (weight: number, max: number): void =>
  demand(weight <= max, 'TX_TOO_LARGE', `a transaction weighs ${weight}, more than ${max}`, {
    weight: `${weight}`,
    max_weight: `${max}`,
  });

/** The VTXO behind a checkpoint's input, and the leaf that spends it. */
function readInput(
  secp: Secp,
  { txid, outpoint, map }: SubmittedCheckpoint,
  condition: readonly Bytes[] | undefined,
  rules: SubmissionRules,
): SubmittedInput {
  const data = { txid, input_index: '0' };
  const insist: (condition: unknown, message: string) => asserts condition = (condition, message) =>
    demand(condition, 'INVALID_PSBT_INPUT', message, data);
  const { witnessUtxo } = map;
  insist(witnessUtxo && witnessUtxo.value > 0n, 'a checkpoint lacks its witness UTXO');
  const scripts = reading('INVALID_PSBT_INPUT', data, () => tapTreeOf(map));
  insist(scripts, 'a checkpoint lacks the tap tree of its VTXO');
  const vtxo = vtxoScript(secp, scripts);
  checkVtxoScript(vtxo, rules);
  insist(equal(witnessUtxo.script, vtxo.script), 'the tap tree is not the one behind the witness UTXO');
  const revealed = revealedLeaf(map);
  insist(revealed, 'a checkpoint reveals exactly one leaf');
  const leaf = leafOfVtxo(vtxo, revealed.script);
  insist(leaf && equal(leaf.controlBlock, revealed.controlBlock), 'the leaf is none of the VTXO');
  insist(isForfeitClosure(leaf.closure), 'an exit leaf spends nothing off-chain');
  checkMaturity(leaf.closure, rules.tip);
  const [signerKey, ...others] = keysAmong(leaf.closure, rules.signers);
  insist(signerKey && others.length === 0, 'the leaf asks for one key of the server');

  const hasCondition = reading('INVALID_PSBT_INPUT', data, () => conditionOf(map)) !== undefined;
  const { value } = witnessUtxo;
  const checkpoint = buildCheckpoint(secp, rules.checkpointTapscript, { outpoint, value, vtxo, leaf, condition });
  const checkpointTxid = txidOf(checkpoint.psbt.tx);
  demand(checkpointTxid === txid, 'CHECKPOINT_MISMATCH', 'a checkpoint is not as the protocol builds it', {
    expected_txid: checkpointTxid,
  });
  checkWeight(signedWeight(checkpoint.psbt), MAX_ENFORCEABLE_WEIGHT);
  return { outpoint, value, vtxo, leaf, signerKey, checkpoint, checkpointTxid, hasCondition };
}

/** Some clients let every input carry the locktime's sequence, others only those with a locked leaf. */
function isArkTx(tx: Tx, built: Tx): boolean {
  if (txidOf(tx) === txidOf(built)) return true;
  const inputs = built.inputs.map((input) => ({ ...input, sequence: SEQUENCE_LOCKTIME }));
  return built.locktime > 0 && txidOf(tx) === txidOf({ ...built, inputs });
}

/** Throws `INVALID_PSBT_INPUT` unless the ark transaction's PSBT describes the checkpoint output as it is. */
function checkDescription(arkTx: Psbt, index: number, spent: OffchainInput): void {
  const data = { txid: txidOf(arkTx.tx), input_index: `${index}` };
  const map = arkTx.inputs[index]!;
  const leaf = revealedLeaf(map);
  const sameLeaf = leaf && equal(leaf.script, spent.leaf.script) && equal(leaf.controlBlock, spent.leaf.controlBlock);
  demand(sameLeaf, 'INVALID_PSBT_INPUT', `input ${index} reveals another leaf than its checkpoint's`, data);
  const { witnessUtxo } = map;
  const sameOutput = witnessUtxo?.value === spent.value && equal(witnessUtxo.script, spent.vtxo.script);
  demand(sameOutput, 'INVALID_PSBT_INPUT', `input ${index} names another output than its checkpoint's`, data);
}

/** Throws `ARK_TX_INPUT_NOT_SIGNED` or `INVALID_SIGNATURE` unless everybody but the server has signed every input. */
function checkSignatures(secp: Secp, arkTx: Psbt, inputs: readonly SubmittedInput[], tx: string): void {
  const prevouts = prevoutsOf(arkTx)!;
  for (const [i, { checkpoint, signerKey }] of inputs.entries()) {
    const { leaf, condition } = checkpoint.output;
    const required = keysBesides(leaf.closure, [signerKey]);
    const isSigned = arkTx.inputs[i]!.tapScriptSigs.some((sig) => !equal(sig.publicKey, signerKey));
    const data = { txid: txidOf(arkTx.tx), input_index: `${i}` };
    demand(isSigned, 'ARK_TX_INPUT_NOT_SIGNED', `nobody signed input ${i}`, data);
    demand(isConditionMet(secp, leaf.closure, condition), 'INVALID_SIGNATURE', `input ${i}: condition not met`, { tx });
    const fault = signatureFault(secp, arkTx, i, prevouts, leaf, { required, sighashes: OWNER_SIGHASHES });
    demand(!fault, 'INVALID_SIGNATURE', `input ${i}: ${fault} signature`, { tx });
  }
}

/**
 * Verifies an off-chain payment in full, but for what only a store knows (see {@link SubmittedInput}): its VTXO
 * scripts and leaves, its outputs, that checkpoints and ark transaction are exactly those the protocol builds, and
 * the signatures of every key besides the server's. Throws an `ArkError` that says what is wrong.
 */
export function parseSubmission(
  secp: Secp,
  { signedArkTx: tx, checkpointTxs }: SubmittedTxs,
  rules: SubmissionRules,
): Submission {
  const received = reading('INVALID_ARK_PSBT', { tx }, () => parsePsbt(tx));
  const arkTxid = txidOf(received.tx);
  const weight = reading('INVALID_ARK_PSBT', { tx }, () => signedWeight(received));
  checkWeight(weight, rules.maxTxWeight);
  const inputs = pairCheckpoints(received.tx, checkpointTxs).map((checkpoint, i) => {
    const condition = reading('INVALID_ARK_PSBT', { tx }, () => conditionOf(received.inputs[i]!));
    return readInput(secp, checkpoint, condition, rules);
  });
  const { vtxos, extension, assets } = readOffchainOutputs(received.tx.outputs, rules, tx);

  const spent = inputs.map(({ checkpoint }) => checkpoint.output);
  const built = buildArkTx(spent, received.tx.outputs.slice(0, -1));
  const mismatch = { expected_txid: txidOf(built.tx), got_txid: arkTxid };
  const isBalanced = sumSats(spent.map(({ value }) => value)) === sumSats(built.tx.outputs.map(({ value }) => value));
  demand(isBalanced, 'ARK_TX_MISMATCH', 'the inputs and the outputs do not add up', mismatch);
  demand(isArkTx(received.tx, built.tx), 'ARK_TX_MISMATCH', 'the ark tx is not as the protocol builds it', mismatch);
  for (const [i, output] of spent.entries()) checkDescription(received, i, output);
  const maps = built.inputs.map((map, i) => ({ ...map, tapScriptSigs: received.inputs[i]!.tapScriptSigs }));
  const arkTx = createPsbt(received.tx, maps);
  checkSignatures(secp, arkTx, inputs, tx);
  return { arkTxid, arkTx, inputs, outputs: vtxos, extension, assets };
}

export interface Cosigned {
  readonly arkTx: Psbt;
  /** In the order of the ark transaction's inputs. */
  readonly checkpoints: readonly Psbt[];
}

/**
 * Adds the server's signatures to the ark transaction and to the checkpoints; `signerOf` gives the signer of each
 * input's server key. Only for a submission whose VTXOs are booked as spent by it before anybody sees the result.
 */
export function cosign({ arkTx, inputs }: Submission, signerOf: (signerKey: Bytes) => LeafSigner): Cosigned {
  const prevouts = prevoutsOf(arkTx)!;
  const signed = inputs.reduce(
    (psbt, { checkpoint, signerKey }, i) => signLeaf(psbt, i, prevouts, checkpoint.output.leaf, signerOf(signerKey)),
    arkTx,
  );
  const checkpoints = inputs.map(({ checkpoint: { psbt }, leaf, signerKey, hasCondition }) => {
    const answer = hasCondition ? psbt : withInput(psbt, 0, withoutCondition(psbt.inputs[0]!));
    return signLeaf(answer, 0, prevoutsOf(psbt)!, leaf, signerOf(signerKey));
  });
  return { arkTx: signed, checkpoints };
}

/**
 * The checkpoint with every signature, ready to broadcast: `cosigned` as {@link cosign} made it, completed with the
 * condition that the ark transaction has met, if any, and the clients' signatures from the base64 PSBT `tx`. Throws `INVALID_CHECKPOINT_PSBT`, `CHECKPOINT_MISMATCH` or
 * `INVALID_SIGNATURE`.
 */
export function parseFinalCheckpoint(
  secp: Secp,
  cosigned: Psbt,
  tx: string,
  condition?: readonly Bytes[] | undefined,
): Psbt {
  const final = reading('INVALID_CHECKPOINT_PSBT', { tx }, () => parsePsbt(tx));
  const expected = txidOf(cosigned.tx);
  demand(txidOf(final.tx) === expected, 'CHECKPOINT_MISMATCH', 'another transaction', { expected_txid: expected });
  const input = cosigned.inputs[0]!;
  const own = input.tapScriptSigs;
  const added = final.inputs[0]!.tapScriptSigs.filter(
    ({ publicKey }) => !own.some((sig) => equal(sig.publicKey, publicKey)),
  );
  const merged = withInput(cosigned, 0, {
    ...(condition ? withPairs(input, conditionPair(condition)) : input),
    tapScriptSigs: [...own, ...added],
  });
  const leaf = withClosure(revealedLeaf(merged.inputs[0]!)!)!;
  const required = keysBesides(
    leaf.closure,
    own.map((sig) => sig.publicKey),
  );
  const received = withInput(merged, 0, { ...input, tapScriptSigs: added });
  const rules = { required, sighashes: OWNER_SIGHASHES };
  const fault = signatureFault(secp, received, 0, prevoutsOf(merged)!, leaf, rules);
  demand(!fault, 'INVALID_SIGNATURE', `${fault} signature`, { tx });
  return merged;
}

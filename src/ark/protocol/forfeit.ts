/**
 * Forfeit transactions: the owner of a VTXO that a batch settles signs it over to the server, but together with a
 * connector, an output that exists only if the batch's commitment transaction confirms.
 */
import { type Bytes, equal, type Outpoint, outpointKey } from '../../base/bytes.ts';
import { ANCHOR, TRUC_VERSION } from '../../bitcoin/package.ts';
import { createPsbt, EMPTY_INPUT, type Psbt, parsePsbt, prevoutsOf, withInput } from '../../bitcoin/psbt.ts';
import { SIGHASH } from '../../bitcoin/sighash.ts';
import { SEQUENCE_FINAL, SEQUENCE_LOCKTIME, type Tx, type TxOut, txIn } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { demand, reading } from './errors.ts';
import {
  type ClosureLeaf,
  finalize,
  isConditionMet,
  isLeafOf,
  keysAmong,
  keysBesides,
  type LeafSigner,
  leafFields,
  MAX_ENFORCEABLE_WEIGHT,
  revealedLeaf,
  signatureFault,
  signedWeight,
  signLeaf,
  withClosure,
} from './leaf-spend.ts';
import { type ChainTip, checkMaturity } from './maturity.ts';
import { conditionOf, conditionPair, withPairs } from './psbt-fields.ts';
import { isForfeitClosure } from './vtxo.ts';

/** BIP68: with this bit a sequence number locks nothing. */
const NO_RELATIVE_LOCK = 0x80000000;
/** A delegate's owner signs before the connector exists, and so commits to its own input and the outputs alone. */
const SIGHASHES = [SIGHASH.DEFAULT, SIGHASH.ALL, SIGHASH.ALL | SIGHASH.ANYONECANPAY];

export interface Coin {
  readonly outpoint: Outpoint;
  /** Satoshi. */
  readonly value: bigint;
  readonly script: Bytes;
}

export interface ForfeitPlan {
  readonly vtxo: Coin;
  readonly connector: Coin;
  /** Where the server is paid. */
  readonly forfeitScript: Bytes;
  /** Locktime of the leaf that spends the VTXO, where it has one. */
  readonly locktime?: number;
}

/** The forfeit transaction, VTXO first. */
export function buildForfeit({ vtxo, connector, forfeitScript, locktime = 0 }: ForfeitPlan): Tx {
  return {
    version: TRUC_VERSION,
    inputs: [txIn(vtxo.outpoint, locktime > 0 ? SEQUENCE_LOCKTIME : SEQUENCE_FINAL), txIn(connector.outpoint)],
    outputs: [{ value: vtxo.value + connector.value, script: forfeitScript }, ANCHOR],
    locktime,
  };
}

export interface ForfeitedCoin extends Coin {
  /** What met its leaf's condition when its owner proved it; some clients do not repeat that in the forfeit. */
  readonly condition?: readonly Bytes[] | undefined;
}

export interface ForfeitRules {
  /** The VTXOs that the batch settles and that need a forfeit. */
  readonly vtxos: readonly ForfeitedCoin[];
  readonly connectors: readonly Coin[];
  readonly forfeitScript: Bytes;
  /** x-only keys that the server signs with. */
  readonly signers: readonly Bytes[];
  readonly tip: ChainTip;
}

/** A forfeit that lacks nothing but the server's signature and the connector's. */
export interface Forfeit {
  readonly vtxo: Coin;
  readonly connector: Coin;
  readonly psbt: Psbt;
  /** Which input of the transaction spends the VTXO; the other one spends the connector. */
  readonly vtxoIndex: 0 | 1;
  readonly leaf: ClosureLeaf;
  /** x-only: which of the server's keys the leaf asks for. */
  readonly signerKey: Bytes;
}

const find = <C extends Coin>(coins: readonly C[], outpoint: Outpoint): C | undefined =>
  coins.find((coin) => outpointKey(coin.outpoint) === outpointKey(outpoint));

const isOutput = (a: TxOut | undefined, b: TxOut): boolean => a?.value === b.value && equal(a.script, b.script);

/**
 * Verifies a forfeit in full: that the server, adding its own signatures, can broadcast it at once and is paid all
 * of it. That each connector is used by one forfeit only is for the caller to see to.
 * Throws `INVALID_FORFEIT_TXS`, or `FORFEIT_CLOSURE_LOCKED` while the leaf's locktime lies ahead.
 */
export function parseForfeit(secp: Secp, text: string, rules: ForfeitRules): Forfeit {
  const data = { forfeit_txs: `[${text}]` };
  const insist: (condition: unknown, message: string) => asserts condition = (condition, message) =>
    demand(condition, 'INVALID_FORFEIT_TXS', message, data);
  const received = reading('INVALID_FORFEIT_TXS', data, () => parsePsbt(text));
  const { tx } = received;
  insist(tx.version === TRUC_VERSION && tx.inputs.length === 2 && tx.outputs.length === 2, 'not a forfeit transaction');
  const vtxoIndex = find(rules.vtxos, tx.inputs[0]!.prevout) ? 0 : 1;
  const vtxo = find(rules.vtxos, tx.inputs[vtxoIndex]!.prevout);
  const connector = find(rules.connectors, tx.inputs[1 - vtxoIndex]!.prevout);
  insist(vtxo && connector, 'it spends a VTXO of the batch and a connector');
  const paid = { value: vtxo.value + connector.value, script: rules.forfeitScript };
  insist(isOutput(tx.outputs[0], paid) && isOutput(tx.outputs[1], ANCHOR), 'it pays the server all, and an anchor');

  const map = received.inputs[vtxoIndex]!;
  const revealed = revealedLeaf(map);
  const leaf = revealed && withClosure(revealed);
  insist(leaf && isForfeitClosure(leaf.closure) && isLeafOf(secp, leaf, vtxo.script), 'the leaf cannot forfeit');
  checkMaturity(leaf.closure, rules.tip);
  const locktime = leaf.closure.kind === 'cltv' ? leaf.closure.locktime : 0;
  const { sequence } = tx.inputs[vtxoIndex]!;
  const fits = locktime > 0 ? sequence >= NO_RELATIVE_LOCK && sequence < SEQUENCE_FINAL : sequence === SEQUENCE_FINAL;
  insist(tx.locktime === locktime && fits, 'the locktime is not the one of the leaf');
  insist(tx.inputs[1 - vtxoIndex]!.sequence === SEQUENCE_FINAL, 'the connector waits for nothing');

  const condition = reading('INVALID_FORFEIT_TXS', data, () => conditionOf(map)) ?? vtxo.condition;
  insist(isConditionMet(secp, leaf.closure, condition), 'the condition is not met');
  const [signerKey, ...others] = keysAmong(leaf.closure, rules.signers);
  insist(signerKey && others.length === 0, 'the leaf asks for one key of the server');
  const required = keysBesides(leaf.closure, [signerKey]);
  insist(required.length > 0, 'nobody but the server could sign');

  const spending = { ...EMPTY_INPUT, ...leafFields(leaf), witnessUtxo: vtxo, tapScriptSigs: map.tapScriptSigs };
  const vtxoMap = condition ? withPairs(spending, conditionPair(condition)) : spending;
  const connectorMap = { ...EMPTY_INPUT, witnessUtxo: connector };
  const psbt = createPsbt(tx, vtxoIndex === 0 ? [vtxoMap, connectorMap] : [connectorMap, vtxoMap]);
  insist(signedWeight(psbt) <= MAX_ENFORCEABLE_WEIGHT, 'it is too heavy to be relayed');
  const fault = signatureFault(secp, psbt, vtxoIndex, prevoutsOf(psbt)!, leaf, { required, sighashes: SIGHASHES });
  insist(!fault, `${fault} signature`);
  return { vtxo, connector, psbt, vtxoIndex, leaf, signerKey };
}

export interface ForfeitSigners {
  /** Of the forfeit's `signerKey`. */
  readonly signer: LeafSigner;
  /** Witness of the connector's input; `index` is its place in `tx`. */
  readonly connectorWitness: (tx: Tx, index: number, prevouts: readonly TxOut[]) => readonly Bytes[];
}

/** The forfeit transaction with every witness, ready to broadcast once the connector is on chain. */
export function completeForfeit(
  { psbt, vtxoIndex, leaf }: Pick<Forfeit, 'psbt' | 'vtxoIndex' | 'leaf'>,
  signers: ForfeitSigners,
): Tx {
  const prevouts = prevoutsOf(psbt)!;
  const signed = signLeaf(psbt, vtxoIndex, prevouts, leaf, signers.signer);
  const connectorIndex = 1 - vtxoIndex;
  const finalWitness = signers.connectorWitness(psbt.tx, connectorIndex, prevouts);
  return finalize(withInput(signed, connectorIndex, { finalWitness }));
}

/**
 * Intent proofs (after BIP322): a transaction that can never confirm, whose signatures prove that somebody owns
 * coins and wants them turned into the proof's outputs. Input 0 spends a made-up transaction that commits to the
 * message; the coins follow.
 */
import { type Bytes, equal, type Outpoint, outpointKey, type Txid, utf8 } from '../../base/bytes.ts';
import { MAX_MONEY } from '../../base/units.ts';
import { type Closure, parseClosure } from '../../bitcoin/closure.ts';
import { createPsbt, EMPTY_INPUT, type Psbt, type PsbtInput, parsePsbt, prevoutsOf } from '../../bitcoin/psbt.ts';
import { OP, push, script } from '../../bitcoin/script.ts';
import { SIGHASH } from '../../bitcoin/sighash.ts';
import { NULL_TXID, SEQUENCE_FINAL, type Tx, type TxOut, txIn, txidOf } from '../../bitcoin/tx.ts';
import { sha256, taggedHash } from '../../crypto/hash.ts';
import type { Secp } from '../../crypto/secp.ts';
import { type AssetPacket, assetPacketOf } from './asset-packet.ts';
import { demand, reading } from './errors.ts';
import { type Extension, isExtension, parseExtension } from './extension.ts';
import {
  isConditionMet,
  isLeafOf,
  keysBesides,
  type Leaf,
  leafFields,
  revealedLeaf,
  signatureFault,
  signedWeight,
  withClosure,
} from './leaf-spend.ts';
import { noteHash } from './note.ts';
import { conditionOf, conditionPair, tapTreeOf, tapTreePair, withPairs } from './psbt-fields.ts';
import { type VtxoScript, vtxoScript } from './vtxo.ts';

const MESSAGE_TAG = 'ark-intent-proof-message';
const VERSION = 2;
/** Weight units; Bitcoin Core relays nothing heavier. */
const MAX_STANDARD_WEIGHT = 400_000;
/** BIP322: the global PSBT field with the message signed. */
const SIGNED_MESSAGE_KEY = Uint8Array.of(0x09);
/** The only output of a proof that asks for none. */
const NO_OUTPUT: TxOut = { value: 0n, script: Uint8Array.of(OP.RETURN) };

/** A coin as the proof claims it. Whether it exists with this amount and script is for the caller to look up. */
export interface IntentCoin {
  readonly outpoint: Outpoint;
  /** Satoshi. */
  readonly amount: bigint;
  /** P2TR. */
  readonly script: Bytes;
  /** What the client chose: a BIP68 delay or even an absolute locktime. It binds nobody. */
  readonly sequence: number;
  /** The leaf that ownership is proven with, and its closure unless the coin is a note. Time locks are unchecked. */
  readonly leaf: Leaf & { readonly closure: Closure | undefined };
  /** The whole tree behind the script, where the proof reveals it and every leaf is a closure. */
  readonly tapTree: VtxoScript | undefined;
  /** What met the leaf's condition; a note's preimage. */
  readonly condition: readonly Bytes[] | undefined;
}

/** A proof whose signatures and conditions are verified; see {@link IntentCoin} for what is left to check. */
export interface IntentProof {
  readonly txid: Txid;
  readonly psbt: Psbt;
  readonly coins: readonly IntentCoin[];
  /** As in the proof and by its indexes, the extension included; empty when the proof asks for no output. */
  readonly outputs: readonly TxOut[];
  readonly extension: Extension | undefined;
  /** What moves the coins' assets, by the proof's own indexes; whether it may is for the caller to judge. */
  readonly assets: AssetPacket | undefined;
}

/** The made-up transaction that commits to `message` and to the script of the first coin. */
export const toSpend = (message: string, firstScript: Bytes): Tx => ({
  version: 0,
  inputs: [
    {
      prevout: { txid: NULL_TXID, vout: 0xffffffff },
      scriptSig: script(OP.FALSE, push(taggedHash(MESSAGE_TAG, utf8(message)))),
      sequence: 0,
      witness: [],
    },
  ],
  outputs: [{ value: 0n, script: firstScript }],
  locktime: 0,
});

const isAmount = (value: bigint): boolean => value >= 0n && value <= MAX_MONEY;

/** The tree a coin reveals, which must be the one behind its script. A tree with a foreign leaf counts as none. */
function tapTreeBehind(secp: Secp, input: PsbtInput, output: Bytes): VtxoScript | undefined {
  const scripts = tapTreeOf(input);
  if (!scripts?.every(parseClosure)) return undefined;
  const tree = vtxoScript(secp, scripts);
  if (!equal(tree.script, output)) throw new TypeError('the tap tree is not the one behind the script');
  return tree;
}

/** Reads coin `index` (from 1 on). Throws `INVALID_PSBT_INPUT` or `INVALID_VTXO_SCRIPT`. */
function readCoin(secp: Secp, psbt: Psbt, index: number): IntentCoin {
  const data = { txid: txidOf(psbt.tx), input_index: `${index}` };
  const insist: (condition: unknown, message: string) => asserts condition = (condition, message) =>
    demand(condition, 'INVALID_PSBT_INPUT', `input ${index}: ${message}`, data);
  const input = psbt.inputs[index]!;
  const { prevout, sequence } = psbt.tx.inputs[index]!;
  const { witnessUtxo } = input;
  insist(witnessUtxo && isAmount(witnessUtxo.value), 'the witness UTXO is missing or has no amount');
  const leaf = revealedLeaf(input);
  insist(leaf, 'there must be exactly one tap leaf script');
  insist(isLeafOf(secp, leaf, witnessUtxo.script), 'the leaf is not committed to by the script');
  const closure = withClosure(leaf)?.closure;
  insist(closure || noteHash(leaf.script), 'the leaf is neither a closure nor a note');
  const fields = reading('INVALID_PSBT_INPUT', data, () => ({
    tapTree: tapTreeBehind(secp, input, witnessUtxo.script),
    condition: conditionOf(input),
  }));
  const { value: amount, script } = witnessUtxo;
  return { outpoint: prevout, amount, script, sequence, leaf: { ...leaf, closure }, ...fields };
}

/** The extension among a proof's outputs. Throws `INVALID_INTENT_PSBT` or `INVALID_INTENT_PROOF`. */
function readExtension(outputs: readonly TxOut[], proof: string, message: string): Extension | undefined {
  const [output, ...others] = outputs.filter(({ script }) => isExtension(script));
  if (!output) return undefined;
  demand(others.length === 0, 'INVALID_INTENT_PSBT', 'there are several extensions', { tx: proof });
  demand(output.value === 0n, 'INVALID_INTENT_PSBT', 'the extension has a value', { tx: proof });
  return reading('INVALID_INTENT_PROOF', { proof, message }, () => parseExtension(output.script));
}

/** Why input `index` does not prove that `coin` belongs to whoever made the proof; `undefined` when it does. */
function flawOf(
  secp: Secp,
  psbt: Psbt,
  index: number,
  prevouts: readonly TxOut[],
  { leaf, condition }: IntentCoin,
  signers: readonly Bytes[],
): string | undefined {
  const { closure } = leaf;
  if (!closure) {
    const isRedeemed = condition?.length === 1 && equal(sha256(condition[0]!), noteHash(leaf.script)!);
    return isRedeemed ? undefined : 'wrong note preimage';
  }
  if (!isConditionMet(secp, closure, condition)) return 'the condition is not met';
  const required = keysBesides(closure, signers);
  if (required.length === 0) return 'nobody but the server could sign';
  const rules = { required, sighashes: [SIGHASH.DEFAULT, SIGHASH.ALL] };
  const fault = signatureFault(secp, psbt, index, prevouts, { ...leaf, closure }, rules);
  return fault && `${fault} signature`;
}

/**
 * Verifies a proof over `message` as it was received: that it commits to the message, that each coin's leaf belongs
 * to its script, and that all of the leaf's keys except `signers` (x-only; the server's, current and deprecated)
 * have signed the whole proof. A note needs its preimage instead.
 *
 * Throws `INVALID_INTENT_PSBT`, `INVALID_PSBT_INPUT`, `INVALID_VTXO_SCRIPT`, `INVALID_INTENT_PROOF`,
 * `TX_TOO_LARGE` (above `maxWeight` weight units), or `ASSET_PACKET_INVALID`.
 */
export function parseIntentProof(
  secp: Secp,
  proof: string,
  message: string,
  signers: readonly Bytes[],
  maxWeight: number = MAX_STANDARD_WEIGHT,
): IntentProof {
  const psbt = reading('INVALID_INTENT_PSBT', { tx: proof }, () => parsePsbt(proof));
  const { tx } = psbt;
  demand(tx.inputs.length >= 2, 'INVALID_INTENT_PSBT', 'the proof has no coins', { tx: proof });
  const insist: (condition: unknown, why: string) => asserts condition = (condition, why) =>
    demand(condition, 'INVALID_INTENT_PROOF', why, { proof, message });
  insist(tx.version === VERSION && tx.locktime === 0, 'the proof has the wrong version or a locktime');
  insist(tx.outputs.length > 0 && tx.outputs.every(({ value }) => isAmount(value)), 'the outputs are no amounts');
  const weight = reading('INVALID_INTENT_PSBT', { tx: proof }, () => signedWeight(psbt));
  const sizes = { weight: `${weight}`, max_weight: `${maxWeight}` };
  demand(weight <= maxWeight, 'TX_TOO_LARGE', `the proof weighs ${weight}`, sizes);

  const coins = tx.inputs.slice(1).map((_, i) => readCoin(secp, psbt, i + 1));
  const keys = new Set(coins.map(({ outpoint }) => outpointKey(outpoint)));
  insist(keys.size === coins.length, 'an input is there twice');
  const extension = readExtension(tx.outputs, proof, message);

  const first = coins[0]!;
  const commitment = reading('INVALID_INTENT_MESSAGE', {}, () => toSpend(message, first.script));
  const { prevout } = tx.inputs[0]!;
  insist(prevout.txid === txidOf(commitment) && prevout.vout === 0, 'input 0 does not commit to the message');
  const spent = psbt.inputs[0]!.witnessUtxo;
  insist(spent && spent.value === 0n && equal(spent.script, first.script), 'input 0 spends something else');

  const prevouts = prevoutsOf(psbt)!;
  for (const [i, coin] of [first, ...coins].entries()) {
    const flaw = flawOf(secp, psbt, i, prevouts, coin, signers);
    insist(!flaw, `input ${i}: ${flaw}`);
  }
  const [only] = tx.outputs;
  const asksNothing = tx.outputs.length === 1 && only!.value === 0n && equal(only!.script, NO_OUTPUT.script);
  const assets = assetPacketOf(extension);
  return { txid: txidOf(tx), psbt, coins, outputs: asksNothing ? [] : tx.outputs, extension, assets };
}

/** A coin to prove: what a client knows of its own. */
export interface ProvableCoin {
  readonly outpoint: Outpoint;
  /** Satoshi. */
  readonly amount: bigint;
  /** P2TR. */
  readonly script: Bytes;
  /** Defaults to final. */
  readonly sequence?: number;
  readonly leaf: Pick<Leaf, 'script' | 'controlBlock'>;
  /** The leaves behind the script, in order. */
  readonly tapTree: readonly Bytes[];
  readonly condition?: readonly Bytes[];
}

function proofInput(coin: ProvableCoin, value: bigint): PsbtInput {
  const fields = [tapTreePair(coin.tapTree), ...(coin.condition ? [conditionPair(coin.condition)] : [])];
  const witnessUtxo = { value, script: coin.script };
  return withPairs({ ...EMPTY_INPUT, witnessUtxo, sighashType: SIGHASH.ALL, ...leafFields(coin.leaf) }, ...fields);
}

/**
 * The proof to sign: every input, the made-up one included, with the leaf it reveals and SIGHASH_ALL (or DEFAULT).
 * Without outputs it only proves ownership. Throws `RangeError` without coins.
 */
export function buildIntentProof(
  message: string,
  coins: readonly ProvableCoin[],
  outputs: readonly TxOut[] = [],
): Psbt {
  const first = coins[0];
  if (!first) throw new RangeError('a proof needs a coin');
  const prevout = { txid: txidOf(toSpend(message, first.script)), vout: 0 };
  const inputs = [{ ...first, outpoint: prevout }, ...coins].map((coin) =>
    txIn(coin.outpoint, coin.sequence ?? SEQUENCE_FINAL),
  );
  const tx = { version: VERSION, inputs, outputs: outputs.length > 0 ? outputs : [NO_OUTPUT], locktime: 0 };
  const maps = [proofInput(first, 0n), ...coins.map((coin) => proofInput(coin, coin.amount))];
  return { ...createPsbt(tx, maps), globals: [{ key: SIGNED_MESSAGE_KEY, value: utf8(message) }] };
}

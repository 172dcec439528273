/** One input that spends one leaf: which leaf a PSBT reveals, who has signed it, and its final witness. */
import { type Bytes, concat, equal } from '../../base/bytes.ts';
import { type Closure, closureWitness, parseClosure } from '../../bitcoin/closure.ts';
import { type Psbt, type PsbtInput, prevoutsOf, type TapScriptSig, withTapScriptSig } from '../../bitcoin/psbt.ts';
import { isP2TR } from '../../bitcoin/script.ts';
import { SIGHASH, taprootSighash } from '../../bitcoin/sighash.ts';
import { isCommitted, LEAF_VERSION, leafHash, NUMS_KEY } from '../../bitcoin/taproot.ts';
import { type Tx, type TxOut, weightOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { conditionHolds } from './condition.ts';
import { demand } from './errors.ts';
import { noteHash } from './note.ts';
import { conditionOf } from './psbt-fields.ts';
import { controlBlockFor, type VtxoScript } from './vtxo.ts';

export interface Leaf {
  readonly script: Bytes;
  readonly controlBlock: Bytes;
  /** TapLeaf hash. */
  readonly hash: Bytes;
}

export interface ClosureLeaf extends Leaf {
  readonly closure: Closure;
}

/** The one leaf that the input reveals; `undefined` when there is none, or several, or another leaf version. */
export function revealedLeaf(input: PsbtInput): Leaf | undefined {
  const [leaf, ...others] = input.tapLeafScripts;
  if (!leaf || others.length > 0 || leaf.version !== LEAF_VERSION) return undefined;
  return { script: leaf.script, controlBlock: leaf.controlBlock, hash: leafHash(leaf.script) };
}

/** True when the leaf belongs to the P2TR `output`, whose key path nobody can spend. */
export const isLeafOf = (secp: Secp, leaf: Leaf, output: Bytes): boolean =>
  isP2TR(output) &&
  leaf.controlBlock[0] === (LEAF_VERSION | (leaf.controlBlock[0]! & 1)) &&
  equal(leaf.controlBlock.subarray(1, 33), NUMS_KEY) &&
  isCommitted(secp, leaf.controlBlock, leaf.script, output.subarray(2));

export function withClosure(leaf: Leaf): ClosureLeaf | undefined {
  const closure = parseClosure(leaf.script);
  return closure && { ...leaf, closure };
}

/** The leaf of `vtxo` with this script; `undefined` when it has none. */
export function leafOfVtxo(vtxo: VtxoScript, script: Bytes): ClosureLeaf | undefined {
  const control = controlBlockFor(vtxo, script);
  return control && withClosure({ script, controlBlock: control, hash: leafHash(script) });
}

/** The form in which a PSBT input reveals its leaf. */
export const leafFields = ({ script, controlBlock }: Omit<Leaf, 'hash'>): Pick<PsbtInput, 'tapLeafScripts'> => ({
  tapLeafScripts: [{ script, controlBlock, version: LEAF_VERSION }],
});

/** A closure's keys without those among `others`. */
export const keysBesides = (closure: Closure, others: readonly Bytes[]): readonly Bytes[] =>
  closure.keys.filter((key) => !others.some((other) => equal(other, key)));

/** A closure's keys that are among `others`, each once. */
export const keysAmong = (closure: Closure, others: readonly Bytes[]): readonly Bytes[] =>
  others.filter(
    (other, i) => closure.keys.some((key) => equal(key, other)) && others.findIndex((key) => equal(key, other)) === i,
  );

/** True when the closure asks for no condition, or for one that `items` meet. */
export const isConditionMet = (secp: Secp, closure: Closure, items: readonly Bytes[] = []): boolean =>
  !('condition' in closure) || conditionHolds(secp, closure.condition, items);

export interface SignatureRules {
  /** x-only keys that must have signed. */
  readonly required: readonly Bytes[];
  readonly sighashes: readonly number[];
}

/** `foreign` is a signature by a key that the leaf does not ask, or over another leaf. */
export type SignatureFault = 'missing' | 'foreign' | 'sighash' | 'invalid';

function faultOf(
  secp: Secp,
  sig: TapScriptSig,
  tx: Tx,
  index: number,
  prevouts: readonly TxOut[],
  leaf: ClosureLeaf,
  sighashes: readonly number[],
): SignatureFault | undefined {
  if (!equal(sig.leafHash, leaf.hash) || !leaf.closure.keys.some((key) => equal(key, sig.publicKey))) return 'foreign';
  const type = sig.signature.length === 64 ? SIGHASH.DEFAULT : sig.signature[64]!;
  // BIP341: the default type is written by leaving it out.
  if ((type === SIGHASH.DEFAULT) !== (sig.signature.length === 64) || !sighashes.includes(type)) return 'sighash';
  const message = taprootSighash(tx, index, prevouts, { type, leafHash: leaf.hash });
  const signature = sig.signature.subarray(0, 64);
  return message && secp.schnorrVerify(signature, message, sig.publicKey) ? undefined : 'invalid';
}

/**
 * What is wrong with the signatures of input `index`; `undefined` when every required key has signed and every
 * signature there is, required or not, is sound. Hand in the same `prevouts` for all inputs.
 */
export function signatureFault(
  secp: Secp,
  psbt: Psbt,
  index: number,
  prevouts: readonly TxOut[],
  leaf: ClosureLeaf,
  { required, sighashes }: SignatureRules,
): SignatureFault | undefined {
  const sigs = psbt.inputs[index]!.tapScriptSigs;
  if (!required.every((key) => sigs.some((sig) => equal(sig.publicKey, key)))) return 'missing';
  for (const sig of sigs) {
    const fault = faultOf(secp, sig, psbt.tx, index, prevouts, leaf, sighashes);
    if (fault) return fault;
  }
  return undefined;
}

/** Signs 32-byte messages for one key; where the secret lives is its own business. */
export interface LeafSigner {
  /** x-only. */
  readonly publicKey: Bytes;
  sign(message: Bytes): Bytes;
}

/** A signer over a secret at hand; `aux` is 32 fresh random bytes. */
export const secretSigner = (secp: Secp, secret: Bytes, aux: Bytes): LeafSigner => ({
  publicKey: secp.publicKey(secret).slice(1),
  sign: (message) => secp.schnorrSign(message, secret, aux),
});

/** Adds the signer's signature over the leaf that input `index` spends (64 bytes, SIGHASH_DEFAULT, or with `type`). */
export function signLeaf(
  psbt: Psbt,
  index: number,
  prevouts: readonly TxOut[],
  leaf: Leaf,
  signer: LeafSigner,
  type: number = SIGHASH.DEFAULT,
): Psbt {
  const message = taprootSighash(psbt.tx, index, prevouts, { type, leafHash: leaf.hash });
  if (!message) throw new RangeError(`no sighash of type ${type} for input ${index}`);
  const bare = signer.sign(message);
  return withTapScriptSig(psbt, index, {
    publicKey: signer.publicKey,
    leafHash: leaf.hash,
    signature: type === SIGHASH.DEFAULT ? bare : concat(bare, Uint8Array.of(type)),
  });
}

/** Signs every input whose leaf asks for the key of `secret`; every input must name the output it spends. */
export function signLeaves(secp: Secp, psbt: Psbt, secret: Bytes, aux: Bytes, type: number = SIGHASH.DEFAULT): Psbt {
  const prevouts = prevoutsOf(psbt);
  if (!prevouts) throw new RangeError('an input does not name the output it spends');
  const signer = secretSigner(secp, secret, aux);
  return psbt.inputs.reduce((signed, input, i) => {
    const revealed = revealedLeaf(input);
    const leaf = revealed && withClosure(revealed);
    const asked = leaf?.closure.keys.some((key) => equal(key, signer.publicKey));
    return leaf && asked ? signLeaf(signed, i, prevouts, leaf, signer, type) : signed;
  }, psbt);
}

/** Witness of the leaf that the input reveals; `placeholder` stands in for signatures that are not there. */
function leafWitness(input: PsbtInput, placeholder?: Bytes): readonly Bytes[] | undefined {
  const leaf = revealedLeaf(input);
  if (!leaf) return undefined;
  const { controlBlock } = leaf;
  const condition = conditionOf(input) ?? [];
  if (noteHash(leaf.script)) return [...condition, leaf.script, controlBlock];
  const signatureOf = (key: Bytes): Bytes | undefined =>
    input.tapScriptSigs.find((sig) => equal(sig.publicKey, key) && equal(sig.leafHash, leaf.hash))?.signature ??
    placeholder;
  const closure = parseClosure(leaf.script);
  return closure && closureWitness(closure, { signatureOf, condition, controlBlock });
}

const withWitnesses = (psbt: Psbt, witnessFor: (input: PsbtInput, index: number) => readonly Bytes[]): Tx => ({
  ...psbt.tx,
  inputs: psbt.tx.inputs.map((input, i) => ({ ...input, witness: witnessFor(psbt.inputs[i]!, i) })),
});

/**
 * The transaction with every input's witness, ready to broadcast. Inputs are finalized as they say: by their final
 * witness, their key path signature, or the leaf they reveal with its signatures and condition. Nothing is verified.
 * Throws `INVALID_SIGNATURE` when an input lacks something.
 */
export const finalize = (psbt: Psbt): Tx =>
  withWitnesses(psbt, (input, i) => {
    const witness = input.finalWitness ?? (input.tapKeySig ? [input.tapKeySig] : leafWitness(input));
    demand(witness, 'INVALID_SIGNATURE', `input ${i} is not fully signed`);
    return witness;
  });

/** What the transaction weighs once every leaf revealed is fully signed, in weight units. Throws `DecodeError`. */
export const signedWeight = (psbt: Psbt): number =>
  weightOf(withWitnesses(psbt, (input) => leafWitness(input, new Uint8Array(64)) ?? []));

/**
 * BIP431: nodes relay no heavier version 3 transaction. What the server must be able to broadcast against a cheat
 * stays below it with room for an input's key path signature and for signatures that spell out their sighash.
 */
export const MAX_ENFORCEABLE_WEIGHT = 39_000;

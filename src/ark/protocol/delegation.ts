/**
 * Delegations: the owner of VTXOs signs ahead what a delegate shall do with them when their end is near, while the owner
 * sleeps: an intent that becomes valid then, and for each VTXO a forfeit that lacks nothing but the connector, which
 * does not exist yet. The owner's signatures fix every output, so that a delegate can carry them out or not, no more.
 */
import { type Bytes, equal, fromHex, type OutpointKey, outpointKey, type Txid } from '../../base/bytes.ts';
import { ANCHOR, TRUC_VERSION } from '../../bitcoin/package.ts';
import { createPsbt, EMPTY_INPUT, type Psbt, parsePsbt, prevoutsOf } from '../../bitcoin/psbt.ts';
import { SIGHASH } from '../../bitcoin/sighash.ts';
import { SEQUENCE_FINAL, sameOutput, type TxOut, txIn } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { leafExtension } from './asset-packet.ts';
import { demand, reading } from './errors.ts';
import { isExtension, printExtension } from './extension.ts';
import type { Coin } from './forfeit.ts';
import { type IntentCoin, parseIntentProof } from './intent.ts';
import { parseIntentMessage, type RegisterMessage } from './intent-message.ts';
import {
  type ClosureLeaf,
  isLeafOf,
  keysAmong,
  keysBesides,
  type LeafSigner,
  leafFields,
  revealedLeaf,
  signatureFault,
  signLeaf,
  withClosure,
} from './leaf-spend.ts';

/** Binds the owner's input and all outputs, and leaves room for the connector. */
export const DELEGATED_SIGHASH = SIGHASH.ALL | SIGHASH.ANYONECANPAY;

const MAX_COINS = 256;

export interface DelegationRules {
  /** Compressed, hex: the delegate's key, in the leaves and as the intent's cosigner. */
  readonly delegate: string;
  /** x-only: the server's keys that it still signs with. */
  readonly signers: readonly Bytes[];
  readonly forfeitScript: Bytes;
  /** Satoshi of a connector. */
  readonly dust: bigint;
  /** Satoshi that the delegate asks for, paid to its script. */
  readonly fee: bigint;
  readonly feeScript: Bytes;
}

/** A forfeit that the owner has signed; see {@link completeDelegatedForfeit}. */
export interface DelegatedForfeit {
  readonly vtxo: Coin;
  readonly psbt: Psbt;
  readonly leaf: ClosureLeaf;
}

export interface Delegation {
  readonly intentTxid: Txid;
  /** Unix seconds: not before, and not after (0 for no end). */
  readonly validAt: number;
  readonly expireAt: number;
  readonly coins: readonly IntentCoin[];
  readonly forfeits: ReadonlyMap<OutpointKey, DelegatedForfeit>;
  /** What the intent's leaf must pay, anchor and all. */
  readonly leafOutputs: readonly TxOut[];
}

/** What an owner hands to a delegate: the message, the proof and the forfeits (base64). */
export interface DelegationRequest {
  readonly message: string;
  readonly proof: string;
  readonly forfeits: readonly string[];
}

/**
 * Verifies what an owner hands over, but for what only the server knows of the coins: that every signature besides the
 * delegate's and the server's is there, that the intent asks for VTXOs alone and pays the delegate, and that each
 * forfeit is one of its coins. Throws like `parseIntentProof`, `INVALID_INTENT_MESSAGE`, `INVALID_FORFEIT_TXS` or
 * `INTENT_INSUFFICIENT_FEE`.
 */
export function parseDelegation(secp: Secp, request: DelegationRequest, rules: DelegationRules): Delegation {
  const message: RegisterMessage = parseIntentMessage('register', request.message);
  const { cosignersPublicKeys, onchainOutputIndexes, validAt, expireAt } = message;
  const isCosigner = cosignersPublicKeys.length === 1 && cosignersPublicKeys[0] === rules.delegate;
  demand(isCosigner, 'INVALID_INTENT_MESSAGE', "the intent's one cosigner must be the delegate");
  demand(
    onchainOutputIndexes.length === 0,
    'INVALID_INTENT_MESSAGE',
    'a delegate renews VTXOs and pays nothing on chain',
  );
  demand(expireAt === 0 || expireAt > validAt, 'INVALID_INTENT_MESSAGE', 'the intent ends before it begins');

  const delegate = xonlyOf(rules);
  const proof = parseIntentProof(secp, request.proof, request.message, [...rules.signers, delegate]);
  demand(proof.coins.length <= MAX_COINS, 'INVALID_INTENT_PROOF', `at most ${MAX_COINS} coins`);
  for (const { leaf, outpoint } of proof.coins) {
    const plain = leaf.closure?.kind === 'multisig' && keysAmong(leaf.closure, rules.signers).length === 1;
    demand(
      plain,
      'INVALID_INTENT_PROOF',
      `${outpointKey(outpoint)} is not proven by a plain leaf with the server's key`,
    );
  }
  const receivers = proof.outputs.filter(({ script }) => !isExtension(script));
  demand(receivers.length > 0, 'INVALID_INTENT_PROOF', 'an intent needs a receiver');
  checkFee(receivers, rules);
  const extension = proof.extension && {
    value: 0n,
    script: printExtension(leafExtension(proof.extension, proof.txid)),
  };
  return {
    intentTxid: proof.txid,
    validAt,
    expireAt,
    coins: proof.coins,
    forfeits: readForfeits(secp, request.forfeits, proof.coins, rules),
    leafOutputs: [...receivers, ...(extension ? [extension] : []), ANCHOR],
  };
}

const xonlyOf = ({ delegate }: DelegationRules): Bytes => fromHex(delegate).slice(1);

function checkFee(receivers: readonly TxOut[], { fee, feeScript }: DelegationRules): void {
  if (fee === 0n) return;
  const paid = receivers.filter(({ script }) => equal(script, feeScript)).reduce((sum, { value }) => sum + value, 0n);
  const data = { min_fee: `${fee}`, actual_fee: `${paid}` };
  demand(paid >= fee, 'INTENT_INSUFFICIENT_FEE', `the delegate is paid ${paid}, its fee is ${fee}`, data);
}

function readForfeits(
  secp: Secp,
  texts: readonly string[],
  coins: readonly IntentCoin[],
  rules: DelegationRules,
): ReadonlyMap<OutpointKey, DelegatedForfeit> {
  const byOutpoint = new Map(coins.map((coin) => [outpointKey(coin.outpoint), coin]));
  const forfeits = new Map<OutpointKey, DelegatedForfeit>();
  for (const text of texts) {
    const forfeit = readForfeit(secp, text, byOutpoint, rules);
    const key = outpointKey(forfeit.vtxo.outpoint);
    demand(!forfeits.has(key), 'INVALID_FORFEIT_TXS', `two forfeits for ${key}`, { forfeit_txs: `[${text}]` });
    forfeits.set(key, forfeit);
  }
  return forfeits;
}

function readForfeit(
  secp: Secp,
  text: string,
  coins: ReadonlyMap<OutpointKey, IntentCoin>,
  rules: DelegationRules,
): DelegatedForfeit {
  const { signers, forfeitScript, dust } = rules;
  const delegate = xonlyOf(rules);
  const data = { forfeit_txs: `[${text}]` };
  const insist: (condition: unknown, message: string) => asserts condition = (condition, message) =>
    demand(condition, 'INVALID_FORFEIT_TXS', message, data);
  const { tx, inputs } = reading('INVALID_FORFEIT_TXS', data, () => parsePsbt(text));
  insist(tx.version === TRUC_VERSION && tx.inputs.length === 1 && tx.outputs.length === 2, 'not a delegated forfeit');
  const coin = coins.get(outpointKey(tx.inputs[0]!.prevout));
  insist(coin, 'it spends none of the coins of the intent');
  insist(tx.locktime === 0 && tx.inputs[0]!.sequence === SEQUENCE_FINAL, 'it waits for something');
  const paid = { value: coin.amount + dust, script: forfeitScript };
  insist(sameOutput(tx.outputs[0], paid) && sameOutput(tx.outputs[1], ANCHOR), 'it pays the server all, and an anchor');

  const revealed = revealedLeaf(inputs[0]!);
  const leaf = revealed && withClosure(revealed);
  insist(leaf?.closure.kind === 'multisig' && isLeafOf(secp, leaf, coin.script), 'the leaf cannot forfeit');
  const hasDelegate = leaf.closure.keys.some((key) => equal(key, delegate));
  const [signer, ...others] = keysAmong(leaf.closure, signers);
  insist(hasDelegate && signer && others.length === 0, 'the leaf asks for the delegate and for one key of the server');
  const required = keysBesides(leaf.closure, [signer, delegate]);
  insist(required.length > 0, 'nobody but the delegate and the server could sign');
  const tapScriptSigs = inputs[0]!.tapScriptSigs.filter((sig) => required.some((key) => equal(key, sig.publicKey)));
  const vtxo: Coin = { outpoint: coin.outpoint, value: coin.amount, script: coin.script };
  const psbt = createPsbt(tx, [{ ...EMPTY_INPUT, ...leafFields(leaf), witnessUtxo: vtxo, tapScriptSigs }]);
  const sighashes = [DELEGATED_SIGHASH];
  const fault = signatureFault(secp, psbt, 0, prevoutsOf(psbt)!, leaf, { required, sighashes });
  insist(!fault, `${fault} signature`);
  return { vtxo, psbt, leaf };
}

/** The forfeit with its connector in second place and the delegate's signature: what a batch asks for. */
export function completeDelegatedForfeit(
  { psbt, leaf }: DelegatedForfeit,
  connector: Coin,
  delegate: LeafSigner,
): Psbt {
  const tx = { ...psbt.tx, inputs: [...psbt.tx.inputs, txIn(connector.outpoint)] };
  const whole = createPsbt(tx, [psbt.inputs[0]!, { ...EMPTY_INPUT, witnessUtxo: connector }]);
  return signLeaf(whole, 0, prevoutsOf(whole)!, leaf, delegate);
}

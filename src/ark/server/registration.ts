/**
 * Admits intents to the queue. Everything a proof claims is checked here against the database and the chain, and once
 * more where money moves: an intent is a request, never a fact.
 */
import { equal, fromHex, type OutpointKey, outpointKey, parseOutpoint, toHex } from '../../base/bytes.ts';
import { type Sats, sats, sumSats, type UnixSeconds, unixSeconds } from '../../base/units.ts';
import { addressOf } from '../../bitcoin/address.ts';
import { type Closure, parseClosure } from '../../bitcoin/closure.ts';
import { psbtBase64 } from '../../bitcoin/psbt.ts';
import { isP2TR } from '../../bitcoin/script.ts';
import type { RelativeTimelock } from '../../bitcoin/timelock.ts';
import type { TxOut } from '../../bitcoin/tx.ts';
import type { ChainOutput, Tip } from '../../chain/chain.ts';
import { overLimit } from '../../runtime/over-limit.ts';
import { type AssetAmount, leafExtension } from '../protocol/asset-packet.ts';
import type { AssetChange } from '../protocol/assets.ts';
import { leafWeight, MAX_LEAF_WEIGHT } from '../protocol/batch-tree.ts';
import { arkError, demand } from '../protocol/errors.ts';
import { mayExpireMeanwhile, SECONDS_PER_BLOCK, secondsUntil } from '../protocol/expiry.ts';
import { isExtension, printExtension } from '../protocol/extension.ts';
import { intentFee, type PricedIntent } from '../protocol/fee.ts';
import { type IntentCoin, type IntentProof, parseIntentProof } from '../protocol/intent.ts';
import { checkIntentTime, parseIntentMessage, type RegisterMessage } from '../protocol/intent-message.ts';
import { keysAmong } from '../protocol/leaf-spend.ts';
import { checkMaturity } from '../protocol/maturity.ts';
import { checkVtxoScript, isForfeitClosure, smallestExitDelay } from '../protocol/vtxo.ts';
import { moveAssets } from './assets.ts';
import { checkNotBanned } from './bans.ts';
import type { ArkContext } from './context.ts';
import {
  countQueued,
  deleteIntents,
  insertIntent,
  intentById,
  intentsHolding,
  type StoredIntent,
} from './store/intents.ts';
import { type Vtxo, vtxosByOutpoint } from './store/vtxos.ts';

/**
 * `vtxo` owes a forfeit, `boarding` a signature on the commitment transaction; `recoverable` (swept) and `note` owe
 * nothing. Fixed at registration, so that server and client never disagree on it later.
 */
export type InputKind = 'vtxo' | 'boarding' | 'recoverable' | 'note';

export interface RegisteredInput {
  readonly outpoint: OutpointKey;
  readonly kind: InputKind;
  readonly amount: Sats;
  /** Output script, hex. */
  readonly script: string;
  /** Leaf scripts of its taproot tree, hex; empty where nobody will have to sign. */
  readonly leaves: readonly string[];
  /** The leaf its owner proved it with, hex, and what met its condition if it has one. */
  readonly leaf: string;
  readonly condition?: readonly string[];
  /** When the VTXO came to be, and when its batch expires: a time or a height. */
  readonly birth?: UnixSeconds;
  /**
   * Swept so short a time ago that its owner may not have heard of it, and signs a forfeit for it: it gets a connector
   * for that, though it owes nothing.
   */
  readonly sweptLately?: boolean;
  readonly expiry?: number;
}

export interface RegisteredIntent {
  readonly inputs: readonly RegisteredInput[];
  readonly receivers: readonly TxOut[];
  /** What each receiver's VTXO carries; absent where nothing is carried. */
  readonly assets?: readonly (readonly AssetAmount[])[];
  readonly assetChanges?: readonly AssetChange[];
  /** Data output of the intent's leaf transaction. */
  readonly extension: TxOut | undefined;
  readonly onchain: readonly TxOut[];
  /** Compressed keys, hex. */
  readonly cosigners: readonly string[];
  /** Unix seconds, 0 for no end. */
  readonly expireAt: number;
}

/** How long it may take until a wallet has heard of a sweep. */
const NEWS_MS = 600_000;

/** Bounds on what one stranger can make the server hold. */
/** Intents that wait for a batch. */
const MOST_QUEUED = 20_000;
const RETRY_AFTER_SECONDS = 60;
const MAX_INPUTS = 256;
const MAX_OUTPUTS = 256;
const MAX_COSIGNERS = 16;

export interface Registration {
  /** Queues an intent; returns its id (a UUID). Throws `ArkError`. */
  register(proof: string, message: string): Promise<string>;
  /** The fee (satoshi) that this intent would have to leave to the server. Throws `ArkError`. */
  estimateFee(proof: string, message: string): Promise<bigint>;
  /** Removes every queued intent that shares an input with the proof. Throws when there is none. */
  remove(proof: string, message: string): Promise<void>;
  /** Every intent that shares an input with the proof. */
  find(proof: string, message: string): Promise<readonly StoredIntent[]>;
  /** Checks again what may have changed since registration; the error is why the intent is not fit (any more). */
  recheck(intent: RegisteredIntent): Promise<void>;
}

export function createRegistration(ctx: ArkContext, onQueued: () => void): Registration {
  const { secp, db, chain, clock, signers } = ctx;

  const proofOf = (proof: string, message: string): IntentProof =>
    parseIntentProof(secp, proof, message, signers.all());

  async function register(proofText: string, messageText: string): Promise<string> {
    const { proof, intent } = await read(parseIntentMessage('register', messageText), proofText, messageText);
    const { inputs } = intent;
    checkValue(intent);
    if ((await countQueued(db)) >= MOST_QUEUED)
      throw overLimit('UNAVAILABLE', 'the queue is full', RETRY_AFTER_SECONDS);
    const id = ctx.newId();
    await db.write(async (tx) => {
      const [held] = await intentsHolding(
        tx,
        inputs.map((input) => input.outpoint),
      );
      // Clients look for these very words before they delete the older intent and try again.
      demand(!held, 'INTERNAL_ERROR', `duplicated input, ${held?.outpoint} already registered by another intent`);
      checkUnspent(
        await vtxosByOutpoint(
          tx,
          inputs.map((input) => input.outpoint),
        ),
      );
      await insertIntent(tx, {
        id,
        txid: proof.txid,
        message: messageText,
        proof: proofText,
        intent,
        createdAt: clock.now(),
      });
    });
    onQueued();
    return id;
  }

  async function estimateFee(proofText: string, messageText: string): Promise<bigint> {
    const { intent } = await read(parseIntentMessage('estimate-intent-fee', messageText), proofText, messageText);
    return feeOf(intent);
  }

  /** Checks all that an intent says and proves, but for what it pays. */
  async function read(message: RegisterMessage, proofText: string, messageText: string) {
    checkIntentTime(message, ctx.nowSeconds());
    const proof = proofOf(proofText, messageText);
    checkShape(proof);
    const cosigners = checkCosigners(message);
    const outputs = splitOutputs(proof, message, cosigners);
    const { inputs, brought } = await checkInputs(proof);
    demand(
      outputs.onchain.length === 0 || inputs.every((input) => input.kind !== 'boarding'),
      'INVALID_INTENT_PROOF',
      'cannot include onchain inputs and outputs',
    );
    const assets = await checkAssets(proof, messageText, brought, outputs.receivers);
    const intent: RegisteredIntent = { inputs, ...outputs, ...assets, cosigners, expireAt: message.expireAt };
    return { proof, intent };
  }

  const feeOf = (intent: RegisteredIntent): bigint =>
    intentFee(ctx.settings().intentFee, priced(intent), ctx.nowSeconds());

  function checkShape(proof: IntentProof): void {
    demand(proof.coins.length > 0, 'INVALID_INTENT_PROOF', 'an intent without inputs is not admitted');
    demand(proof.outputs.length > 0, 'INVALID_INTENT_PROOF', 'an intent needs an output');
    demand(proof.coins.length <= MAX_INPUTS, 'INVALID_INTENT_PROOF', `an intent has at most ${MAX_INPUTS} inputs`);
    demand(proof.outputs.length <= MAX_OUTPUTS, 'INVALID_INTENT_PROOF', `an intent has at most ${MAX_OUTPUTS} outputs`);
  }

  function checkCosigners(message: RegisterMessage): readonly string[] {
    const keys = message.cosignersPublicKeys;
    demand(keys.length <= MAX_COSIGNERS, 'INVALID_INTENT_MESSAGE', `at most ${MAX_COSIGNERS} cosigners`);
    for (const key of keys) {
      demand(secp.isPublicKey(fromHex(key)), 'INVALID_INTENT_MESSAGE', `not a cosigner public key: ${key}`);
      const own = key.slice(2) === ctx.publicKeys.operator.slice(2);
      demand(!own, 'INVALID_INTENT_MESSAGE', "the operator's key cannot be a cosigner of an intent");
    }
    demand(new Set(keys.map((key) => key.slice(2))).size === keys.length, 'INVALID_INTENT_MESSAGE', 'a cosigner twice');
    return keys;
  }

  function splitOutputs(proof: IntentProof, message: RegisterMessage, cosigners: readonly string[]) {
    const indexes = message.onchainOutputIndexes;
    const named = indexes.every((index) => index < proof.outputs.length);
    demand(named, 'INVALID_INTENT_MESSAGE', 'an on-chain output index names no output');
    const onchain = indexes.map((index) => proof.outputs[index]!);
    const offchain = proof.outputs.filter((_, index) => !indexes.includes(index));
    const receivers = offchain.filter((output) => !isExtension(output.script));
    for (const output of onchain) checkOnchainOutput(output);
    for (const output of receivers) checkReceiver(output);
    demand(
      receivers.length === 0 || cosigners.length > 0,
      'INVALID_INTENT_MESSAGE',
      'off-chain outputs need cosigner public keys',
    );
    demand(receivers.length + onchain.length > 0, 'INVALID_INTENT_PROOF', 'an intent needs a receiver');
    const extension = proof.extension && {
      value: 0n,
      script: printExtension(leafExtension(proof.extension, proof.txid)),
    };
    checkLeafWeight(extension ? [...receivers, extension] : receivers);
    return { receivers, onchain, extension };
  }

  /** A leaf that no node relays would keep its VTXOs from leaving. */
  function checkLeafWeight(outputs: readonly TxOut[]): void {
    const weight = leafWeight(outputs);
    const data = { weight: `${weight}`, max_weight: `${MAX_LEAF_WEIGHT}` };
    demand(weight <= MAX_LEAF_WEIGHT, 'TX_TOO_LARGE', `the leaf of the intent would weigh ${weight}`, data);
  }

  async function checkAssets(
    { txid, assets: packet, outputs, psbt }: IntentProof,
    message: string,
    brought: readonly (readonly AssetAmount[])[],
    receivers: readonly TxOut[],
  ): Promise<Pick<RegisteredIntent, 'assets' | 'assetChanges'>> {
    // An asset is named after the ark transaction that issues it, which everybody can look up.
    const issues = packet?.some(({ assetId }) => assetId === undefined);
    const data = () => ({ proof: psbtBase64(psbt), message });
    if (issues) throw arkError('INVALID_INTENT_PROOF', 'an intent issues no assets', data());
    // Outputs keep their indexes in the leaf, as long as no on-chain output comes before them.
    const vtxoOutputs = [...receivers.keys()].filter((index) => outputs[index] === receivers[index]);
    const moves = await moveAssets(ctx, txid, packet, [[], ...brought], vtxoOutputs);
    if (!packet) return {};
    return { assets: receivers.map((_, vout) => moves.outputs.get(vout) ?? []), assetChanges: moves.changes };
  }

  function checkOnchainOutput({ value, script }: TxOut): void {
    const { network, utxoMinAmount, utxoMaxAmount } = ctx.settings();
    demand(addressOf(network, script), 'INVALID_PKSCRIPT', `no standard address: ${toHex(script).slice(0, 200)}`);
    checkAmount(value, utxoMinAmount, utxoMaxAmount);
  }

  function checkReceiver({ value, script }: TxOut): void {
    const { vtxoMinAmount, vtxoMaxAmount, dust } = ctx.settings();
    const known = isP2TR(script) && secp.isXonly(script.subarray(2));
    demand(known, 'INVALID_PKSCRIPT', `not a VTXO script: ${toHex(script).slice(0, 200)}`);
    checkAmount(value, vtxoMinAmount > dust ? vtxoMinAmount : dust, vtxoMaxAmount);
  }

  function checkAmount(value: bigint, least: bigint, most: bigint | undefined): void {
    const data = { amount: `${value}` };
    demand(value >= least, 'AMOUNT_TOO_LOW', `output amount ${value} is below ${least}`, {
      ...data,
      min_amount: `${least}`,
    });
    demand(most === undefined || value <= most, 'AMOUNT_TOO_HIGH', `output amount ${value} is above ${most}`, data);
  }

  /** The inputs, and the assets each of them brings. */
  async function checkInputs(proof: IntentProof) {
    const keys = proof.coins.map((coin) => outpointKey(coin.outpoint));
    const known = new Map((await vtxosByOutpoint(db, keys)).map((vtxo) => [vtxo.outpoint, vtxo]));
    checkUnspent([...known.values()]);
    const inputs: RegisteredInput[] = [];
    const brought: (readonly AssetAmount[])[] = [];
    for (const coin of proof.coins) {
      await checkNotBanned(ctx, toHex(coin.script), outpointKey(coin.outpoint));
      const vtxo = known.get(outpointKey(coin.outpoint));
      inputs.push(await (vtxo && !vtxo.unrolled ? checkVtxo(coin, vtxo) : checkBoardingCoin(coin, vtxo)));
      brought.push(vtxo?.assets ?? []);
    }
    return { inputs, brought };
  }

  async function checkVtxo(coin: IntentCoin, vtxo: Vtxo): Promise<RegisteredInput> {
    const data = { vtxo_outpoint: vtxo.outpoint };
    demand(coin.amount === vtxo.amount, 'INVALID_INTENT_PROOF', `the amount of ${vtxo.outpoint} differs`, data);
    demand(toHex(coin.script) === vtxo.script, 'INVALID_INTENT_PROOF', `the script of ${vtxo.outpoint} differs`, data);
    const times = { birth: unixSeconds(vtxo.createdAt), expiry: vtxo.expiresAt };
    if (vtxo.origin === 'note') return { ...describe(coin, 'note'), ...times };
    await checkLeaf(coin);
    // Nobody will sign for it, so that it may stand under a key that the server lends no more.
    if (vtxo.swept) {
      const sweptLately = coin.tapTree !== undefined && clock.now() - vtxo.updatedAt < NEWS_MS;
      return { ...describe(coin, 'recoverable'), ...times, ...(sweptLately && { sweptLately }) };
    }
    checkLife(vtxo.outpoint, vtxo.expiresAt);
    checkSigner(vtxo.outpoint, coin.leaf.closure);
    const { settlementGap, unilateralExitDelay } = ctx.settings();
    const left = secondsUntil(vtxo.expiresAt, await chain.tip(), ctx.nowSeconds());
    const due = settlementGap === 0 || left <= settlementGap;
    demand(due, 'INVALID_PSBT_INPUT', `${vtxo.outpoint} expires later than in ${settlementGap} seconds`, data);
    checkScript(coin, unilateralExitDelay);
    return { ...describe(coin, 'vtxo'), ...times };
  }

  /** Throws unless server and client will agree at the end of a session on who owes a forfeit. */
  function checkLife(outpoint: OutpointKey, expiresAt: number): void {
    const { batchExpiry, sessionDuration } = ctx.settings();
    const life = batchExpiry.type === 'seconds' ? batchExpiry.value : 0;
    const unsure = mayExpireMeanwhile(expiresAt, ctx.nowSeconds(), sessionDuration, life);
    const message = `${outpoint} is about to expire: it can be settled once its batch is swept`;
    demand(!unsure, 'VTXO_RECOVERABLE', message, { vtxo_outpoint: outpoint });
  }

  /**
   * The leaf must be one that could spend the coin together with the server right now. A recoverable VTXO owes no
   * forfeit, so a leaf whose lock lies ahead would give it to whoever is only due to own it later.
   */
  async function checkLeaf({ leaf, outpoint }: IntentCoin): Promise<void> {
    const closure = leaf.closure;
    const shared = closure && isForfeitClosure(closure) && keysAmong(closure, signers.all()).length === 1;
    demand(
      shared,
      'INVALID_INTENT_PROOF',
      `${outpointKey(outpoint)} is not proven by a leaf with one key of the server`,
    );
    checkMaturity(closure, await chain.tip());
  }

  function checkSigner(outpoint: string, closure: Closure | undefined): void {
    const lent = closure && keysAmong(closure, signers.signing()).length > 0;
    demand(lent, 'INVALID_VTXO_SCRIPT', `${outpoint} is locked to a key that the server does not sign with any more`);
  }

  function checkScript(coin: IntentCoin, minExitDelay: RelativeTimelock): void {
    demand(coin.tapTree, 'INVALID_INTENT_PSBT', `${outpointKey(coin.outpoint)} lacks its taptree`);
    demand(equal(coin.tapTree.script, coin.script), 'INVALID_INTENT_PSBT', 'the taptree is not of the script spent');
    const allowBlockType = ctx.settings().batchExpiry.type === 'blocks';
    checkVtxoScript(coin.tapTree, { signers: signers.signing(), minExitDelay, allowBlockType });
  }

  async function checkBoardingCoin(coin: IntentCoin, vtxo: Vtxo | undefined): Promise<RegisteredInput> {
    const outpoint = outpointKey(coin.outpoint);
    const { unilateralExitDelay, boardingExitDelay } = ctx.settings();
    const output = await chain.output(coin.outpoint);
    demand(output, 'VTXO_NOT_FOUND', `${outpoint} is neither a VTXO nor on chain`, { vtxo_outpoint: outpoint });
    const same = output.value === coin.amount && equal(output.script, coin.script);
    demand(same, 'INVALID_INTENT_PROOF', `amount or script of ${outpoint} differ from the chain's`);
    checkScript(coin, vtxo ? unilateralExitDelay : boardingExitDelay);
    await checkLeaf(coin);
    checkSigner(outpoint, coin.leaf.closure);
    const input = describe(coin, 'boarding');
    const plain = coin.leaf.closure?.kind === 'multisig';
    demand(plain, 'INVALID_VTXO_SCRIPT', 'a boarding input is signed through a leaf without lock or condition');
    checkBoardingOutput(input, output, smallestExitDelay(coin.tapTree!)!, await chain.tip(), vtxo !== undefined);
    return input;
  }

  function checkBoardingOutput(
    input: RegisteredInput,
    output: ChainOutput,
    delay: RelativeTimelock,
    tip: Tip,
    unrolled: boolean,
  ): void {
    const { boardingConfirmations, unrolledMinMargin, utxoMinAmount, utxoMaxAmount } = ctx.settings();
    const data = { vtxo_outpoint: input.outpoint };
    demand(!output.spentBy, 'VTXO_ALREADY_SPENT', `${input.outpoint} is spent on chain`, data);
    checkAmount(output.value, utxoMinAmount, utxoMaxAmount);
    const at = output.confirmation;
    const depth = at ? tip.height - at.height + 1 : 0;
    demand(at && depth >= boardingConfirmations, 'INVALID_INTENT_PROOF', `${input.outpoint} is not confirmed`, data);
    // Once its owner could spend it alone, the commitment transaction could be double spent at any time.
    const margin = unrolled ? unrolledMinMargin : 0;
    const expired =
      delay.type === 'blocks'
        ? depth + Math.ceil(margin / SECONDS_PER_BLOCK) >= delay.value
        : tip.medianTime - at.blockTime + margin >= delay.value;
    demand(!expired, 'INVALID_INTENT_PROOF', `the exit delay of ${input.outpoint} has passed, or is about to`, data);
  }

  async function recheck({ inputs, expireAt }: RegisteredIntent): Promise<void> {
    const now = ctx.nowSeconds();
    demand(expireAt === 0 || now <= expireAt, 'INVALID_INTENT_TIMERANGE', 'the intent has expired');
    const known = new Map(
      (
        await vtxosByOutpoint(
          db,
          inputs.map((input) => input.outpoint),
        )
      ).map((v) => [v.outpoint, v]),
    );
    checkUnspent([...known.values()]);
    for (const input of inputs) {
      if (input.kind === 'vtxo' || input.kind === 'boarding') {
        checkSigner(input.outpoint, parseClosure(fromHex(input.leaf)));
      }
      const vtxo = known.get(input.outpoint);
      if (input.kind === 'vtxo' && vtxo) checkLife(input.outpoint, vtxo.expiresAt);
      // What is paid without a forfeit must be gone from the chain for good.
      const isGone = input.kind !== 'recoverable' || vtxo?.swept;
      demand(isGone, 'INVALID_INTENT_PROOF', `${input.outpoint} does not count as swept any more`);
      if (input.kind === 'boarding') await recheckBoarding(input, vtxo);
      else demand(!vtxo?.unrolled, 'VTXO_ALREADY_UNROLLED', `${input.outpoint} was unrolled meanwhile`);
    }
  }

  async function recheckBoarding(input: RegisteredInput, vtxo: Vtxo | undefined): Promise<void> {
    const output = await chain.output(parseOutpoint(input.outpoint));
    demand(output, 'VTXO_NOT_FOUND', `${input.outpoint} is not on chain any more`);
    const { unilateralExitDelay, boardingExitDelay } = ctx.settings();
    const delay = vtxo ? unilateralExitDelay : boardingExitDelay;
    checkBoardingOutput(input, output, delay, await chain.tip(), vtxo !== undefined);
  }

  /** What the intent leaves to the server must cover the fee that its programs ask. */
  function checkValue(intent: RegisteredIntent): void {
    const paid =
      sumSats(intent.inputs.map((input) => input.amount)) -
      sumSats([...intent.receivers, ...intent.onchain].map((output) => output.value));
    const fee = feeOf(intent);
    const data = { min_fee: `${fee}`, actual_fee: `${paid}` };
    demand(paid >= fee, 'INTENT_INSUFFICIENT_FEE', `the intent pays ${paid}, its fee is ${fee}`, data);
  }

  async function owned(type: 'delete' | 'get-intent', proofText: string, messageText: string): Promise<OutpointKey[]> {
    checkIntentTime(parseIntentMessage(type, messageText), ctx.nowSeconds());
    const proof = proofOf(proofText, messageText);
    demand(proof.coins.length <= MAX_INPUTS, 'INVALID_INTENT_PROOF', `a proof has at most ${MAX_INPUTS} inputs`);
    await checkOwned(proof);
    return proof.coins.map((coin) => outpointKey(coin.outpoint));
  }

  async function remove(proofText: string, messageText: string): Promise<void> {
    const outpoints = await owned('delete', proofText, messageText);
    await db.write(async (tx) => {
      const held = (await intentsHolding(tx, outpoints)).filter((input) => input.batchId === undefined);
      demand(held.length > 0, 'INVALID_INTENT_PROOF', 'no matching intents found for intent proof');
      await deleteIntents(tx, [...new Set(held.map((input) => input.intentId))]);
    });
  }

  async function find(proofText: string, messageText: string): Promise<StoredIntent[]> {
    const held = await intentsHolding(db, await owned('get-intent', proofText, messageText));
    const ids = [...new Set(held.map((input) => input.intentId))];
    const found = await Promise.all(ids.map((id) => intentById(db, id)));
    return found.filter((intent) => intent !== undefined);
  }

  /** A proof over made-up amounts or scripts proves nothing: each coin must be what it says. */
  async function checkOwned(proof: IntentProof): Promise<void> {
    const keys = proof.coins.map((coin) => outpointKey(coin.outpoint));
    const known = new Map((await vtxosByOutpoint(db, keys)).map((vtxo) => [vtxo.outpoint, vtxo]));
    for (const coin of proof.coins) {
      const vtxo = known.get(outpointKey(coin.outpoint));
      const real = vtxo ? vtxo.script : toHex((await chain.output(coin.outpoint))?.script ?? new Uint8Array());
      demand(
        real === toHex(coin.script),
        'INVALID_INTENT_PROOF',
        `the script of ${outpointKey(coin.outpoint)} differs`,
      );
    }
  }

  return { register, estimateFee, remove, find, recheck };
}

/** Clients estimate with a weight of zero, so that is what programs see. */
function priced({ inputs, receivers, onchain }: RegisteredIntent): PricedIntent {
  const output = ({ value, script }: TxOut) => ({ amount: value, script });
  return {
    onchainInputs: inputs.filter((input) => input.kind === 'boarding'),
    offchainInputs: inputs.flatMap(({ kind, amount, birth, expiry }) => {
      if (kind === 'boarding') return [];
      const times = { ...(birth !== undefined && { birth }), ...(expiry !== undefined && { expiry }) };
      return [{ amount, type: kind, weight: 0, ...times }];
    }),
    offchainOutputs: receivers.map(output),
    onchainOutputs: onchain.map(output),
  };
}

const describe = (coin: IntentCoin, kind: InputKind): RegisteredInput => ({
  outpoint: outpointKey(coin.outpoint),
  kind,
  amount: sats(coin.amount),
  script: toHex(coin.script),
  leaves: (coin.tapTree?.scripts ?? []).map(toHex),
  leaf: toHex(coin.leaf.script),
  ...(coin.condition && { condition: coin.condition.map(toHex) }),
});

function checkUnspent(vtxos: readonly Vtxo[]): void {
  for (const vtxo of vtxos) {
    if (vtxo.spentBy === undefined) continue;
    throw arkError('VTXO_ALREADY_SPENT', `${vtxo.outpoint} is already spent`, { vtxo_outpoint: vtxo.outpoint });
  }
}

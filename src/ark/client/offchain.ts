/**
 * Off-chain payments. The owner signs the ark transaction first; it signs the checkpoints, which is what gives the
 * coins away, only after the server has signed everything.
 */
import { type Bytes, equal, type Txid } from '../../base/bytes.ts';
import { type Psbt, parsePsbt, prevoutsOf, psbtBase64, type TapScriptSig, withInput } from '../../bitcoin/psbt.ts';
import { SIGHASH } from '../../bitcoin/sighash.ts';
import { type TxOut, txidOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { AssetPacket } from '../protocol/asset-packet.ts';
import { type ClosureLeaf, revealedLeaf, signatureFault, signLeaves, withClosure } from '../protocol/leaf-spend.ts';
import { buildArkTx, buildCheckpoint, type OffchainInput } from '../protocol/offchain.ts';
import { vtxoScript } from '../protocol/vtxo.ts';
import { asFields, type Fields, requiredText, texts } from '../wire/request.ts';
import { ARK_ROUTES } from '../wire/routes.ts';
import { type Account, type Coin, signedIntent } from './account.ts';
import { type AssetPlan, assetPacket, packetOutput } from './assets.ts';
import type { NewCoin } from './batch-session.ts';
import { type ArkClient, post } from './client.ts';
import { insist, reading } from './errors.ts';

/** A payment the owner has signed as far as it is safe before the server's answer. */
export interface Payment {
  readonly arkTxid: Txid;
  readonly arkTx: Psbt;
  /** Unsigned, in the order of the coins. */
  readonly checkpoints: readonly Psbt[];
}

function inputOf(secp: Secp, coin: Coin): OffchainInput {
  const leaf = withClosure(coin.leaf);
  if (!leaf) throw new RangeError('only a closure spends off-chain');
  const { outpoint, amount: value, condition } = coin;
  return { outpoint, value, vtxo: vtxoScript(secp, coin.tapTree), leaf, condition };
}

/**
 * Pays all of `coins` to `outputs`; they must add up. Assets go where `packet` says.
 * Throws `RangeError` for a note.
 */
export function buildPayment(
  { secp, terms, random }: ArkClient,
  { secret }: Account,
  coins: readonly Coin[],
  outputs: readonly TxOut[],
  packet?: AssetPacket,
): Payment {
  const built = coins.map((coin) => buildCheckpoint(secp, terms.checkpointTapscript, inputOf(secp, coin)));
  const unsigned = buildArkTx(
    built.map(({ output }) => output),
    packet ? [...outputs, packetOutput(packet)] : outputs,
  );
  const arkTx = signLeaves(secp, unsigned, secret, random(32));
  return { arkTxid: txidOf(arkTx.tx), arkTx, checkpoints: built.map(({ psbt }) => psbt) };
}

/** The checkpoints with the owner's signatures. */
export const signCheckpoints = (
  { secp, random }: ArkClient,
  { secret }: Account,
  checkpoints: readonly Psbt[],
): readonly Psbt[] => checkpoints.map((psbt) => signLeaves(secp, psbt, secret, random(32)));

const SIGHASHES = [SIGHASH.DEFAULT, SIGHASH.ALL];

/** The received signatures on a transaction of ours, every key of `leaf` besides `missing` among them and all valid. */
function adopt(secp: Secp, own: Psbt, text: string, missing: (leaf: ClosureLeaf) => readonly Bytes[]): Psbt {
  const received = reading(() => parsePsbt(text));
  insist(txidOf(received.tx) === txidOf(own.tx), 'PAYMENT_CHANGED', 'the server signed another transaction');
  const prevouts = prevoutsOf(own)!;
  return own.inputs.reduce((psbt, input, i) => {
    const leaf = withClosure(revealedLeaf(input)!)!;
    const tapScriptSigs: readonly TapScriptSig[] = received.inputs[i]!.tapScriptSigs;
    const signed = withInput(psbt, i, { tapScriptSigs });
    const required = leaf.closure.keys.filter((key) => !missing(leaf).some((other) => equal(other, key)));
    const fault = signatureFault(secp, signed, i, prevouts, leaf, { required, sighashes: SIGHASHES });
    insist(!fault, 'PAYMENT_CHANGED', `${fault} signature on input ${i} of ${txidOf(own.tx)}`);
    return signed;
  }, own);
}

/**
 * Checks the server's answer against the payment as it was submitted. Returns the ark transaction with all signatures
 * and the checkpoints with the server's, in the payment's order. Throws `PAYMENT_CHANGED`.
 */
export function acceptCosigned(secp: Secp, account: Account, payment: Payment, answer: Fields) {
  const { arkTxid, arkTx, checkpoints } = payment;
  insist(answer.arkTxid === arkTxid, 'PAYMENT_CHANGED', 'the server names another transaction');
  const signedArkTx = adopt(
    secp,
    arkTx,
    reading(() => requiredText(answer, 'finalArkTx')),
    () => [],
  );
  const received = reading(() => texts(answer, 'signedCheckpointTxs'));
  const byTxid = new Map(received.map((text) => [txidOf(reading(() => parsePsbt(text)).tx), text]));
  insist(received.length === checkpoints.length, 'PAYMENT_CHANGED', `${received.length} checkpoints came back`);
  const cosigned = checkpoints.map((checkpoint) => {
    const text = byTxid.get(txidOf(checkpoint.tx));
    insist(text, 'PAYMENT_CHANGED', `checkpoint ${txidOf(checkpoint.tx)} did not come back`);
    return adopt(secp, checkpoint, text, () => [account.publicKey]);
  });
  return { arkTx: signedArkTx, checkpoints: cosigned };
}

export interface Paid {
  readonly arkTxid: Txid;
  /** One for each output, in order. */
  readonly vtxos: readonly NewCoin[];
  /** Fully signed: with them and their coins' branches the receivers can exit. */
  readonly arkTx: Psbt;
  readonly checkpoints: readonly Psbt[];
}

/**
 * Pays `coins` to `outputs`, their assets as `plan` says, and makes it final. `keep` is handed the payment before the
 * owner gives its coins away.
 */
export async function send(
  client: ArkClient,
  account: Account,
  coins: readonly Coin[],
  outputs: readonly TxOut[],
  plan?: AssetPlan,
  keep: (paid: Paid) => Promise<void> = async () => {},
): Promise<Paid> {
  const payment = buildPayment(client, account, coins, outputs, plan && assetPacket(coins, plan));
  const { arkTxid } = payment;
  const body = { signedArkTx: psbtBase64(payment.arkTx), checkpointTxs: payment.checkpoints.map(psbtBase64) };
  const answer = await post(client, { route: ARK_ROUTES.submitTx, body });
  const { arkTx, checkpoints } = acceptCosigned(client.secp, account, payment, answer);
  const final = signCheckpoints(client, account, checkpoints);
  const vtxos = outputs.map((output, vout) => ({ outpoint: { txid: arkTxid, vout }, output }));
  const paid = { arkTxid, vtxos, arkTx, checkpoints: final };
  await keep(paid);
  await finalize(client, arkTxid, final);
  return paid;
}

export async function finalize(client: ArkClient, arkTxid: Txid, checkpoints: readonly Psbt[]): Promise<void> {
  const body = { arkTxid, finalCheckpointTxs: checkpoints.map(psbtBase64) };
  await post(client, { route: ARK_ROUTES.finalizeTx, body });
}

/**
 * Finishes payments over `coins` that were submitted but not finalized, after a crash say; returns their txids. The
 * owner had signed the ark transactions before, so that its signatures on them say it wanted them. `keep` is handed each
 * payment before it is made final.
 */
export async function resumePayments(
  client: ArkClient,
  account: Account,
  coins: readonly Coin[],
  keep: (paid: Paid) => Promise<void> = async () => {},
): Promise<Txid[]> {
  const intent = signedIntent(client, account, { type: 'get-pending-tx', expireAt: 0 }, coins);
  const { pendingTxs } = await post(client, { route: ARK_ROUTES.pendingTxs, body: { intent } });
  const done: Txid[] = [];
  for (const pending of reading(() => (Array.isArray(pendingTxs) ? pendingTxs : []).map((tx) => asFields(tx)))) {
    const arkTx = reading(() => parsePsbt(requiredText(pending, 'finalArkTx')));
    const received = reading(() => texts(pending, 'signedCheckpointTxs').map(parsePsbt));
    const byTxid = new Map(received.map((psbt) => [txidOf(psbt.tx), psbt]));
    const checkpoints = arkTx.tx.inputs.map(({ prevout }) => {
      const checkpoint = byTxid.get(prevout.txid);
      insist(checkpoint, 'PAYMENT_CHANGED', `no checkpoint ${prevout.txid}`);
      return checkpoint;
    });
    const arkTxid = txidOf(arkTx.tx);
    const accepted = acceptCosigned(client.secp, account, { arkTxid, arkTx, checkpoints }, pending);
    const final = signCheckpoints(client, account, accepted.checkpoints);
    const vtxos = arkTx.tx.outputs.map((output, vout) => ({ outpoint: { txid: arkTxid, vout }, output }));
    await keep({ arkTxid, vtxos, arkTx: accepted.arkTx, checkpoints: final });
    await finalize(client, arkTxid, final);
    done.push(arkTxid);
  }
  return done;
}

/**
 * Off-chain payments. A submission is checked whole, then books its inputs as spent in one transaction with the cosigned
 * transactions, and only then answers with the server's signatures; finality brings the new VTXOs into being.
 */
import { type Bytes, fromHex, type OutpointKey, outpointKey, type Txid, toHex } from '../../base/bytes.ts';
import { sats } from '../../base/units.ts';
import { csvMultisig, encodeClosure } from '../../bitcoin/closure.ts';
import { parsePsbt, psbtBase64 } from '../../bitcoin/psbt.ts';
import { isMature } from '../../bitcoin/timelock.ts';
import { txidOf } from '../../bitcoin/tx.ts';
import type { Tip } from '../../chain/chain.ts';
import { overLimit } from '../../runtime/over-limit.ts';
import type { AssetMoves } from '../protocol/assets.ts';
import { demand } from '../protocol/errors.ts';
import { exitBlocks, SECONDS_PER_BLOCK, secondsUntil } from '../protocol/expiry.ts';
import { parseIntentProof } from '../protocol/intent.ts';
import { checkIntentTime, parseIntentMessage } from '../protocol/intent-message.ts';
import { conditionOf } from '../protocol/psbt-fields.ts';
import { cosign, parseFinalCheckpoint, parseSubmission, type Submission } from '../protocol/submission.ts';
import { moveAssets } from './assets.ts';
import { checkNotBanned } from './bans.ts';
import type { ArkContext } from './context.ts';
import type { Notifier } from './notifier.ts';
import { applyAssetChanges } from './store/assets.ts';
import { intentsHolding } from './store/intents.ts';
import {
  type CheckpointTx,
  checkpointsOf,
  countPending,
  finalizeOffchainTx,
  insertOffchainTx,
  type OffchainTx,
  offchainTxById,
} from './store/offchain.ts';
import {
  insertVtxos,
  type NewVtxo,
  type Reader,
  spendVtxo,
  type Vtxo,
  vtxosByOutpoint,
  vtxosByTxid,
  vtxosSpentBy,
} from './store/vtxos.ts';

export interface SubmittedTx {
  readonly arkTxid: Txid;
  readonly finalArkTx: string;
  readonly signedCheckpointTxs: readonly string[];
}

export interface OffchainService {
  /** Throws `ArkError`; a refused submission leaves no trace. */
  submit(signedArkTx: string, checkpointTxs: readonly string[]): Promise<SubmittedTx>;
  /** Repeating it with the same signatures succeeds. Throws `TX_NOT_FOUND` or what is wrong with a checkpoint. */
  finalize(arkTxid: string, finalCheckpointTxs: readonly string[]): Promise<void>;
  /** Submitted but not final transactions that spend one of the coins proven. */
  pending(proof: string, message: string): Promise<readonly SubmittedTx[]>;
}

/** Off-chain transactions between a VTXO and its batch: bounds what an exit and a chain query can cost. */
const MAX_DEPTH = 10_000;
/** Payments of one script that may wait for their sender's last word: each is stored, and nothing ever ends it. */
const MOST_PENDING = 200;
const RETRY_AFTER_SECONDS = 60;

export function createOffchainService(ctx: ArkContext, notifier: Notifier): OffchainService {
  const { secp, db, clock } = ctx;

  async function submit(signedArkTx: string, checkpointTxs: readonly string[]): Promise<SubmittedTx> {
    const settings = ctx.settings();
    const tip = await ctx.chain.tip();
    const ownExit = checkpointTapscript(ctx);
    const submission = parseSubmission(
      secp,
      { signedArkTx, checkpointTxs },
      {
        signers: ctx.signers.signing(),
        minExitDelay: settings.unilateralExitDelay,
        allowBlockType: settings.batchExpiry.type === 'blocks',
        checkpointTapscript: ownExit,
        dust: settings.dust,
        vtxoMinAmount: settings.vtxoMinAmount,
        vtxoMaxAmount: settings.vtxoMaxAmount,
        maxOpReturnOutputs: settings.maxOpReturnOutputs,
        maxTxWeight: settings.maxTxWeight,
        tip,
      },
    );
    const spent = await checkInputs(db, submission);
    for (const vtxo of spent) {
      await checkNotBanned(ctx, vtxo.script, vtxo.outpoint);
      const data = { vtxo_outpoint: vtxo.outpoint };
      demand(!isExpired(vtxo, tip), 'VTXO_RECOVERABLE', `${vtxo.outpoint} has expired and can only be settled`, data);
      demand(canStillExit(ctx, vtxo, tip), 'VTXO_RECOVERABLE', `${vtxo.outpoint} expires too soon to be paid on`, data);
    }
    const moves = await moveAssets(
      ctx,
      submission.arkTxid,
      submission.assets,
      spent.map(({ assets }) => assets),
      submission.outputs.map(({ vout }) => vout),
    );
    const cosigned = cosign(submission, ctx.signers.signerOf);
    const checkpoints = submission.inputs.map(
      ({ outpoint, checkpointTxid }, i): CheckpointTx => ({
        txid: checkpointTxid,
        arkTxid: submission.arkTxid,
        outpoint: outpointKey(outpoint),
        psbt: psbtBase64(cosigned.checkpoints[i]!),
        tapscript: toHex(ownExit),
      }),
    );
    const offchain = {
      txid: submission.arkTxid,
      psbt: psbtBase64(cosigned.arkTx),
      outputs: outputsOf(submission, spent, moves, ctx.nowSeconds()),
      assetChanges: moves.changes,
      payer: spent[0]!.script,
      createdAt: ctx.nowSeconds(),
    };
    await db.write(async (tx) => {
      await checkInputs(tx, submission);
      const waiting = await countPending(tx, offchain.payer);
      if (waiting >= MOST_PENDING)
        throw overLimit('RATE_LIMITED', 'too many payments wait to be finalized', RETRY_AFTER_SECONDS);
      await insertOffchainTx(tx, offchain, checkpoints);
      for (const { outpoint, txid: spentBy } of checkpoints) {
        const done = await spendVtxo(tx, { outpoint, spentBy, arkTxid: submission.arkTxid }, clock.now());
        demand(done, 'VTXO_ALREADY_SPENT', `${outpoint} is already spent`, { vtxo_outpoint: outpoint });
      }
    });
    return {
      arkTxid: submission.arkTxid,
      finalArkTx: offchain.psbt,
      signedCheckpointTxs: checkpoints.map(({ psbt }) => psbt),
    };
  }

  /** The VTXOs a submission spends, if the books allow it. */
  async function checkInputs(reader: Reader, submission: Submission): Promise<Vtxo[]> {
    const known = await offchainTxById(reader, submission.arkTxid);
    demand(!known, 'INVALID_ARK_PSBT', 'duplicated offchain tx', { tx: submission.arkTxid });
    const outpoints = submission.inputs.map(({ outpoint }) => outpointKey(outpoint));
    const byOutpoint = new Map((await vtxosByOutpoint(reader, outpoints)).map((vtxo) => [vtxo.outpoint, vtxo]));
    const spent = submission.inputs.map(({ outpoint, value, vtxo: script }) => {
      const key = outpointKey(outpoint);
      const vtxo = byOutpoint.get(key);
      demand(vtxo, 'VTXO_NOT_FOUND', `${key} is no VTXO`, { vtxo_outpoint: key });
      checkSpendable(vtxo);
      const same = vtxo.amount === value && vtxo.script === toHex(script.script);
      demand(same, 'INVALID_PSBT_INPUT', `amount or script of ${key} differ`, {
        txid: submission.arkTxid,
        input_index: '0',
      });
      return vtxo;
    });
    const [held] = await intentsHolding(reader, outpoints);
    demand(!held, 'VTXO_ALREADY_REGISTERED', `${held?.outpoint} is registered in an intent`, {
      vtxo_outpoint: held?.outpoint ?? '',
    });
    return spent;
  }

  async function finalize(arkTxid: string, finalCheckpointTxs: readonly string[]): Promise<void> {
    const offchain = await offchainTxById(db, arkTxid);
    demand(offchain, 'TX_NOT_FOUND', `offchain tx ${arkTxid} not found`, { txid: arkTxid });
    const final = completeCheckpoints(offchain, await checkpointsOf(db, arkTxid), finalCheckpointTxs);
    const done = await db.write(async (tx) => {
      const inputs = await vtxosSpentBy(tx, 'ark_txid', offchain.txid);
      const moved = await finalizeOffchainTx(tx, offchain.txid, final, ctx.nowSeconds());
      if (!moved) return false;
      for (const { outpoint, unrolled } of inputs) {
        demand(!unrolled, 'VTXO_ALREADY_UNROLLED', `${outpoint} was unrolled meanwhile`, { vtxo_outpoint: outpoint });
      }
      const createdAt = ctx.nowSeconds();
      // A batch may have been swept between submission and finality.
      const swept = inputs.some((input) => input.swept);
      await insertVtxos(
        tx,
        offchain.outputs.map((output) => ({ ...output, createdAt, swept: output.swept || swept })),
        clock.now(),
      );
      await applyAssetChanges(tx, offchain.txid, offchain.assetChanges);
      return true;
    });
    if (done) await announce(offchain, final);
  }

  function completeCheckpoints(
    { psbt }: OffchainTx,
    cosigned: readonly CheckpointTx[],
    finals: readonly string[],
  ): CheckpointTx[] {
    const { tx, inputs } = parsePsbt(psbt);
    const arkInput = new Map(tx.inputs.map(({ prevout }, i) => [prevout.txid, inputs[i]!]));
    demand(finals.length === cosigned.length, 'CHECKPOINT_TX_INVALID', `expected ${cosigned.length} checkpoints`);
    const byTxid = new Map(finals.map((text) => [checkpointTxid(text), text]));
    return cosigned.map((checkpoint) => {
      const text = byTxid.get(checkpoint.txid);
      demand(text, 'CHECKPOINT_TX_NOT_FOUND', `checkpoint ${checkpoint.txid} is missing`, { txid: checkpoint.txid });
      const condition = conditionOf(arkInput.get(checkpoint.txid)!);
      return {
        ...checkpoint,
        psbt: psbtBase64(parseFinalCheckpoint(secp, parsePsbt(checkpoint.psbt), text, condition)),
      };
    });
  }

  async function announce(offchain: OffchainTx, checkpoints: readonly CheckpointTx[]): Promise<void> {
    notifier.publish({
      kind: 'ark',
      txid: offchain.txid,
      tx: offchain.psbt,
      spent: await vtxosSpentBy(db, 'ark_txid', offchain.txid),
      created: await vtxosByTxid(db, offchain.txid),
      swept: [],
      checkpoints: Object.fromEntries(checkpoints.map(({ outpoint, txid, psbt }) => [outpoint, { txid, tx: psbt }])),
    });
  }

  async function pending(proofText: string, message: string): Promise<SubmittedTx[]> {
    checkIntentTime(parseIntentMessage('get-pending-tx', message), ctx.nowSeconds());
    const proof = parseIntentProof(secp, proofText, message, ctx.signers.all());
    const scripts = new Map<OutpointKey, string>(
      proof.coins.map((coin) => [outpointKey(coin.outpoint), toHex(coin.script)]),
    );
    const proven = await vtxosByOutpoint(db, [...scripts.keys()]);
    const own = proven.filter((vtxo) => scripts.get(vtxo.outpoint) === vtxo.script && vtxo.arkTxid);
    const found: SubmittedTx[] = [];
    for (const arkTxid of new Set(own.map((vtxo) => vtxo.arkTxid!))) {
      const offchain = await offchainTxById(db, arkTxid);
      if (!offchain || offchain.finalizedAt !== undefined) continue;
      const signedCheckpointTxs = (await checkpointsOf(db, arkTxid)).map(({ psbt }) => psbt);
      found.push({ arkTxid, finalArkTx: offchain.psbt, signedCheckpointTxs });
    }
    return found;
  }

  const { offchainSeconds } = ctx.metrics;
  return {
    submit: (...tx) => offchainSeconds.time({ call: 'submit' }, () => submit(...tx)),
    finalize: (...tx) => offchainSeconds.time({ call: 'finalize' }, () => finalize(...tx)),
    pending,
  };
}

/** `<delay> CSV DROP <forfeit key> CHECKSIG`: the server's way out of a checkpoint whose ark transaction never comes. */
export const checkpointTapscript = (ctx: ArkContext): Bytes =>
  encodeClosure(csvMultisig(ctx.settings().checkpointExitDelay, fromHex(ctx.publicKeys.forfeit).slice(1)));

/** A batch's expiry is a height or a time; see `Vtxo.expiresAt`. */
const isExpired = ({ expiresAt, origin }: Vtxo, tip: Tip): boolean => origin !== 'note' && isMature(expiresAt, tip);

/**
 * Whether who is paid from the VTXO could put it on chain before its batch expires. On regtest people let batches
 * expire within minutes, to watch what happens then.
 */
const canStillExit = ({ chain, nowSeconds }: ArkContext, { expiresAt, depth }: Vtxo, tip: Tip): boolean =>
  chain.network === 'regtest' || secondsUntil(expiresAt, tip, nowSeconds()) >= exitBlocks(depth) * SECONDS_PER_BLOCK;

function checkpointTxid(text: string): Txid | undefined {
  try {
    return txidOf(parsePsbt(text).tx);
  } catch {
    return undefined;
  }
}

function checkSpendable(vtxo: Vtxo): void {
  const { outpoint } = vtxo;
  const data = { vtxo_outpoint: outpoint };
  demand(vtxo.spentBy === undefined, 'VTXO_ALREADY_SPENT', `${outpoint} is already spent`, data);
  demand(!vtxo.unrolled, 'VTXO_ALREADY_UNROLLED', `${outpoint} is unrolled`, data);
  demand(!vtxo.swept, 'VTXO_RECOVERABLE', `${outpoint} can only be settled`, data);
  demand(vtxo.origin !== 'note', 'OFFCHAIN_TX_SPENDING_NOTE', `${outpoint} is a note`, data);
  demand(vtxo.depth < MAX_DEPTH, 'OFFCHAIN_TX_INVALID', `${outpoint} is too many transactions from its batch`, data);
}

function outputsOf(
  { arkTxid, outputs }: Submission,
  spent: readonly Vtxo[],
  moves: AssetMoves,
  createdAt: number,
): NewVtxo[] {
  const commitmentTxids = [...new Set(spent.flatMap((vtxo) => vtxo.commitmentTxids))];
  const depth = Math.max(...spent.map((vtxo) => vtxo.depth)) + 1;
  const expiresAt = Math.min(...spent.map((vtxo) => vtxo.expiresAt));
  return outputs.map(({ vout, amount, script, isSubDust }) => ({
    txid: arkTxid,
    vout,
    amount: sats(amount),
    script: toHex(script),
    origin: 'offchain',
    commitmentTxids,
    depth,
    createdAt,
    expiresAt,
    swept: isSubDust,
    assets: moves.outputs.get(vout) ?? [],
  }));
}

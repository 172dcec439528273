/**
 * The end of a batch: sign the commitment transaction, make everything durable, broadcast, and only then let the new
 * VTXOs exist. Between the two writes the batch is `pending`; a restart finds it so and finishes or undoes it.
 */
import { type Txid, toHex } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import { sats, sumSats } from '../../base/units.ts';
import { addressOf } from '../../bitcoin/address.ts';
import { type Psbt, prevoutsOf, psbtBase64, type TapScriptSig, withInput } from '../../bitcoin/psbt.ts';
import { parseTx, type Tx, txHex, txidOf } from '../../bitcoin/tx.ts';
import type { GraphSignatures } from '../../txgraph/cosign.ts';
import type { TxGraph } from '../../txgraph/graph.ts';
import { nodePsbt } from '../protocol/batch-tree.ts';
import { arkError } from '../protocol/errors.ts';
import { finalize, keysAmong, leafFields, signLeaf } from '../protocol/leaf-spend.ts';
import { sumChanges } from './assets.ts';
import { type BuiltBatch, isBoarding, vtxoOutputs } from './batch-build.ts';
import { isRejection, undoBatch } from './batch-fate.ts';
import type { ArkContext } from './context.ts';
import { boardingLeaf } from './debts.ts';
import type { Notifier } from './notifier.ts';
import type { RegisteredInput } from './registration.ts';
import { applyAssetChanges } from './store/assets.ts';
import {
  type Batch,
  type BatchSummary,
  type Forfeit,
  finishBatch,
  insertBatch,
  insertForfeits,
  insertTreeTxs,
  type TreeName,
  type TreeTx,
} from './store/batches.ts';
import { deleteIntentsOf, type StoredIntent } from './store/intents.ts';
import { insertVtxos, type NewVtxo, spendVtxo, vtxosByTxid, vtxosSpentBy } from './store/vtxos.ts';

/** All that a batch has gathered when it is ready to settle. */
export interface GatheredBatch {
  readonly id: string;
  /** Unix seconds. */
  readonly startedAt: number;
  readonly intents: readonly StoredIntent[];
  readonly built: BuiltBatch;
  readonly signatures: GraphSignatures;
  readonly forfeits: readonly Forfeit[];
  /** Owners' signatures on the commitment transaction by input outpoint, verified. */
  readonly boardingSigs: ReadonlyMap<string, readonly TapScriptSig[]>;
}

export interface Settler {
  /** Settles a batch; resolves with the commitment's txid. Throws when it was undone, which leaves no trace. */
  settle(batch: GatheredBatch): Promise<Txid>;
  /** Finishes or undoes a batch that a crash left pending; leaves it so while its fate is open. */
  resume(batch: Batch): Promise<void>;
}

export function createSettler(ctx: ArkContext, notifier: Notifier): Settler {
  async function settle(gathered: GatheredBatch): Promise<Txid> {
    const tx = finalize(signCommitment(gathered));
    const record = await recordOf(gathered, tx);
    await prepare(gathered, record);
    try {
      await broadcast(record);
    } catch (error) {
      // Nobody but us has ever seen the transaction, so it can be forgotten, and its intents may try again. While its
      // fate is open they must not.
      await (isRejection(error)
        ? undoBatch(ctx, record, 'pending')
        : ctx.db.write((tx) => deleteIntentsOf(tx, record.id)));
      throw error;
    }
    await conclude(record);
    return txidOf(tx);
  }

  function signCommitment({ built, intents, boardingSigs }: GatheredBatch): Psbt {
    const { psbt } = built.commitment;
    const prevouts = prevoutsOf(psbt);
    invariant(prevouts, 'the commitment names all its prevouts');
    const boardings = new Map(
      intents
        .flatMap(({ intent }) => intent.inputs.filter(isBoarding))
        .map((input) => [input.outpoint as string, input]),
    );
    return psbt.tx.inputs.reduce((signed, { prevout }, index) => {
      const outpoint = `${prevout.txid}:${prevout.vout}`;
      const boarding = boardings.get(outpoint);
      if (!boarding) return withInput(signed, index, { tapKeySig: ctx.wallet.sign(psbt.tx, index, prevouts) });
      const sigs = boardingSigs.get(outpoint);
      invariant(sigs, 'every boarding input is signed by its owner');
      return cosignBoarding(signed, index, prevouts, boarding, sigs);
    }, psbt);
  }

  function cosignBoarding(
    psbt: Psbt,
    index: number,
    prevouts: NonNullable<ReturnType<typeof prevoutsOf>>,
    boarding: RegisteredInput,
    sigs: readonly TapScriptSig[],
  ): Psbt {
    const leaf = boardingLeaf(ctx, boarding);
    const revealed = withInput(psbt, index, { ...leafFields(leaf), tapScriptSigs: sigs });
    const [signer] = keysAmong(leaf.closure, ctx.signers.all());
    invariant(signer, 'a boarding leaf asks for a key of the server');
    return signLeaf(revealed, index, prevouts, leaf, ctx.signers.signerOf(signer));
  }

  async function recordOf(gathered: GatheredBatch, tx: Tx): Promise<Batch> {
    const { batchExpiry } = ctx.settings();
    const endedAt = ctx.nowSeconds();
    const txid = txidOf(tx);
    // With the next block as the earliest for the commitment, this is the first tip after which the server may sweep.
    const expiresAt =
      batchExpiry.type === 'blocks' ? (await ctx.chain.tip()).height + batchExpiry.value : endedAt + batchExpiry.value;
    const outputs = vtxoOutputs(gathered.built, gathered.intents).map(
      ({ txid: leaf, vout, output, assets }): NewVtxo => ({
        txid: leaf,
        vout,
        amount: sats(output.value),
        script: toHex(output.script),
        origin: 'batch',
        commitmentTxids: [txid],
        depth: 0,
        createdAt: endedAt,
        expiresAt,
        swept: false,
        assets,
      }),
    );
    return {
      id: gathered.id,
      state: 'pending',
      commitmentTxid: txid,
      commitmentTx: txHex(tx),
      startedAt: gathered.startedAt,
      endedAt,
      expiresAt,
      swept: false,
      confirmedHeight: undefined,
      summary: summarize(ctx, gathered),
      outputs,
      assetChanges: sumChanges(gathered.intents.flatMap(({ intent }) => intent.assetChanges ?? [])),
    };
  }

  async function prepare({ intents, built, signatures, forfeits }: GatheredBatch, record: Batch): Promise<void> {
    const commitment = record.commitmentTxid!;
    const { batchExpiry } = ctx.settings();
    const trees = [
      ...treeRows('vtxo', commitment, built.vtxoGraph, (node) => nodePsbt(node, batchExpiry, signatures[node.txid])),
      ...treeRows('connector', commitment, built.connectorGraph, (node) => nodePsbt(node)),
    ];
    const forfeitOf = new Map(forfeits.map((forfeit) => [forfeit.outpoint, forfeit.txid]));
    await ctx.db.write(async (tx) => {
      await insertBatch(tx, record);
      await insertTreeTxs(tx, trees);
      await insertForfeits(tx, commitment, forfeits);
      for (const input of intents.flatMap(({ intent }) => intent.inputs)) {
        const spend = {
          outpoint: input.outpoint,
          spentBy: forfeitOf.get(input.outpoint) ?? commitment,
          settledBy: commitment,
          asSwept: input.kind === 'recoverable' && !forfeitOf.has(input.outpoint),
        };
        const done = await spendVtxo(tx, spend, ctx.clock.now(), isBoarding(input));
        if (done || isBoarding(input)) continue;
        throw arkError('VTXO_ALREADY_SPENT', `${input.outpoint} cannot be settled any more`, {
          vtxo_outpoint: input.outpoint,
        });
      }
    });
  }

  async function broadcast(record: Batch): Promise<void> {
    if (!(await ctx.chain.transaction(record.commitmentTxid!)))
      await ctx.chain.broadcast(parseTx(record.commitmentTx!));
  }

  /** Makes a batch final whose commitment is in the mempool or the chain. */
  async function conclude(record: Batch): Promise<void> {
    const nowMs = ctx.clock.now();
    const settled = await ctx.db.write(async (tx) => {
      const moved = await finishBatch(tx, record.id);
      if (!moved) return false;
      await insertVtxos(tx, record.outputs, nowMs);
      await applyAssetChanges(tx, record.commitmentTxid!, record.assetChanges);
      await deleteIntentsOf(tx, record.id);
      return true;
    });
    if (settled) await announce(record);
  }

  async function announce(record: Batch): Promise<void> {
    const txid = record.commitmentTxid!;
    const leaves = [...new Set(record.outputs.map((output) => output.txid))];
    const created = (await Promise.all(leaves.map((leaf) => vtxosByTxid(ctx.db, leaf)))).flat();
    notifier.publish({
      kind: 'commitment',
      txid,
      tx: record.commitmentTx!,
      spent: await vtxosSpentBy(ctx.db, 'settled_by', txid),
      created,
      swept: [],
      checkpoints: {},
    });
  }

  async function resume(batch: Batch): Promise<void> {
    const about = { commitmentTxid: batch.commitmentTxid };
    try {
      await broadcast(batch);
    } catch (error) {
      if (!isRejection(error)) throw error;
      // It may have been broadcast before the crash, so a refusal alone does not say that it cannot confirm.
      if (!(await isDoubleSpent(parseTx(batch.commitmentTx!)))) {
        return ctx.log.warn({ ...about, err: error }, 'an interrupted batch cannot be broadcast yet');
      }
      await undoBatch(ctx, batch, 'pending');
      return ctx.log.warn({ ...about, err: error }, 'undid an interrupted batch: an input is spent otherwise');
    }
    await conclude(batch);
    ctx.log.info(about, 'finished an interrupted batch');
  }

  async function isDoubleSpent(commitment: Tx): Promise<boolean> {
    const outputs = await Promise.all(commitment.inputs.map((input) => ctx.chain.output(input.prevout)));
    return outputs.some((output) => output?.spentBy?.confirmation && output.spentBy.txid !== txidOf(commitment));
  }

  return { settle, resume };
}

function treeRows(
  tree: TreeName,
  commitmentTxid: Txid,
  graph: TxGraph | undefined,
  psbtOf: (node: TxGraph['nodes'][number]) => Psbt,
): TreeTx[] {
  return (graph?.nodes ?? []).map((node) => ({
    txid: node.txid,
    commitmentTxid,
    tree,
    parentTxid: node.tx.inputs[0]!.prevout.txid,
    children: node.children as Record<string, Txid>,
    psbt: psbtBase64(psbtOf(node)),
  }));
}

function summarize(ctx: ArkContext, { intents, built, forfeits }: GatheredBatch): BatchSummary {
  const inputs = intents.flatMap(({ intent }) => intent.inputs);
  const receivers = intents.flatMap(({ intent }) => intent.receivers);
  const onchain = intents.flatMap(({ intent }) => intent.onchain);
  const forfeited = new Set(forfeits.map((forfeit) => forfeit.outpoint));
  return {
    inputAmount: sumSats(inputs.map((input) => input.amount)),
    inputCount: inputs.length,
    forfeitedAmount: sumSats(inputs.filter((input) => forfeited.has(input.outpoint)).map((input) => input.amount)),
    vtxoAmount: sumSats(receivers.map((output) => output.value)),
    vtxoCount: receivers.length,
    exitAmount: sumSats(onchain.map((output) => output.value)),
    exitAddresses: onchain.map((output) => addressOf(ctx.chain.network, output.script) ?? toHex(output.script)),
    feeAmount: built.commitment.fee,
  };
}

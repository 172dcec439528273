/**
 * What becomes of a batch when the chain takes its commitment back: while it can neither be found nor broadcast, what
 * it made does not circulate; once a longer chain has buried it, it is undone as if it had never been.
 */
import type { Txid } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { parseTx } from '../../bitcoin/tx.ts';
import type { CommitmentFees } from './commitment-fees.ts';
import type { ArkContext } from './context.ts';
import { revertAssetChanges } from './store/assets.ts';
import { type Batch, confirmBatch, deleteBatchArtifacts, failBatch } from './store/batches.ts';
import { descentOf, resumeVtxos, suspendVtxos, unrolledAmong, unspendSettled } from './store/vtxos.ts';

export interface BatchFate {
  /** Takes note of where the chain has a final batch's commitment, broadcasting it again where it has not. */
  follow(batch: Batch): Promise<void>;
}

/** As many blocks on top of what replaced a commitment bury it for good. */
const BURIED_BELOW = 6;

const isRefusal = (error: unknown): error is ProtocolError => error instanceof ProtocolError;

/** Blocks that a commitment may wait in the mempool before more is paid for it. */
const PATIENCE = 2;
const CONFIRM_WITHIN_BLOCKS = 2;

/** A node's definite no: the transaction is not and will not be in its mempool as it stands. */
export const isRejection = (error: unknown): boolean => isRefusal(error) && error.code !== 'TX_ALREADY_IN_CHAIN';

const leavesOf = ({ outputs }: Batch): Txid[] => [...new Set(outputs.map(({ txid }) => txid))];

/** Leaves no trace of a batch but its record: what it spent is free again. */
export async function undoBatch(ctx: ArkContext, batch: Batch, from: 'pending' | 'final') {
  const { id, commitmentTxid } = batch;
  await ctx.db.write(async (tx) => {
    if (!(await failBatch(tx, id, from))) return;
    await revertAssetChanges(tx, [commitmentTxid!, ...(await descentOf(tx, leavesOf(batch)))]);
    await unspendSettled(tx, commitmentTxid!, ctx.clock.now());
    await deleteBatchArtifacts(tx, commitmentTxid!);
  });
}

export function createBatchFate(ctx: ArkContext, fees: CommitmentFees): BatchFate {
  const { db, chain, clock, log } = ctx;
  /** Batch → height at which its commitment was first seen to wait. */
  const waitsSince = new Map<string, number>();
  /** Batch → height at which its commitment was first missed. */
  const missedAt = new Map<string, number>();

  async function confirm(batch: Batch, height: number): Promise<void> {
    missedAt.delete(batch.id);
    waitsSince.delete(batch.id);
    const leaves = leavesOf(batch);
    const unrolled = await db.write((tx) => unrolledAmong(tx, leaves));
    const found = await Promise.all(unrolled.map((txid) => chain.transaction(txid)));
    const isOnChain = new Set(unrolled.filter((_, i) => found[i]));
    await db.write(async (tx) => {
      await confirmBatch(tx, batch.commitmentTxid!, height);
      if (isOnChain.size < unrolled.length) await resumeVtxos(tx, leaves, isOnChain, clock.now());
    });
  }

  /** An input is gone or spent otherwise in a block: the commitment cannot come back to this chain. */
  async function suspend(batch: Batch): Promise<void> {
    const { height } = await chain.tip();
    const since = missedAt.get(batch.id) ?? height;
    missedAt.set(batch.id, since);
    await db.write((tx) => suspendVtxos(tx, leavesOf(batch), clock.now()));
    if (height - since < BURIED_BELOW) return;
    await undoBatch(ctx, batch, 'final');
    missedAt.delete(batch.id);
    log.error({ commitmentTxid: batch.commitmentTxid }, 'undid a batch that a longer chain replaced');
  }

  async function rebroadcast(batch: Batch): Promise<void> {
    try {
      await chain.broadcast(parseTx(batch.commitmentTx!));
    } catch (error) {
      log.error({ err: error, commitmentTxid: batch.commitmentTxid }, 'a commitment transaction is not in the mempool');
      if (isRefusal(error) && error.code === 'TX_MISSING_INPUTS') await suspend(batch);
      // Perhaps the mempool has become too dear for it.
      else if (isRefusal(error)) await payMore(batch);
    }
  }

  async function payMore(batch: Batch): Promise<void> {
    const rate = await chain.feeRate(CONFIRM_WITHIN_BLOCKS);
    await fees.speedUp(parseTx(batch.commitmentTx!), (vsize) => BigInt(Math.ceil(vsize * rate)));
  }

  async function hurry(batch: Batch): Promise<void> {
    const { height } = await chain.tip();
    const since = waitsSince.get(batch.id) ?? height;
    waitsSince.set(batch.id, since);
    if (height - since >= PATIENCE) await payMore(batch);
  }

  return {
    async follow(batch) {
      const found = await chain.transaction(batch.commitmentTxid!);
      if (found?.confirmation) return confirm(batch, found.confirmation.height);
      if (found) await hurry(batch);
      else await rebroadcast(batch);
    },
  };
}

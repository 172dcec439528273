/**
 * What the chain does to us: commitments confirm or fall out, VTXOs appear on chain. Works from events while the
 * server runs and by asking once at start, so that nothing which happened meanwhile is missed.
 */
import type { ChainEvent, ChainTx } from '../../chain/chain.ts';
import { createBatchFate } from './batch-fate.ts';
import type { Settler } from './batch-settle.ts';
import type { ArkContext } from './context.ts';
import { confirmBatch, pendingBatches, unconfirmedBatches } from './store/batches.ts';
import { deleteRunningIntents } from './store/intents.ts';
import { markUnrolled, txidsToWatch, unmarkClaimed, virtualTxidsAmong } from './store/vtxos.ts';

/** What has to be looked at again whenever the chain has grown, or a VTXO was seen on it. */
export type Chore = () => Promise<void>;

export interface ChainWatcher {
  /** Finishes what a crash interrupted, catches up with the chain, then follows it. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createChainWatcher(ctx: ArkContext, settler: Settler, chores: readonly Chore[]): ChainWatcher {
  const { db, chain, log } = ctx;
  const fate = createBatchFate(ctx);
  let unsubscribe = (): void => {};
  let tail: Promise<void> = Promise.resolve();

  /** Chain events are handled one after the other; a failure is logged and does not stop the next. */
  function follow(event: ChainEvent): void {
    tail = tail
      .then(() => handle(event))
      .catch((error) => log.error({ err: error, event: event.type }, 'following the chain failed'));
  }

  async function handle(event: ChainEvent): Promise<void> {
    if (event.type === 'mempool') {
      if (await noticeUnrolled([event.tx])) await doChores();
      return;
    }
    if (event.type === 'disconnect') {
      for (const { txid } of event.txs) {
        await db.write(async (tx) => {
          await confirmBatch(tx, txid, null);
          await unmarkClaimed(tx, txid, ctx.clock.now());
        });
      }
      return;
    }
    await noticeUnrolled(event.txs);
    await followCommitments();
    await doChores();
  }

  /** One failing chore does not keep the others from being done. */
  async function doChores(): Promise<void> {
    for (const chore of chores) {
      await chore().catch((error) => log.error({ err: error }, 'a chore failed, the next block brings another try'));
    }
  }

  /** True when a VTXO turned out to be on chain. */
  async function noticeUnrolled(txs: readonly Pick<ChainTx, 'txid'>[]): Promise<boolean> {
    let noticed = false;
    for (const txid of await virtualTxidsAmong(
      db,
      txs.map((tx) => tx.txid),
    )) {
      const unrolled = await db.write((tx) => markUnrolled(tx, txid, ctx.clock.now()));
      noticed ||= unrolled.length > 0;
      for (const vtxo of unrolled) {
        const about = { outpoint: vtxo.outpoint };
        if (vtxo.spentBy) {
          ctx.metrics.fraud.add({ kind: vtxo.arkTxid ? 'checkpoint' : 'forfeit', outcome: 'noticed' });
          log.warn({ ...about, spentBy: vtxo.spentBy }, 'a spent VTXO was unrolled');
        } else log.info(about, 'a VTXO was unrolled');
      }
    }
    return noticed;
  }

  /** Settles the fate of interrupted batches and keeps unconfirmed commitments in the mempool. */
  async function followCommitments(): Promise<void> {
    for (const batch of await unconfirmedBatches(db)) await fate.follow(batch);
    for (const batch of await pendingBatches(db)) await settler.resume(batch);
  }

  async function catchUp(): Promise<void> {
    for (const txid of await txidsToWatch(db)) {
      const found = await chain.transaction(txid);
      if (found) await noticeUnrolled([found]);
    }
  }

  return {
    async start() {
      await db.write((tx) => deleteRunningIntents(tx));
      unsubscribe = chain.subscribe(follow);
      await followCommitments();
      await catchUp();
      await doChores();
    },
    async stop() {
      unsubscribe();
      await tail;
    },
  };
}

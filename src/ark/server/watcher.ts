/**
 * What the chain does to us: commitments confirm or fall out, VTXOs appear on chain. Works from events while the
 * server runs and by asking once at start, so that nothing which happened meanwhile is missed.
 */
import type { ChainEvent } from '../../chain/chain.ts';
import type { BatchFate } from './batch-fate.ts';
import type { Settler } from './batch-settle.ts';
import type { ArkContext } from './context.ts';
import { confirmBatch, pendingBatches, unconfirmedBatches } from './store/batches.ts';
import { deleteRunningIntents } from './store/intents.ts';
import { txidsToWatch, unmarkClaimed } from './store/vtxos.ts';
import type { Unrolls } from './unrolls.ts';

/** What has to be looked at again whenever the chain has grown, or a VTXO was seen on it. */
export type Chore = () => Promise<void>;

export interface ChainWatcher {
  /** Finishes what a crash interrupted, catches up with the chain, then follows it. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface WatcherParts {
  readonly ctx: ArkContext;
  readonly settler: Settler;
  readonly fate: BatchFate;
  readonly unrolls: Unrolls;
  /** Done in this order. */
  readonly chores: readonly Chore[];
}

export function createChainWatcher({ ctx, settler, fate, unrolls, chores }: WatcherParts): ChainWatcher {
  const { db, chain, log } = ctx;
  let unsubscribe = (): void => {};
  let tail: Promise<void> = Promise.resolve();
  /** What an event told may have gone unnoticed, so that everything has to be asked for. */
  let isBehind = false;

  /** Chain events are handled one after the other; a failure is logged and does not stop the next. */
  function follow(event: ChainEvent): void {
    tail = tail
      .then(() => handle(event))
      .catch((error) => {
        isBehind = true;
        log.error({ err: error, event: event.type }, 'following the chain failed');
      });
  }

  async function handle(event: ChainEvent): Promise<void> {
    if (isBehind) await catchUp();
    if (event.type === 'mempool') {
      if (await unrolls.notice([event.tx.txid])) await doChores();
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
    await unrolls.notice(event.txs.map(({ txid }) => txid));
    await followCommitments();
    await doChores();
  }

  /** One failing chore does not keep the others from being done. */
  async function doChores(): Promise<void> {
    for (const chore of chores) {
      await chore().catch((error) => log.error({ err: error }, 'a chore failed, the next block brings another try'));
    }
  }

  /** Settles the fate of interrupted batches and keeps unconfirmed commitments in the mempool. */
  async function followCommitments(): Promise<void> {
    for (const batch of await unconfirmedBatches(db)) await fate.follow(batch);
    for (const batch of await pendingBatches(db)) await settler.resume(batch);
  }

  async function catchUp(): Promise<void> {
    await unrolls.lookFor(await txidsToWatch(db));
    isBehind = false;
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

/**
 * Follows a node by asking it again and again: the index and our copy of the mempool become what the node has, in one
 * step, and only then is it told what happened.
 */
import type { Txid } from '../../base/bytes.ts';
import { messageOf } from '../../base/errors.ts';
import { height, unixSeconds } from '../../base/units.ts';
import type { Network } from '../../bitcoin/address.ts';
import { blockHash } from '../../bitcoin/block.ts';
import { parseTx, txidOf } from '../../bitcoin/tx.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { Db } from '../../store/db.ts';
import { createAnnouncer } from '../announcer.ts';
import type { ChainEvent, Confirmation, Tip } from '../chain.ts';
import { NodeError } from '../node-error.ts';
import { Mempool, type MempoolEntry } from '../regtest/mempool.ts';
import { fetchArrivals } from './arrivals.ts';
import { type ChainChange, fetchChange } from './blocks.ts';
import { demand, type RpcClient } from './client.ts';
import { createGate } from './gate.ts';
import { type ChainInfo, checkNetwork, checkSynced } from './health.ts';
import { createIndexReads, type IndexReads, type IndexTip } from './index-reads.ts';
import { connectBlock, disconnectAbove, type IndexedBlock } from './index-writes.ts';

export interface FollowerOptions {
  readonly client: RpcClient;
  readonly db: Db;
  readonly network: Network;
  readonly clock: Clock;
  readonly log: Log;
  /** Where an empty index begins. */
  readonly from: number;
  /** Milliseconds between two looks at the node. */
  readonly interval: number;
}

/** What is known, each of it as of one moment. */
export interface KnownChain {
  readonly index: IndexReads;
  readonly pool: Mempool;
  readonly tip: Tip;
}

export interface Follower {
  /** Gives `work` a view that does not change while it runs. Throws {@link NodeError} while the node is in trouble. */
  read<R>(work: (known: KnownChain) => Promise<R>): Promise<R>;
  /** Resolves when all that the node had at the moment of this call is known and told. Throws {@link NodeError}. */
  sync(): Promise<void>;
  /** Looks at the node regularly from now on. */
  start(): void;
  subscribe(listener: (event: ChainEvent) => void): () => void;
  stop(): Promise<void>;
}

/** Milliseconds; the wait before a node in trouble is tried again doubles up to this. */
const LONGEST_WAIT = 5_000;
/** Blocks per step; theirs are large where money is. */
const blocksAtOnce = (network: Network): number => (network === 'regtest' || network === 'signet' ? 100 : 8);

const asNodeError = (error: unknown): NodeError =>
  error instanceof NodeError
    ? error
    : new NodeError('NODE_MISBEHAVES', `the node cannot be followed: ${messageOf(error)}`);

const tipOf = ({ height: at, block, medianTime }: IndexedBlock): Tip => ({
  height: height(at),
  hash: blockHash(block.header),
  medianTime: unixSeconds(medianTime),
});

function blockEvent(added: IndexedBlock): ChainEvent {
  const tip = tipOf(added);
  const confirmation: Confirmation = {
    height: tip.height,
    blockHash: tip.hash,
    blockTime: unixSeconds(added.block.header.time),
  };
  return { type: 'block', tip, txs: added.block.txs.map((tx) => ({ txid: txidOf(tx), tx, confirmation })) };
}

export function createFollower(options: FollowerOptions): Follower {
  const { client, db, network, clock, log } = options;
  const index = createIndexReads(db);
  const pool = new Mempool();
  const gate = createGate();
  const { announce, subscribe } = createAnnouncer<ChainEvent>((error) =>
    log.error({ err: error }, 'a listener failed'),
  );
  let tip: IndexTip | undefined;
  let trouble: NodeError | undefined = new NodeError('NODE_STARTING', 'the node has not been asked yet');
  let troubleSince: number | undefined;
  let wait = options.interval;
  let running: Promise<void> | undefined;
  let queued: Promise<void> | undefined;
  let cancel = (): void => {};
  let isStopped = false;

  /** Brings index and mempool to what the node has. */
  async function catchUp(): Promise<void> {
    tip ??= await index.tip();
    while (!isStopped) {
      const [info, txids, best] = demand(
        await client.batch<unknown>([
          { method: 'getblockchaininfo' },
          { method: 'getrawmempool' },
          { method: 'getbestblockhash' },
        ]),
      ) as [ChainInfo, Txid[], string];
      // A block in between: the mempool is not the one that goes with the chain.
      if (info.bestblockhash !== best) continue;
      checkNetwork(info, network);
      const change = await changeTo(info);
      if (!change) continue;
      const isWhole = change.fork + change.added.length === info.blocks;
      const arrivals = isWhole ? await fetchArrivals(client, pool, txids, info.blocks) : [];
      const events = await gate.write(() => apply(change, arrivals, isWhole ? new Set(txids) : undefined));
      for (const event of events) announce(event);
      if (!isWhole) continue;
      checkSynced(info, network);
      return;
    }
    throw new NodeError('NODE_UNREACHABLE', 'the chain has been closed');
  }

  async function changeTo(info: ChainInfo): Promise<ChainChange | undefined> {
    if (tip?.hash === info.bestblockhash) return { fork: tip.height, added: [] };
    const change = await fetchChange(
      client,
      index,
      tip ? { tip } : { from: options.from },
      info,
      blocksAtOnce(network),
    );
    const reached = change?.added.at(-1);
    if (!change || change.fork + change.added.length < info.blocks) return change;
    return !reached || blockHash(reached.block.header) === info.bestblockhash ? change : undefined;
  }

  /** `waiting` are all transactions of the node's mempool, where they are known for the new tip. */
  async function apply(
    { fork, added }: ChainChange,
    arrivals: readonly MempoolEntry[],
    waiting: ReadonlySet<Txid> | undefined,
  ): Promise<ChainEvent[]> {
    const events = await disconnections(fork);
    const returned = new Set(events.flatMap((event) => ('txs' in event ? event.txs.map(({ txid }) => txid) : [])));
    if (events.length + added.length > 0) {
      await db.write(async (tx) => {
        await disconnectAbove(tx, fork);
        for (const block of added) await connectBlock(tx, block);
      });
      tip = await index.tip();
    }
    for (const { block } of added) for (const tx of block.txs) pool.remove(txidOf(tx));
    if (waiting) for (const { txid } of [...pool.entries()]) if (!waiting.has(txid)) pool.remove(txid);
    for (const entry of arrivals) pool.add(entry);
    events.push(...added.map(blockEvent));
    for (const { txid, tx } of arrivals) if (!returned.has(txid)) events.push({ type: 'mempool', tx: { txid, tx } });
    return events;
  }

  /** The tip goes first. */
  async function disconnections(fork: number): Promise<ChainEvent[]> {
    const events: ChainEvent[] = [];
    for (let top = tip?.height ?? fork; top > fork; top--) {
      const txs = (await index.blockTxs(top)).map(({ txid, raw }) => ({ txid, tx: parseTx(raw) }));
      events.push({ type: 'disconnect', tip: (await index.tipAt(top - 1))!, txs });
    }
    return events;
  }

  /** One line when trouble begins, or becomes another, and one when it ends. */
  function note(error: unknown): void {
    const found = asNodeError(error);
    const isNew = troubleSince === undefined || found.code !== trouble?.code;
    if (isNew && !isStopped) {
      log.error({ code: found.code, ...(found !== error && { err: error }) }, found.message);
    }
    troubleSince ??= clock.now();
    trouble = found;
    // A commit whose answer was lost may have moved it.
    tip = undefined;
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }

  function noteEnd(): void {
    if (troubleSince !== undefined) {
      log.warn({ milliseconds: clock.now() - troubleSince, height: tip?.height }, 'the node can be used again');
    }
    troubleSince = undefined;
    trouble = undefined;
    wait = options.interval;
  }

  async function attempt(): Promise<void> {
    try {
      await catchUp();
      noteEnd();
    } catch (error) {
      note(error);
      throw trouble;
    }
  }

  function sync(): Promise<void> {
    if (!running) {
      running = attempt().finally(() => (running = undefined));
      return running;
    }
    queued ??= running
      .catch(() => {})
      .then(() => {
        queued = undefined;
        return sync();
      });
    return queued;
  }

  function schedule(): void {
    if (isStopped) return;
    cancel = clock.setTimer(wait, () => {
      // What went wrong has been noted.
      sync()
        .catch(() => {})
        .then(schedule);
    });
  }

  return {
    sync,
    start: schedule,
    read: (work) =>
      gate.read(async () => {
        if (trouble || !tip) throw trouble;
        const { lowest: _, ...known } = tip;
        return work({ index, pool, tip: known });
      }),
    subscribe,
    async stop() {
      isStopped = true;
      cancel();
      await queued?.catch(() => {});
      await running?.catch(() => {});
    },
  };
}

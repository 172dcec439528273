/**
 * A real bitcoind behind the chain port. Everything is answered from an index of our own and a copy of the node's
 * mempool, so that a pruned node without a transaction index or a wallet will do.
 */
import type { Sats } from '../../base/units.ts';
import { type FeeRate, feeRate } from '../../base/units.ts';
import type { Network } from '../../bitcoin/address.ts';
import { type Tx, txidOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { Db } from '../../store/db.ts';
import type { ControlledChain } from '../controlled-chain.ts';
import { NodeError } from '../node-error.ts';
import { TxRejection } from '../regtest/rejection.ts';
import { scriptHashOf } from '../script-hash.ts';
import { sendOne, sendPair } from './broadcast.ts';
import { demand, type RpcClient } from './client.ts';
import { createExplorer } from './explorer.ts';
import { createFollower } from './follower.ts';
import { checkNode, checkSynced } from './health.ts';
import { createIndexReads } from './index-reads.ts';
import { createMiner } from './miner.ts';
import { outputOf, transactionOf, unspentOf } from './view.ts';
import { followNews, newsSources } from './zmq.ts';

export interface BitcoindOptions {
  /** Closed with the chain. */
  readonly client: RpcClient;
  readonly network: Network;
  readonly secp: Secp;
  readonly clock: Clock;
  readonly log: Log;
  /** Has the tables of `CHAIN_MIGRATIONS`. */
  readonly db: Db;
  /** The first block that is indexed; regtest's first, or the tip at the first start, if absent. */
  readonly indexFrom?: number;
  /** Milliseconds between two looks at the node. */
  readonly interval?: number;
}

/** Calls throw `NodeError` while the node cannot be used. */
export interface BitcoindChain extends ControlledChain {
  /** Regtest: mines until the faucet can pay `amount`. Throws `ProtocolError` FAUCET_EMPTY when that is out of reach. */
  fillFaucet(amount: Sats): Promise<void>;
  /** Looks at the node now; resolves when all it has is known. */
  sync(): Promise<void>;
}

const INTERVAL_MS = { regtest: 250, signet: 1_000, testnet: 1_000, mainnet: 1_000 } as const;
/** How long a node that is starting is waited for. */
const START_PATIENCE_MS = 60_000;
const RETRY_MS = 500;
/** Blocks; bitcoind estimates no further ahead. */
const MAX_TARGET = 1008;

/** The index's first block, which stays what it was at the first start. */
async function firstBlock({ db, network, indexFrom }: BitcoindOptions, nodeHeight: number): Promise<number> {
  const known = await createIndexReads(db).tip();
  if (!known) return indexFrom ?? (network === 'regtest' ? 0 : nodeHeight);
  if (indexFrom !== undefined && indexFrom < known.lowest) {
    throw new NodeError(
      'NODE_FOREIGN_CHAIN',
      `the index begins at block ${known.lowest}, so it cannot begin at ${indexFrom}: start with a fresh one`,
    );
  }
  return known.lowest;
}

/** Asks again while the node is loading. */
async function whenStarted<R>({ clock, log }: BitcoindOptions, ask: () => Promise<R>): Promise<R> {
  const deadline = clock.now() + START_PATIENCE_MS;
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof NodeError && error.code === 'NODE_STARTING') || clock.now() > deadline) throw error;
      if (isFirst) log.warn({ code: error.code }, error.message);
      await new Promise<void>((resolve) => clock.setTimer(RETRY_MS, resolve));
    }
  }
}

/** Looks at the node whenever it says over ZMQ that there is news, instead of waiting for the next turn. */
async function listenForNews({ client, clock, log }: BitcoindOptions, sync: () => Promise<void>): Promise<() => void> {
  // What goes wrong here goes wrong at the next turn too, and is told there.
  const look = (): void => void sync().catch(() => {});
  const sources = await newsSources(client);
  if (sources.length > 0) log.info({ sources }, 'the node tells of news over ZMQ');
  const closers = sources.map((source) => followNews(source, clock, look));
  return () => {
    for (const close of closers) close();
  };
}

/** Ready, with the index caught up, on return. Throws `NodeError` when the node is not fit to be built on. */
export async function createBitcoindChain(options: BitcoindOptions): Promise<BitcoindChain> {
  const { client, network, secp, db, clock, log } = options;
  const info = await whenStarted(options, () => checkNode(client, network));
  checkSynced(info, network);
  const from = await firstBlock(options, info.blocks);
  if (from > info.blocks) {
    throw new NodeError('NODE_SYNCING', `the index shall begin at block ${from}, and the node has only ${info.blocks}`);
  }
  const interval = options.interval ?? INTERVAL_MS[network];
  const follower = createFollower({ client, db, network, clock, log, from, interval });
  await follower.sync();
  follower.start();
  const stopNews = await listenForNews(options, follower.sync);

  /** What the node took is known here before anybody hears of it; should it go away just then, it took it all the same. */
  const noticed = async <R>(work: Promise<R>): Promise<R> => {
    try {
      return await work;
    } finally {
      await follower.sync().catch(() => {});
    }
  };

  const isConfirmed = (tx: Tx): Promise<boolean> =>
    follower.read(async (known) => (await transactionOf(known, txidOf(tx)))?.confirmation !== undefined);

  async function broadcast(tx: Tx) {
    // The node forgets a transaction whose outputs are all spent.
    if (await isConfirmed(tx)) throw new TxRejection('txn-already-known', '', false);
    await noticed(sendOne(client, tx));
    return txidOf(tx);
  }

  async function estimate(targetBlocks: number): Promise<FeeRate> {
    await follower.read(async () => {});
    const [estimated, pool] = demand(
      await client.batch<unknown>([
        { method: 'estimatesmartfee', params: [Math.min(Math.max(1, Math.ceil(targetBlocks)), MAX_TARGET)] },
        { method: 'getmempoolinfo' },
      ]),
    ) as [{ feerate?: number }, { mempoolminfee: number }];
    // bitcoind counts in bitcoin per thousand virtual bytes.
    return feeRate(Math.max(estimated.feerate ?? 0, pool.mempoolminfee) * 1e5);
  }

  const chain = {
    network,
    tip: () => follower.read(async ({ tip }) => tip),
    transaction: (txid) => follower.read((known) => transactionOf(known, txid)),
    output: (outpoint) => follower.read((known) => outputOf(known, outpoint)),
    unspent: (script) => follower.read((known) => unspentOf(known, scriptHashOf(script))),
    feeRate: estimate,
    broadcast,
    async broadcastPackage(parent, child) {
      if (await isConfirmed(parent)) return broadcast(child);
      if (await isConfirmed(child)) throw new TxRejection('txn-already-known', '', false);
      await noticed(sendPair(client, parent, child));
      return txidOf(child);
    },
    subscribe: follower.subscribe,
  } satisfies Omit<BitcoindChain, 'explorer' | 'mine' | 'faucet' | 'fillFaucet' | 'sync' | 'close'>;
  const { mine, faucet, fill } = createMiner({ network, client, secp, chain, broadcast, sync: follower.sync });
  return {
    ...chain,
    explorer: createExplorer(network, follower, estimate),
    mine,
    faucet,
    fillFaucet: fill,
    sync: follower.sync,
    async close() {
      stopNews();
      const stopped = follower.stop();
      // A node that does not answer is not waited for.
      client.close();
      await stopped;
    },
  };
}

/** The embedded regtest chain behind the chain port, with the controls that only a chain of one's own has. */
import type { Bytes, Txid } from '../../base/bytes.ts';
import { messageOf, ProtocolError } from '../../base/errors.ts';
import type { Sats, UnixSeconds } from '../../base/units.ts';
import { type Block, type BlockHash, parseBlock } from '../../bitcoin/block.ts';
import { txidOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { createAnnouncer } from '../announcer.ts';
import type { Chain, ChainEvent } from '../chain.ts';
import type { Explorer } from '../explorer.ts';
import { scriptHashOf } from '../script-hash.ts';
import { type BlockStore, memoryStore } from './block-file.ts';
import { createExplorer } from './explorer.ts';
import { createFaucet } from './faucet.ts';
import type { SatsPerKvb } from './fee-rate.ts';
import { MAX_MEMPOOL_VSIZE } from './mempool-limit.ts';
import { mineBlock } from './miner.ts';
import { RegtestNode, type Snapshot } from './node.ts';
import { TxRejection } from './rejection.ts';
import { scriptRules } from './spending.ts';
import { selectForBlock } from './template.ts';
import { View } from './view.ts';

/** At 100 blocks the first coinbase matures; the rest gives the faucet some to start with. */
const INITIAL_BLOCKS = 110;
const SPLIT_HEIGHT = 101;
const SPLIT_PARTS = 100;
const MAX_BLOCKS_AT_ONCE = 10_000;
const MAX_SHIFT = 0x7fffffff;
/** A header has 32 bits for its time; the rest is room for blocks after it. */
const LATEST_TIME = 0xf0000000;
const MIN_RELAY_RATE = 1000n as SatsPerKvb;
const MAX_DATA_SCRIPT = 100_000;

export type RegtestErrorCode =
  /** Not a whole number of blocks, more than there are, or too many at once. */
  | 'BAD_BLOCK_COUNT'
  /** Not whole seconds, or beyond what a block can be stamped with. */
  | 'BAD_TIME'
  | 'BLOCK_DECODE_FAILED'
  /** `data.reason` is bitcoind's. */
  | 'BLOCK_REJECTED'
  | 'FAUCET_EMPTY';

export interface RegtestOptions {
  readonly secp: Secp;
  /** Unix seconds. */
  readonly now: () => number;
  /** Where the chain is kept; without one it ends with the process. */
  readonly store?: BlockStore;
  /** Hears what a listener threw. */
  readonly onListenerError?: (error: unknown) => void;
  /** Satoshi per 1,000 virtual bytes; bitcoind's 1 sat/vB if absent. */
  readonly minRelayRate?: bigint;
  /** Bytes of an OP_RETURN output that are relayed; as bitcoind does from version 30 on, if absent. */
  readonly maxDataScript?: number;
  /** Whether OP_CHECKTEMPLATEVERIFY (BIP119) holds, which it does on no public network; a chain keeps to one answer. */
  readonly bip119?: boolean;
  /** Virtual bytes that may wait for a block; beyond that those that pay least have to go. */
  readonly maxMempoolVsize?: number;
  /** A younger chain is extended to this height at once, so that the faucet has coins. */
  readonly initialBlocks?: number;
}

/** Refusals throw `ProtocolError<RegtestErrorCode>` and change nothing. */
export interface RegtestChain extends Chain {
  /** Mines blocks of what the mempool holds, to `script` or the faucet. Returns their hashes. */
  mine(count: number, script?: Bytes): Promise<readonly BlockHash[]>;
  /** Broadcasts a payment of the faucet's; somebody has to mine it. */
  faucet(script: Bytes, amount: Sats): Promise<Txid>;
  readonly explorer: Explorer;
  /** The state itself, for the doors of this folder. */
  readonly node: RegtestNode;
  /** The script that blocks pay to unless told otherwise. */
  readonly faucetScript: Bytes;
  /** Blocks to come are stamped that much later than the clock. */
  shiftClock(seconds: number): Promise<void>;
  /** Mines, with the clock shifted as needed, until the median time past is at least `time`. */
  advanceMedianTime(time: UnixSeconds): Promise<void>;
  /** Takes the `count` topmost blocks off; their transactions go back to the mempool. */
  invalidateTip(count: number): Promise<void>;
  /** This moment, to come back to with {@link restore}: blocks, mempool and clock shift. */
  snapshot(): Promise<Snapshot>;
  restore(snapshot: Snapshot): Promise<void>;
  /** Connects a serialized block, or keeps it until its branch is the longest. */
  submitBlock(raw: Bytes): Promise<'connected' | 'reorganized' | 'kept'>;
  close(): Promise<void>;
}

function blockCount(count: number, most: number): number {
  if (!Number.isSafeInteger(count) || count < 0 || count > most) {
    throw new ProtocolError('BAD_BLOCK_COUNT', `the number of blocks must be 0 … ${most}: ${count}`);
  }
  return count;
}

function checkTime(shift: number, then: number): void {
  if (!Number.isSafeInteger(shift) || Math.abs(shift) > MAX_SHIFT || then > LATEST_TIME) {
    throw new ProtocolError('BAD_TIME', `blocks cannot be stamped with ${then}`);
  }
}

function parseSubmitted(raw: Bytes): Block {
  try {
    return parseBlock(raw);
  } catch (error) {
    throw new ProtocolError('BLOCK_DECODE_FAILED', messageOf(error));
  }
}

/** Restores or begins a chain, which is ready on return. Throws when the store holds no chain like this. */
export function createRegtestChain(options: RegtestOptions): RegtestChain {
  const announcer = createAnnouncer<ChainEvent>(options.onListenerError ?? (() => {}));
  const faucet = createFaucet(options.secp);
  const node = new RegtestNode({
    secp: options.secp,
    rules: scriptRules(options.bip119 ?? false),
    now: options.now,
    store: options.store ?? memoryStore(),
    minRelayRate: (options.minRelayRate ?? MIN_RELAY_RATE) as SatsPerKvb,
    maxDataScript: options.maxDataScript ?? MAX_DATA_SCRIPT,
    maxMempoolVsize: options.maxMempoolVsize ?? MAX_MEMPOOL_VSIZE,
    onEvent: (event) => announcer.announce(view.eventOf(event)),
  });
  const view = new View(node);

  function mineOne(script: Bytes, time: number): BlockHash {
    const { tip } = node.ledger;
    const entries = selectForBlock(node.pool, node.minRelayRate);
    const block = mineBlock({
      previous: tip,
      txs: entries.map((entry) => entry.tx),
      fees: entries.reduce((sum, { fee }) => sum + fee, 0n),
      script,
      time: Math.max(time, tip.medianTime + 1),
      extra: node.changes,
    });
    return node.connect(block).hash;
  }

  const matureCoins = () => view.unspent(scriptHashOf(faucet.script)).filter(view.isMature);

  /** The first blocks are stamped one second apart, ending now, so that the median time is not ahead of the clock. */
  function begin(height: number): void {
    while (node.ledger.height < height) {
      const [coin] = node.ledger.height === SPLIT_HEIGHT ? matureCoins() : [];
      if (coin) node.accept(faucet.split(coin, SPLIT_PARTS));
      mineOne(faucet.script, node.now() - (height - node.ledger.height - 1));
    }
  }

  begin(options.initialBlocks ?? INITIAL_BLOCKS);

  return {
    network: 'regtest',
    faucetScript: faucet.script,
    explorer: createExplorer(node, view),
    node,
    tip: async () => view.tip(),
    transaction: async (txid) => view.transaction(txid),
    output: async (outpoint) => view.output(outpoint),
    unspent: async (script) => view.unspent(scriptHashOf(script)),
    feeRate: async (targetBlocks) => view.feeRate(targetBlocks),
    async broadcast(tx) {
      if (!view.isInMempool(txidOf(tx))) node.accept(tx);
      return txidOf(tx);
    },
    async broadcastPackage(parent, child) {
      if (!view.isInMempool(txidOf(child))) node.acceptPair(parent, child);
      return txidOf(child);
    },
    subscribe: announcer.subscribe,
    async mine(count, script = faucet.script) {
      return Array.from({ length: blockCount(count, MAX_BLOCKS_AT_ONCE) }, () => mineOne(script, node.now()));
    },
    async faucet(script, amount) {
      const tx = faucet.pay(matureCoins(), [{ value: amount, script }]);
      node.accept(tx);
      return txidOf(tx);
    },
    async shiftClock(seconds) {
      checkTime(seconds, options.now() + seconds);
      node.shiftClock(seconds);
    },
    async advanceMedianTime(time) {
      const ahead = time - node.now();
      checkTime(node.shift + ahead, time);
      if (ahead > 0) node.shiftClock(node.shift + ahead);
      while (node.ledger.medianTime < time) mineOne(faucet.script, node.now());
    },
    async invalidateTip(count) {
      if (blockCount(count, node.ledger.height) > 0) node.disconnect(count);
    },
    snapshot: async () => node.snapshot(),
    async restore(snapshot) {
      node.restore(snapshot);
    },
    async submitBlock(raw) {
      try {
        return node.submit(parseSubmitted(raw));
      } catch (error) {
        if (!(error instanceof TxRejection)) throw error;
        throw new ProtocolError('BLOCK_REJECTED', error.message, error.data);
      }
    },
    async close() {
      node.close();
    },
  };
}

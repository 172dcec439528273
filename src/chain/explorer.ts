/** What explorers ask beyond the chain port: blocks, histories, the mempool. The doors for outsiders stand on this. */
import type { Outpoint, Txid } from '../base/bytes.ts';
import type { FeeRate } from '../base/units.ts';
import type { Network } from '../bitcoin/address.ts';
import type { BlockHash, BlockHeader } from '../bitcoin/block.ts';
import type { Tx, TxOut } from '../bitcoin/tx.ts';
import type { ChainOutput, ChainTx, ChainUtxo, Tip } from './chain.ts';
import type { ScriptHash } from './script-hash.ts';

export interface BlockSummary {
  readonly hash: BlockHash;
  readonly height: number;
  readonly header: BlockHeader;
  /** BIP113, this block included. */
  readonly medianTime: number;
  readonly txids: readonly Txid[];
  readonly size: number;
  readonly weight: number;
}

/** Outputs that paid to a script and inputs that spent from it, with their sums in satoshi. */
export interface ScriptTotals {
  readonly fundedCount: number;
  readonly fundedSum: bigint;
  readonly spentCount: number;
  readonly spentSum: bigint;
}

export interface ScriptActivity extends ScriptTotals {
  readonly txCount: number;
}

export interface MempoolTx extends ChainTx {
  /** Satoshi. */
  readonly fee: bigint;
  readonly vsize: number;
}

/** Every answer is from one consistent view. */
export interface Explorer {
  readonly network: Network;
  tip(): Promise<Tip>;
  blockHash(height: number): Promise<BlockHash | undefined>;
  /** A block of the active chain. */
  block(hash: string): Promise<BlockSummary | undefined>;
  rawBlock(hash: string): Promise<Uint8Array | undefined>;
  transaction(txid: Txid): Promise<ChainTx | undefined>;
  /** The outputs that `tx` spends, as far as they are known; none for a coinbase. */
  prevouts(tx: Tx): Promise<readonly (TxOut | undefined)[]>;
  spender(outpoint: Outpoint): Promise<ChainOutput['spentBy']>;
  activity(script: ScriptHash): Promise<{ readonly confirmed: ScriptActivity; readonly mempool: ScriptActivity }>;
  /** At most `limit` confirmed transactions, newest first, those below `after` if given. */
  history(script: ScriptHash, limit: number, after?: Txid): Promise<readonly ChainTx[]>;
  /** Newest first. */
  unconfirmed(script: ScriptHash): Promise<readonly ChainTx[]>;
  unspentOf(script: ScriptHash): Promise<readonly ChainUtxo[]>;
  /** In the order they entered. */
  mempool(): Promise<readonly MempoolTx[]>;
  mempoolTx(txid: Txid): Promise<MempoolTx | undefined>;
  feeRate(targetBlocks: number): Promise<FeeRate>;
}

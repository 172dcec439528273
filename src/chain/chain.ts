/** The chain port: what the wings may ask of Bitcoin. Adapters: `regtest/` (embedded) and `bitcoind/`. */
import type { Bytes, Outpoint, Txid } from '../base/bytes.ts';
import type { FeeRate, Height, UnixSeconds } from '../base/units.ts';
import type { Network } from '../bitcoin/address.ts';
import type { Tx, TxOut } from '../bitcoin/tx.ts';

export interface Tip {
  readonly height: Height;
  /** Block hash in display order. */
  readonly hash: string;
  /** BIP113 median time past of the tip: what time locks compare with. */
  readonly medianTime: UnixSeconds;
}

export interface Confirmation {
  readonly height: Height;
  readonly blockHash: string;
  readonly blockTime: UnixSeconds;
}

/** A transaction the chain knows; `confirmation` is absent while it is in the mempool. */
export interface ChainTx {
  readonly txid: Txid;
  readonly tx: Tx;
  readonly confirmation?: Confirmation;
}

/** An output that exists, spent or not. */
export interface ChainOutput extends TxOut {
  readonly confirmation?: Confirmation;
  readonly isCoinbase: boolean;
  /** The transaction spending it (confirmed or in the mempool), if any. */
  readonly spentBy?: { readonly txid: Txid; readonly vin: number; readonly confirmation?: Confirmation };
}

export interface ChainUtxo extends TxOut {
  readonly outpoint: Outpoint;
  readonly confirmation?: Confirmation;
  readonly isCoinbase: boolean;
}

export type ChainEvent =
  /** A transaction entered the mempool. */
  | { readonly type: 'mempool'; readonly tx: ChainTx }
  /** A block was connected; its transactions are confirmed. */
  | { readonly type: 'block'; readonly tip: Tip; readonly txs: readonly ChainTx[] }
  /** The tip block was disconnected; its transactions are unconfirmed or gone again. */
  | { readonly type: 'disconnect'; readonly tip: Tip; readonly txs: readonly ChainTx[] };

export type BroadcastErrorCode =
  | 'TX_DECODE_FAILED'
  /** Fails consensus or policy; `data.reason` is bitcoind's reject reason where there is one. */
  | 'TX_REJECTED'
  /** An input is unknown or spent by a confirmed transaction. */
  | 'TX_MISSING_INPUTS'
  | 'TX_ALREADY_IN_CHAIN';

/**
 * Queries answer from one consistent view, mempool included. Broadcasting what is in the mempool already succeeds.
 * A refused broadcast throws `ProtocolError<BroadcastErrorCode>`; every call throws `NodeError` while there is no usable node.
 */
export interface Chain {
  readonly network: Network;
  tip(): Promise<Tip>;
  transaction(txid: Txid): Promise<ChainTx | undefined>;
  output(outpoint: Outpoint): Promise<ChainOutput | undefined>;
  /** Unspent outputs (counting mempool spends as spent) that pay to `script`. */
  unspent(script: Bytes): Promise<readonly ChainUtxo[]>;
  /** Estimated rate to confirm within `targetBlocks`; never below the relay minimum. */
  feeRate(targetBlocks: number): Promise<FeeRate>;
  broadcast(tx: Tx): Promise<Txid>;
  /** One parent and the child that pays for it (BIP431 TRUC packages). */
  broadcastPackage(parent: Tx, child: Tx): Promise<Txid>;
  /** Events arrive in order, each after the view it announces is queryable. Returns the unsubscriber. */
  subscribe(listener: (event: ChainEvent) => void): () => void;
}

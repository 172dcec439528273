/** What a client asks of the chain, and of whom: a server's word is no proof that something is confirmed. */
import type { Bytes, Outpoint, Txid } from '../../base/bytes.ts';
import type { FeeRate } from '../../base/units.ts';
import type { Tx, TxOut } from '../../bitcoin/tx.ts';

export interface SourceTip {
  readonly height: number;
  /** Unix seconds, BIP113. */
  readonly medianTime: number;
}

/** The block that holds a transaction. */
export interface Placed {
  readonly height: number;
  /** Unix seconds. */
  readonly blockTime: number;
}

export interface SourceTx {
  readonly tx: Tx;
  /** Absent while it is in the mempool. */
  readonly confirmation?: Placed;
}

export interface SourceSpend {
  readonly txid: Txid;
  readonly confirmation?: Placed;
}

export interface SourceCoin {
  readonly outpoint: Outpoint;
  readonly output: TxOut;
  readonly confirmation?: Placed;
}

/** Errors are `ProtocolError` with `CHAIN_SOURCE_FAILED`, or `BROADCAST_REFUSED` where the network does not want it. */
export interface ChainSource {
  tip(): Promise<SourceTip>;
  /** `undefined` when neither chain nor mempool has it. */
  transaction(txid: Txid): Promise<SourceTx | undefined>;
  /** Who spends an output of a transaction that is on chain or in the mempool. */
  spender(outpoint: Outpoint): Promise<SourceSpend | undefined>;
  /** Outputs to `script` that nothing spends, the mempool included. */
  unspent(script: Bytes): Promise<readonly SourceCoin[]>;
  /** Rate at which a transaction is expected to confirm within `targetBlocks`. */
  feeRate(targetBlocks: number): Promise<FeeRate>;
  broadcast(tx: Tx): Promise<void>;
  /** A parent without fee and the child that pays for both. */
  broadcastPackage(parent: Tx, child: Tx): Promise<void>;
}

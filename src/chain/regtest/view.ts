/** The embedded node's state in the words of the chain port. */
import type { Outpoint, Txid } from '../../base/bytes.ts';
import { type FeeRate, feeRate, height, unixSeconds } from '../../base/units.ts';
import { isCoinbase, txidOf } from '../../bitcoin/tx.ts';
import type { ChainEvent, ChainOutput, ChainTx, ChainUtxo, Confirmation, Tip } from '../chain.ts';
import { mempoolCoins } from '../mempool-view.ts';
import type { ScriptHash } from '../script-hash.ts';
import { compareRates, rateOf } from './fee-rate.ts';
import type { ChainBlock } from './ledger.ts';
import type { NodeEvent, RegtestNode } from './node.ts';
import { COINBASE_MATURITY } from './params.ts';

/** Virtual bytes that a block takes in. */
const BLOCK_VSIZE = 1_000_000;

export const tipOf = (block: ChainBlock): Tip => ({
  height: height(block.height),
  hash: block.hash,
  medianTime: unixSeconds(block.medianTime),
});

export const confirmationIn = (block: ChainBlock): Confirmation => ({
  height: height(block.height),
  blockHash: block.hash,
  blockTime: unixSeconds(block.block.header.time),
});

export const txsOf = ({ block }: ChainBlock, confirmation?: Confirmation): ChainTx[] =>
  block.txs.map((tx) => ({ txid: txidOf(tx), tx, ...(confirmation && { confirmation }) }));

/** What the node knows, each answer from the state as it is now. */
export class View {
  readonly #node: RegtestNode;

  constructor(node: RegtestNode) {
    this.#node = node;
  }

  tip(): Tip {
    return tipOf(this.#node.ledger.tip);
  }

  isInMempool(txid: Txid): boolean {
    return this.#node.pool.has(txid);
  }

  transaction(txid: Txid): ChainTx | undefined {
    const { ledger, pool } = this.#node;
    const waiting = pool.get(txid);
    if (waiting) return { txid, tx: waiting.tx };
    const location = ledger.location(txid);
    return location && { txid, tx: ledger.tx(txid)!, confirmation: confirmationIn(location.block) };
  }

  output(outpoint: Outpoint): ChainOutput | undefined {
    const found = this.transaction(outpoint.txid);
    const output = found?.tx.outputs[outpoint.vout];
    if (!found || !output) return undefined;
    const { confirmation } = found;
    const spentBy = this.spender(outpoint);
    return {
      ...output,
      isCoinbase: isCoinbase(found.tx),
      ...(confirmation && { confirmation }),
      ...(spentBy && { spentBy }),
    };
  }

  spender(outpoint: Outpoint): ChainOutput['spentBy'] {
    const { ledger, pool } = this.#node;
    const confirmed = ledger.spender(outpoint);
    if (!confirmed) return pool.spender(outpoint);
    return { ...confirmed, confirmation: confirmationIn(ledger.location(confirmed.txid)!.block) };
  }

  unspent(script: ScriptHash): ChainUtxo[] {
    const { ledger, pool } = this.#node;
    const found: ChainUtxo[] = [];
    for (const outpoint of ledger.script(script)?.unspent.values() ?? []) {
      if (pool.spender(outpoint)) continue;
      const { value, script, isCoinbase, height } = ledger.coin(outpoint)!;
      found.push({ outpoint, value, script, isCoinbase, confirmation: confirmationIn(ledger.at(height)!) });
    }
    return [...found, ...mempoolCoins(pool, script)];
  }

  /** True when the next block may spend it. */
  isMature = ({ isCoinbase, confirmation }: ChainUtxo): boolean =>
    !isCoinbase || this.#node.ledger.height + 1 - confirmation!.height >= COINBASE_MATURITY;

  /** What gets a transaction in front of all that does not fit into so many blocks. */
  feeRate(targetBlocks: number): FeeRate {
    const { pool, minEntryRate } = this.#node;
    let room = Math.max(1, targetBlocks) * BLOCK_VSIZE;
    if (pool.totals.vsize <= room) return feeRate(Number(minEntryRate) / 1000);
    const byRate = [...pool.entries()].sort((a, b) => Number(compareRates(b, a)));
    const first = byRate.find((entry) => (room -= entry.vsize) < 0)!;
    return feeRate(Math.max(Number(minEntryRate), Number(rateOf(first)) + 1) / 1000);
  }

  eventOf(event: NodeEvent): ChainEvent {
    switch (event.type) {
      case 'entered':
        return { type: 'mempool', tx: { txid: event.entry.txid, tx: event.entry.tx } };
      case 'connected': {
        const confirmation = confirmationIn(event.block);
        return { type: 'block', tip: tipOf(event.block), txs: txsOf(event.block, confirmation) };
      }
      case 'disconnected':
        return { type: 'disconnect', tip: tipOf(event.tip), txs: txsOf(event.block) };
    }
  }
}

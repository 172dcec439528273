/** The confirmed chain in memory: blocks, unspent outputs, and the indexes over them. It trusts what it is given. */
import { type Outpoint, type OutpointKey, outpointKey, type Txid } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import { type Block, type BlockHash, blockHash, parseBlock } from '../../bitcoin/block.ts';
import { type Tx, txidOf } from '../../bitcoin/tx.ts';
import type { ScriptHash } from '../script-hash.ts';
import { type Coin, isUnspendable } from './coin.ts';
import type { LockContext } from './locks.ts';
import { GENESIS, MEDIAN_SPAN } from './params.ts';
import { ScriptIndex, type ScriptRecord } from './script-index.ts';

export interface ChainBlock {
  readonly hash: BlockHash;
  readonly height: number;
  readonly block: Block;
  /** BIP113, over this block and the ten before it. */
  readonly medianTime: number;
  /** The coins that each transaction spent: what a reorganization needs to go back. */
  readonly spent: readonly (readonly Coin[])[];
}

/** Where a confirmed transaction is. */
export interface Location {
  readonly block: ChainBlock;
  readonly index: number;
}

export interface Spender {
  readonly txid: Txid;
  readonly vin: number;
}

export class Ledger implements LockContext {
  readonly #blocks: ChainBlock[] = [];
  readonly #byHash = new Map<BlockHash, ChainBlock>();
  readonly #coins = new Map<OutpointKey, Coin>();
  readonly #locations = new Map<Txid, Location>();
  readonly #spenders = new Map<OutpointKey, Spender>();
  readonly #scripts = new ScriptIndex();

  constructor() {
    const block = parseBlock(GENESIS);
    const genesis: ChainBlock = {
      hash: blockHash(block.header),
      height: 0,
      block,
      medianTime: block.header.time,
      // Consensus: the coins of the first block cannot be spent, so they never become coins.
      spent: [[]],
    };
    this.#blocks.push(genesis);
    this.#byHash.set(genesis.hash, genesis);
    this.#locations.set(txidOf(block.txs[0]!), { block: genesis, index: 0 });
  }

  get tip(): ChainBlock {
    return this.#blocks.at(-1)!;
  }

  get height(): number {
    return this.#blocks.length - 1;
  }

  get medianTime(): number {
    return this.tip.medianTime;
  }

  medianTimeAt = (height: number): number => this.#blocks[height]!.medianTime;

  at(height: number): ChainBlock | undefined {
    return this.#blocks[height];
  }

  find(hash: string): ChainBlock | undefined {
    return this.#byHash.get(hash as BlockHash);
  }

  coin = (outpoint: Outpoint): Coin | undefined => this.#coins.get(outpointKey(outpoint));

  /** How many coins there are. */
  get coinCount(): number {
    return this.#coins.size;
  }

  location(txid: Txid): Location | undefined {
    return this.#locations.get(txid);
  }

  tx(txid: Txid): Tx | undefined {
    const location = this.#locations.get(txid);
    return location?.block.block.txs[location.index];
  }

  spender(outpoint: Outpoint): Spender | undefined {
    return this.#spenders.get(outpointKey(outpoint));
  }

  script(script: ScriptHash): ScriptRecord | undefined {
    return this.#scripts.get(script);
  }

  /** Appends a valid block. */
  connect(block: Block): ChainBlock {
    invariant(block.header.previous === this.tip.hash, 'a block connects to the tip');
    const height = this.height + 1;
    const times = this.#blocks.slice(1 - MEDIAN_SPAN).map((below) => below.block.header.time);
    times.push(block.header.time);
    const added: ChainBlock = {
      hash: blockHash(block.header),
      height,
      block,
      medianTime: times.sort((a, b) => a - b)[times.length >> 1]!,
      spent: block.txs.map((tx, index) => this.#connectTx(tx, height, index === 0)),
    };
    this.#blocks.push(added);
    this.#byHash.set(added.hash, added);
    for (const [index, tx] of block.txs.entries()) this.#locations.set(txidOf(tx), { block: added, index });
    return added;
  }

  /** Takes the tip off again. */
  disconnect(): ChainBlock {
    invariant(this.height > 0, 'the first block stays');
    const removed = this.#blocks.pop()!;
    this.#byHash.delete(removed.hash);
    for (const [i, tx] of [...removed.block.txs.entries()].reverse()) this.#disconnectTx(tx, removed.spent[i]!);
    return removed;
  }

  #connectTx(tx: Tx, height: number, isCoinbase: boolean): readonly Coin[] {
    const txid = txidOf(tx);
    const spent = isCoinbase ? [] : tx.inputs.map((input, vin) => this.#spend(input.prevout, { txid, vin }));
    for (const [vout, output] of tx.outputs.entries()) {
      if (isUnspendable(output)) continue;
      const { value, script } = output;
      this.#coins.set(outpointKey({ txid, vout }), { value, script, height, isCoinbase });
    }
    this.#scripts.connect(tx, spent);
    return spent;
  }

  #spend(prevout: Outpoint, by: Spender): Coin {
    const key = outpointKey(prevout);
    const coin = this.#coins.get(key);
    invariant(coin, `a connected block spends what exists: ${key}`);
    this.#coins.delete(key);
    this.#spenders.set(key, by);
    return coin;
  }

  #disconnectTx(tx: Tx, spent: readonly Coin[]): void {
    const txid = txidOf(tx);
    this.#scripts.disconnect(tx, spent);
    for (let vout = 0; vout < tx.outputs.length; vout++) this.#coins.delete(outpointKey({ txid, vout }));
    for (const [i, coin] of spent.entries()) {
      const key = outpointKey(tx.inputs[i]!.prevout);
      this.#coins.set(key, coin);
      this.#spenders.delete(key);
    }
    this.#locations.delete(txid);
  }
}

/** Every block that the node has, on the active chain or off it, by its hash. */
import { type Block, type BlockHash, blockHash } from '../../../bitcoin/block.ts';
import { workOf } from '../../../bitcoin/proof-of-work.ts';
import type { ChainBlock } from '../ledger.ts';
import type { RegtestNode } from '../node.ts';
import { MEDIAN_SPAN } from '../params.ts';
import { TxRejection } from '../rejection.ts';

export interface IndexedBlock extends Omit<ChainBlock, 'spent'> {
  /** Known of the active chain only. */
  readonly spent?: ChainBlock['spent'];
}

export interface ChainTip {
  readonly height: number;
  readonly hash: BlockHash;
  /** Blocks up to here that are not on the active chain. */
  readonly branchLength: number;
  /** Headers are all that was looked at of a block that has never been on the active chain. */
  readonly status: 'active' | 'valid-fork' | 'valid-headers' | 'invalid';
}

export class BlockIndex {
  readonly #node: RegtestNode;
  /** Taken off by request, to stay off until they are asked for again. */
  readonly #invalid = new Map<BlockHash, Block>();

  constructor(node: RegtestNode) {
    this.#node = node;
  }

  #offChain(hash: string): Block | undefined {
    return this.#node.branches.get(hash as BlockHash) ?? this.#invalid.get(hash as BlockHash);
  }

  find(hash: string): IndexedBlock | undefined {
    const active = this.#node.ledger.find(hash);
    if (active) return active;
    const block = this.#offChain(hash);
    const parent = block && this.find(block.header.previous);
    if (!parent) return undefined;
    const height = parent.height + 1;
    return { block, height, hash: hash as BlockHash, medianTime: this.#medianTime(block) };
  }

  isActive(block: IndexedBlock): boolean {
    return this.#node.ledger.at(block.height)?.hash === block.hash;
  }

  /** How deep in the active chain, its tip counting as 1; -1 off the chain. */
  confirmations(block: IndexedBlock): number {
    return this.isActive(block) ? this.#node.ledger.height - block.height + 1 : -1;
  }

  /** Hashes expected for the chain up to this block. */
  work(block: IndexedBlock): bigint {
    // Regtest has one target for all blocks.
    return workOf(block.block.header.bits) * BigInt(block.height + 1);
  }

  tips(): readonly ChainTip[] {
    const { ledger, branches } = this.#node;
    const off = [...branches.values(), ...this.#invalid.values()];
    const inner = new Set(off.map((block) => block.header.previous));
    const others = off
      .map((block) => this.find(blockHash(block.header)))
      .filter((block) => block !== undefined)
      .filter(({ hash }) => !inner.has(hash))
      .map(
        (block): ChainTip => ({
          height: block.height,
          hash: block.hash,
          branchLength: this.#branchLength(block),
          status: this.#statusOf(block),
        }),
      );
    const active: ChainTip = { height: ledger.height, hash: ledger.tip.hash, branchLength: 0, status: 'active' };
    return [active, ...others].sort((a, b) => b.height - a.height);
  }

  #statusOf({ hash, block }: IndexedBlock): ChainTip['status'] {
    if (this.#invalid.has(hash)) return 'invalid';
    return this.#node.wasActive(block) ? 'valid-fork' : 'valid-headers';
  }

  /** Takes a block of the active chain off, and all above it; the longest other branch takes over. */
  invalidate(block: IndexedBlock): void {
    const { ledger } = this.#node;
    for (let height = block.height; height <= ledger.height; height++) {
      const gone = ledger.at(height)!;
      this.#invalid.set(gone.hash, gone.block);
    }
    this.#node.disconnect(ledger.height - block.height + 1);
    for (const tip of this.tips()) {
      if (tip.height <= ledger.height) return;
      if (tip.status !== 'invalid' && this.#tryBranch(tip.hash)) return;
    }
  }

  /** False when the branch turns out invalid or stands on what is. */
  #tryBranch(hash: BlockHash): boolean {
    try {
      return this.#node.activate(this.#node.branches.get(hash)!);
    } catch (error) {
      if (error instanceof TxRejection) return false;
      throw error;
    }
  }

  /** Lets blocks on and under `hash` compete again. */
  reconsider(hash: string): void {
    const returning = [...this.#invalid.keys()]
      .map((invalid) => this.find(invalid)!)
      .filter((block) => this.#isKin(block, hash))
      .sort((a, b) => a.height - b.height);
    for (const block of returning) {
      this.#invalid.delete(block.hash);
      this.#node.submit(block.block);
    }
  }

  /** Is `hash` the block or below it? Whoever brings a block back brings back what it stands on. */
  #isKin(block: IndexedBlock, hash: string): boolean {
    const wanted = this.find(hash)!;
    return this.#descends(block, wanted) || this.#descends(wanted, block);
  }

  #descends(block: IndexedBlock, from: IndexedBlock): boolean {
    let at: IndexedBlock | undefined = block;
    while (at && at.height > from.height) at = this.find(at.block.header.previous);
    return at?.hash === from.hash;
  }

  #branchLength(block: IndexedBlock): number {
    let length = 0;
    let at: IndexedBlock | undefined = block;
    while (at && !this.isActive(at)) {
      length++;
      at = this.find(at.block.header.previous);
    }
    return length;
  }

  /** BIP113. */
  #medianTime(block: Block): number {
    const times: number[] = [];
    let at: Block | undefined = block;
    while (at && times.length < MEDIAN_SPAN) {
      times.push(at.header.time);
      const below: string = at.header.previous;
      at = this.#node.ledger.find(below)?.block ?? this.#offChain(below);
    }
    return times.sort((a, b) => a - b)[times.length >> 1]!;
  }
}

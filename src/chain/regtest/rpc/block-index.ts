/** Every block that the node has, on the active chain or off it, by its hash. */
import { type Block, type BlockHash, blockHash } from '../../../bitcoin/block.ts';
import { workOf } from '../../../bitcoin/proof-of-work.ts';
import type { ChainBlock } from '../ledger.ts';
import type { RegtestNode } from '../node.ts';
import { MEDIAN_SPAN } from '../params.ts';
import { TxRejection } from '../rejection.ts';

export interface IndexedBlock extends Omit<ChainBlock, 'spent'> {
  /** Unknown of blocks on a branch. */
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
  readonly #invalid = new Map<BlockHash, ChainBlock>();

  constructor(node: RegtestNode) {
    this.#node = node;
  }

  find(hash: string): IndexedBlock | undefined {
    const { branches } = this.#node;
    const block = branches.get(hash as BlockHash);
    if (!block) return this.#placed(hash);
    let distance = 1;
    let below = block.header.previous;
    for (let at = branches.get(below); at; at = branches.get(below)) {
      distance++;
      below = at.header.previous;
    }
    const base = this.#placed(below);
    if (!base) return undefined;
    return { block, hash: hash as BlockHash, height: base.height + distance, medianTime: this.#medianTime(block) };
  }

  isActive({ height, hash }: IndexedBlock): boolean {
    return this.#node.ledger.at(height)?.hash === hash;
  }

  isInvalid(hash: BlockHash): boolean {
    return this.#invalid.has(hash);
  }

  /** How deep in the active chain, its tip counting as 1; -1 off the chain. */
  confirmations(block: IndexedBlock): number {
    return this.isActive(block) ? this.#node.ledger.height - block.height + 1 : -1;
  }

  /** Hashes expected for the chain up to this block. */
  work({ block, height }: IndexedBlock): bigint {
    // Regtest has one target for all blocks.
    return workOf(block.header.bits) * BigInt(height + 1);
  }

  /** The highest first. */
  tips(): readonly ChainTip[] {
    const { ledger, branches } = this.#node;
    const off = [...branches.values(), ...[...this.#invalid.values()].map(({ block }) => block)];
    const inner = new Set(off.map((block) => block.header.previous));
    const others = off
      .map(({ header }) => blockHash(header))
      .filter((hash) => !inner.has(hash))
      .map((hash) => this.find(hash))
      .filter((block) => block !== undefined)
      .map((block) => this.#tipOf(block));
    const active: ChainTip = { height: ledger.height, hash: ledger.tip.hash, branchLength: 0, status: 'active' };
    return [active, ...others].sort((a, b) => b.height - a.height);
  }

  /** Takes a block of the active chain off, and all above it; the longest other branch takes over. */
  invalidate(block: IndexedBlock): void {
    const { ledger } = this.#node;
    for (let height = block.height; height <= ledger.height; height++) {
      const gone = ledger.at(height)!;
      this.#invalid.set(gone.hash, gone);
    }
    this.#node.disconnect(ledger.height - block.height + 1);
    for (const tip of this.tips()) {
      if (tip.height <= ledger.height) return;
      if (tip.status !== 'invalid' && this.#tryBranch(tip.hash)) return;
    }
  }

  /** Lets a block compete again, with those it stands on and those that stand on it. */
  reconsider(hash: BlockHash): void {
    const kin = new Set([hash]);
    const upwards = [...this.#invalid.values()].sort((a, b) => a.height - b.height);
    for (const { block, hash } of upwards) if (kin.has(block.header.previous)) kin.add(hash);
    for (let at = this.#invalid.get(hash); at; at = this.#invalid.get(at.block.header.previous)) kin.add(at.hash);
    for (const { block, hash } of upwards) {
      if (!kin.has(hash)) continue;
      this.#invalid.delete(hash);
      this.#node.submit(block);
    }
  }

  /** A block whose height is known: of the active chain, or taken off it. */
  #placed(hash: string): ChainBlock | undefined {
    return this.#node.ledger.find(hash) ?? this.#invalid.get(hash as BlockHash);
  }

  #tipOf(block: IndexedBlock): ChainTip {
    let branchLength = 0;
    for (let at: IndexedBlock | undefined = block; at && !this.isActive(at); branchLength++) {
      at = this.find(at.block.header.previous);
    }
    const isFork = this.#node.wasActive(block.block);
    const status = this.#invalid.has(block.hash) ? 'invalid' : isFork ? 'valid-fork' : 'valid-headers';
    return { height: block.height, hash: block.hash, branchLength, status };
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

  /** BIP113. */
  #medianTime(block: Block): number {
    const times: number[] = [];
    let at: Block | undefined = block;
    while (at && times.length < MEDIAN_SPAN) {
      times.push(at.header.time);
      const below: BlockHash = at.header.previous;
      at = this.#node.branches.get(below) ?? this.#placed(below)?.block;
    }
    return times.sort((a, b) => a - b)[times.length >> 1]!;
  }
}

/**
 * The embedded node: ledger, mempool and journal as one state. Every change is checked first, then written down, then
 * made, then told; a refusal changes nothing.
 */
import { InvariantError, messageOf } from '../../base/errors.ts';
import {
  type Block,
  type BlockHash,
  type BlockHeader,
  blockHash,
  parseBlock,
  serializeBlock,
} from '../../bitcoin/block.ts';
import { type Tx, txidOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { type Acceptance, conflictsOf, restoredEntry, type Terms } from './acceptance.ts';
import { type Admission, admitOne, admitPair, checkPair } from './admission.ts';
import type { BlockStore } from './block-file.ts';
import { checkAlone, checkBits, checkBlock } from './block-rules.ts';
import type { SatsPerKvb } from './fee-rate.ts';
import { decodeEntry, encodeEntry, type JournalEntry } from './journal.ts';
import { type ChainBlock, Ledger } from './ledger.ts';
import { Mempool, type MempoolEntry } from './mempool.ts';
import { MempoolFloor } from './mempool-limit.ts';
import { check, reject, TxRejection } from './rejection.ts';
import type { ScriptRules } from './spending.ts';

/** What happened, in the order it did; each after the state it speaks of is in place. */
export type NodeEvent =
  | { readonly type: 'entered'; readonly entry: MempoolEntry }
  | { readonly type: 'connected'; readonly block: ChainBlock }
  /** `tip` is the block below. */
  | { readonly type: 'disconnected'; readonly block: ChainBlock; readonly tip: ChainBlock };

export interface NodeOptions {
  readonly secp: Secp;
  readonly rules: ScriptRules;
  /** Unix seconds. */
  readonly now: () => number;
  readonly store: BlockStore;
  readonly minRelayRate: SatsPerKvb;
  /** Bytes of an OP_RETURN output that are relayed at most. */
  readonly maxDataScript: number;
  /** Virtual bytes that may wait at most. */
  readonly maxMempoolVsize: number;
  readonly onEvent: (event: NodeEvent) => void;
}

/** A moment of the chain. Its blocks are shared with the chain they were taken from, so it costs little to keep. */
export interface Snapshot {
  readonly blocks: readonly Block[];
  readonly waiting: readonly Tx[];
  readonly shift: number;
}

export class RegtestNode {
  readonly ledger = new Ledger();
  readonly pool = new Mempool();
  readonly #options: NodeOptions;
  readonly #acceptance: Acceptance;
  readonly #floor: MempoolFloor;
  readonly #verified = new WeakSet<Tx>();
  /** Blocks off the active chain that a longer branch may bring back. */
  readonly #branches = new Map<BlockHash, Block>();
  readonly #onceActive = new WeakSet<BlockHeader>();
  #shift = 0;
  #changes = 0;
  /** Events kept back until a reorganization is through. */
  #held: NodeEvent[] | undefined;

  /** Restores what the store holds. Throws on a store that is not from a chain like this. */
  constructor(options: NodeOptions) {
    this.#options = options;
    const { secp, rules, minRelayRate, maxDataScript } = options;
    this.#floor = new MempoolFloor(minRelayRate);
    this.#acceptance = {
      secp,
      rules,
      minRelayRate,
      maxDataScript,
      floorRate: this.#floorRate,
      maxMempoolVsize: options.maxMempoolVsize,
      ledger: this.ledger,
      pool: this.pool,
      now: this.now,
      verified: this.#verified,
    };
    this.#restore();
  }

  /** Unix seconds as blocks are stamped with: the clock, unless the chain is ahead of it. */
  now = (): number => Math.max(this.#options.now() + this.#shift, this.ledger.medianTime);

  /** How often the state has changed since the chain began. */
  get changes(): number {
    return this.#changes;
  }

  /** Seconds that blocks are stamped later than the clock. */
  get shift(): number {
    return this.#shift;
  }

  /** The clock without the shift. */
  get clock(): number {
    return this.#options.now();
  }

  /** Blocks off the active chain that a longer branch may bring back. */
  get branches(): ReadonlyMap<BlockHash, Block> {
    return this.#branches;
  }

  /** True of a block that has been on the active chain. */
  wasActive = ({ header }: Block): boolean => this.#onceActive.has(header);

  get minRelayRate(): SatsPerKvb {
    return this.#options.minRelayRate;
  }

  /** Virtual bytes that may wait at most. */
  get maxMempoolVsize(): number {
    return this.#options.maxMempoolVsize;
  }

  /** What a transaction pays at least to enter: more than for its relay alone while the mempool is or was full. */
  get minEntryRate(): SatsPerKvb {
    const floor = this.#floorRate();
    return floor > this.minRelayRate ? floor : this.minRelayRate;
  }

  #floorRate = (): SatsPerKvb => this.#floor.rateAt(this.now(), this.pool.totals.vsize / this.#options.maxMempoolVsize);

  /** From here on the clock is read `seconds` later than it is. */
  shiftClock(seconds: number): void {
    this.#write({ type: 'shifted', seconds });
    this.#shift = seconds;
  }

  /** Would enter the mempool? Refuses like {@link accept}; changes nothing. */
  tryOne = (tx: Tx): Admission => admitOne(this.#acceptance, tx);

  accept(tx: Tx, terms: Pick<Terms, 'inPackage'> = {}): void {
    this.#admit(admitOne(this.#acceptance, tx, terms));
  }

  /**
   * A parent and its child, the way bitcoind takes them: each on its own if it can, together if the parent needs the
   * child's fee. The parent may have entered when the child is refused.
   */
  acceptPair(parent: Tx, child: Tx): void {
    checkPair(this.#acceptance, parent, child);
    if (!this.pool.has(txidOf(parent)) && !this.ledger.location(txidOf(parent))) {
      try {
        this.accept(parent, { inPackage: true });
      } catch (error) {
        if (!(error instanceof TxRejection && error.isReconsiderable)) throw error;
        this.#admit(admitPair(this.#acceptance, parent, child));
        return;
      }
    }
    this.accept(child, { inPackage: true });
  }

  /** Connects `block` to the tip, or takes its branch once that is the longest. Throws {@link TxRejection}. */
  submit(block: Block): 'connected' | 'reorganized' | 'kept' {
    const hash = blockHash(block.header);
    check(!this.ledger.find(hash) && !this.#branches.has(hash), 'duplicate');
    if (block.header.previous === this.ledger.tip.hash) {
      this.connect(block);
      return 'connected';
    }
    checkAlone(block);
    this.#branchTo(block);
    checkBits(block.header);
    this.#branches.set(hash, block);
    return this.activate(block) ? 'reorganized' : 'kept';
  }

  /** Takes the branch that ends in `block`, if it is longer than the active chain. Throws {@link TxRejection}. */
  activate(block: Block): boolean {
    const branch = this.#branchTo(block);
    const fork = this.ledger.find(branch[0]!.header.previous)!;
    if (fork.height + branch.length <= this.ledger.height) return false;
    this.#reorganize(fork, branch);
    return true;
  }

  /** Connects a block to the tip. Throws {@link TxRejection}. */
  connect(block: Block): ChainBlock {
    const { secp, rules } = this.#options;
    checkBlock({ secp, rules, ledger: this.ledger, now: this.now, verified: this.#verified }, block);
    this.#write({ type: 'connected', raw: serializeBlock(block) });
    const added = this.#connect(block);
    this.#tell({ type: 'connected', block: added });
    return added;
  }

  /** Takes the `count` topmost blocks off; their transactions wait again, as far as they still can. */
  disconnect(count: number): void {
    this.#write({ type: 'disconnected', count });
    for (const event of this.#disconnect(count)) this.#tell(event);
  }

  snapshot(): Snapshot {
    const blocks: Block[] = [];
    for (let height = 1; height <= this.ledger.height; height++) blocks.push(this.ledger.at(height)!.block);
    return { blocks, waiting: [...this.pool.entries()].map(({ tx }) => tx), shift: this.#shift };
  }

  /** Goes back, or over to another branch, to the moment of a snapshot: its blocks, its mempool, its clock's shift. */
  restore({ blocks, waiting, shift }: Snapshot): void {
    const isShared = (height: number): boolean =>
      this.ledger.at(height)?.hash === (blocks[height - 1] && blockHash(blocks[height - 1]!.header));
    let shared = Math.min(blocks.length, this.ledger.height);
    while (shared > 0 && !isShared(shared)) shared--;
    this.#inOneGo(() => {
      this.shiftClock(shift);
      if (this.ledger.height > shared) this.disconnect(this.ledger.height - shared);
      for (const block of blocks.slice(shared)) this.connect(block);
      this.#refillWith(waiting);
    });
  }

  /** Puts `txs`, which waited together before, in place of all that waits. */
  #refillWith(txs: readonly Tx[]): void {
    const gone = [...this.pool.entries()].map(({ txid }) => txid);
    const time = this.now();
    this.#write({ type: 'accepted', time, txs, replaced: gone });
    for (const txid of gone) this.pool.remove(txid);
    for (const tx of txs) {
      const entry = restoredEntry(this.#acceptance, tx, time);
      this.pool.add(entry);
      this.#tell({ type: 'entered', entry });
    }
  }

  /** Holds back what listeners are told until `work` is done, so that nobody can act in the middle of it. */
  #inOneGo(work: () => void): void {
    const events: NodeEvent[] = (this.#held = []);
    try {
      work();
    } finally {
      this.#held = undefined;
      for (const event of events) this.#tell(event);
    }
  }

  close(): void {
    this.#options.store.close();
  }

  #write(entry: JournalEntry): void {
    this.#options.store.append(encodeEntry(entry));
    this.#changes++;
  }

  #tell(event: NodeEvent): void {
    if (this.#held) this.#held.push(event);
    else this.#options.onEvent(event);
  }

  #admit(admission: Admission): void {
    const { entries, replaced, room } = admission;
    this.#write({
      type: 'accepted',
      time: entries[0]!.time,
      txs: entries.map((entry) => entry.tx),
      replaced: [...replaced, ...room.gone].map((entry) => entry.txid),
    });
    if (room.evictedRate !== undefined) this.#floor.raise(room.evictedRate);
    this.#enter(admission);
    for (const entry of entries) this.#tell({ type: 'entered', entry });
  }

  #enter({ entries, replaced, room }: Admission): void {
    for (const entry of [...replaced, ...room.gone]) this.pool.remove(entry.txid);
    for (const entry of entries) this.pool.add(entry);
  }

  #connect(block: Block): ChainBlock {
    const added = this.ledger.connect(block);
    this.#floor.blockConnected(this.now());
    this.#onceActive.add(block.header);
    for (const tx of block.txs) this.pool.remove(txidOf(tx));
    for (const tx of block.txs) {
      for (const gone of this.pool.withDescendants(conflictsOf(this.pool, tx))) this.pool.remove(gone.txid);
    }
    return added;
  }

  #disconnect(count: number): readonly NodeEvent[] {
    const events: NodeEvent[] = [];
    const returning: Tx[] = [];
    for (let i = 0; i < count; i++) {
      const block = this.ledger.disconnect();
      returning.unshift(...block.block.txs.slice(1));
      events.push({ type: 'disconnected', block, tip: this.ledger.tip });
    }
    this.#refill(returning);
    return events;
  }

  /** The mempool after a reorganization: what was in blocks comes first, then all that waited. */
  #refill(returning: readonly Tx[]): void {
    const waiting = [...this.pool.entries()];
    for (const { txid } of waiting) this.pool.remove(txid);
    for (const tx of [...returning, ...waiting.map((entry) => entry.tx)]) {
      try {
        this.#enter(admitOne(this.#acceptance, tx, { returning: true }));
      } catch (error) {
        if (!(error instanceof TxRejection)) throw error;
      }
    }
  }

  /** The blocks from the active chain up to `block`, lowest first. */
  #branchTo(block: Block): Block[] {
    const branch = [block];
    while (!this.ledger.find(branch[0]!.header.previous)) {
      const below = this.#branches.get(branch[0]!.header.previous);
      if (!below) reject('prev-blk-not-found');
      branch.unshift(below);
    }
    return branch;
  }

  /** Takes `branch` in place of what stands on `fork`, or, if it turns out invalid, leaves all as it was. */
  #reorganize(fork: ChainBlock, branch: readonly Block[]): void {
    const old: Block[] = [];
    for (let height = fork.height + 1; height <= this.ledger.height; height++) old.push(this.ledger.at(height)!.block);
    const switchTo = (blocks: readonly Block[]): void => {
      this.disconnect(this.ledger.height - fork.height);
      for (const block of blocks) this.connect(block);
    };
    // Nobody sees the way there, so that nobody can act in the middle of it.
    const events: NodeEvent[] = (this.#held = []);
    try {
      switchTo(branch);
      for (const block of old) this.#branches.set(blockHash(block.header), block);
    } catch (error) {
      switchTo(old);
      events.length = 0;
      throw error;
    } finally {
      for (const block of branch) this.#branches.delete(blockHash(block.header));
      this.#held = undefined;
      for (const event of events) this.#tell(event);
    }
  }

  #restore(): void {
    for (const [i, payload] of this.#options.store.read().entries()) {
      try {
        this.#replay(decodeEntry(payload));
      } catch (error) {
        throw new InvariantError(`the stored chain cannot be continued from entry ${i}: ${messageOf(error)}`);
      }
      this.#changes++;
    }
  }

  /** What we wrote down ourselves was checked before. */
  #replay(entry: JournalEntry): void {
    switch (entry.type) {
      case 'connected':
        this.#connect(parseBlock(entry.raw));
        return;
      case 'disconnected':
        this.#disconnect(entry.count);
        return;
      case 'accepted':
        for (const txid of entry.replaced) this.pool.remove(txid);
        for (const tx of entry.txs) this.pool.add(restoredEntry(this.#acceptance, tx, entry.time));
        return;
      case 'shifted':
        this.#shift = entry.seconds;
    }
  }
}

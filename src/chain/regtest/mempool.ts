/** The transactions waiting for a block, and how they hang together. What may enter is decided elsewhere. */
import { type Outpoint, type OutpointKey, outpointKey, type Txid } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import type { Tx } from '../../bitcoin/tx.ts';
import { type ScriptHash, scriptHashOf } from '../script-hash.ts';
import type { Coin } from './coin.ts';

export interface MempoolEntry {
  readonly txid: Txid;
  readonly tx: Tx;
  /** The outputs spent, one per input. */
  readonly coins: readonly Coin[];
  /** Satoshi. */
  readonly fee: bigint;
  /** Virtual bytes, never less than the signature checks count for. */
  readonly vsize: number;
  readonly weight: number;
  readonly sigopCost: number;
  /** Unix seconds at which it entered. */
  readonly time: number;
  /** Of the tip on which it entered. */
  readonly height: number;
}

interface Node {
  readonly entry: MempoolEntry;
  readonly parents: Set<Node>;
  readonly children: Set<Node>;
}

export interface Totals {
  readonly count: number;
  readonly vsize: number;
  readonly fee: bigint;
}

export class Mempool {
  readonly #nodes = new Map<Txid, Node>();
  readonly #spenders = new Map<OutpointKey, { readonly txid: Txid; readonly vin: number }>();
  readonly #byScript = new Map<ScriptHash, Set<Txid>>();
  #totals: Totals = { count: 0, vsize: 0, fee: 0n };

  get totals(): Totals {
    return this.#totals;
  }

  has(txid: Txid): boolean {
    return this.#nodes.has(txid);
  }

  get(txid: Txid): MempoolEntry | undefined {
    return this.#nodes.get(txid)?.entry;
  }

  /** In the order they entered: parents before children. */
  *entries(): Generator<MempoolEntry> {
    for (const node of this.#nodes.values()) yield node.entry;
  }

  spender(outpoint: Outpoint): { readonly txid: Txid; readonly vin: number } | undefined {
    return this.#spenders.get(outpointKey(outpoint));
  }

  /** Transactions that pay to or spend from a script. */
  touching(script: ScriptHash): Iterable<Txid> {
    return this.#byScript.get(script) ?? [];
  }

  /** Those whose outputs `tx` spends. */
  parentsOf(tx: Tx): MempoolEntry[] {
    return [...this.#parentNodes(tx)].map((node) => node.entry);
  }

  childrenOf(txid: Txid): MempoolEntry[] {
    return [...(this.#nodes.get(txid)?.children ?? [])].map((node) => node.entry);
  }

  /** Everything that `tx` depends on, without itself. */
  ancestorsOf(tx: Tx): Set<MempoolEntry> {
    return this.#closure(this.#parentNodes(tx), (node) => node.parents);
  }

  /** The given transactions with everything that depends on them. */
  withDescendants(txids: Iterable<Txid>): Set<MempoolEntry> {
    const start = [...txids].map((txid) => this.#nodes.get(txid)).filter((node) => node !== undefined);
    return this.#closure(start, (node) => node.children);
  }

  add(entry: MempoolEntry): void {
    invariant(!this.#nodes.has(entry.txid), 'a transaction enters the mempool once');
    const node: Node = { entry, parents: this.#parentNodes(entry.tx), children: new Set() };
    for (const parent of node.parents) parent.children.add(node);
    this.#nodes.set(entry.txid, node);
    for (const [vin, input] of entry.tx.inputs.entries()) {
      const key = outpointKey(input.prevout);
      invariant(!this.#spenders.has(key), 'an output is spent once in the mempool');
      this.#spenders.set(key, { txid: entry.txid, vin });
    }
    for (const script of scriptsOf(entry)) {
      const txids = this.#byScript.get(script);
      if (txids) txids.add(entry.txid);
      else this.#byScript.set(script, new Set([entry.txid]));
    }
    this.#count(entry, 1);
  }

  /** Takes one transaction out and leaves its children, whose parent is then in a block or gone. */
  remove(txid: Txid): void {
    const node = this.#nodes.get(txid);
    if (!node) return;
    for (const parent of node.parents) parent.children.delete(node);
    for (const child of node.children) child.parents.delete(node);
    this.#nodes.delete(txid);
    for (const input of node.entry.tx.inputs) this.#spenders.delete(outpointKey(input.prevout));
    for (const script of scriptsOf(node.entry)) {
      const txids = this.#byScript.get(script);
      txids?.delete(txid);
      if (txids?.size === 0) this.#byScript.delete(script);
    }
    this.#count(node.entry, -1);
  }

  #parentNodes(tx: Tx): Set<Node> {
    const parents = tx.inputs.map((input) => this.#nodes.get(input.prevout.txid));
    return new Set(parents.filter((node) => node !== undefined));
  }

  #closure(start: Iterable<Node>, next: (node: Node) => Iterable<Node>): Set<MempoolEntry> {
    const found = new Set<Node>(start);
    // A set hands out what is added while it is walked.
    for (const node of found) for (const other of next(node)) found.add(other);
    return new Set([...found].map((node) => node.entry));
  }

  #count(entry: MempoolEntry, sign: 1 | -1): void {
    const { count, vsize, fee } = this.#totals;
    this.#totals = {
      count: count + sign,
      vsize: vsize + sign * entry.vsize,
      fee: sign > 0 ? fee + entry.fee : fee - entry.fee,
    };
  }
}

const scriptsOf = ({ tx, coins }: MempoolEntry): Set<ScriptHash> =>
  new Set([...tx.outputs, ...coins].map((output) => scriptHashOf(output.script)));

/**
 * Lays out a tree before its root has a place on chain: amounts and scripts first (they decide the funding output),
 * transactions once the funding outpoint is known.
 */
import type { Outpoint, Txid } from '../base/bytes.ts';
import { sumSats } from '../base/units.ts';
import { ANCHOR, TRUC_VERSION } from '../bitcoin/package.ts';
import { type Tx, type TxOut, txIn, txidOf } from '../bitcoin/tx.ts';
import type { TxGraph, TxNode } from './graph.ts';

export interface PlannedLeaf {
  /** Outputs of the leaf transaction, without its anchor. */
  readonly outputs: readonly TxOut[];
  readonly cosigners: readonly string[];
}

export interface PlannedNode {
  /** The output that funds this node. */
  readonly funding: TxOut;
  readonly cosigners: readonly string[];
  readonly outputs: readonly TxOut[];
  readonly children: readonly PlannedNode[];
}

/** Output script of the party or parties that hold a node's edge. */
export type EdgeScript = (cosigners: readonly string[]) => TxOut['script'];

/** Joins cosigner sets, first occurrence kept; two forms of one x-only key count as one. */
function union(sets: readonly (readonly string[])[]): string[] {
  const byXonly = new Map<string, string>();
  for (const key of sets.flat()) if (!byXonly.has(key.slice(2))) byXonly.set(key.slice(2), key);
  return [...byXonly.values()];
}

/**
 * Groups leaves in chunks of `radix`, level by level; an odd one out moves up a level unpaired.
 * Throws `RangeError` without leaves.
 */
export function planTree(leaves: readonly PlannedLeaf[], radix: number, edgeScript: EdgeScript): PlannedNode {
  if (leaves.length === 0) throw new RangeError('a tree needs a leaf');
  const fund = (outputs: readonly TxOut[], cosigners: readonly string[]): TxOut => ({
    value: sumSats(outputs.map((output) => output.value)),
    script: edgeScript(cosigners),
  });
  let level: PlannedNode[] = leaves.map(({ outputs, cosigners }) => {
    const keys = union([cosigners]);
    return { funding: fund(outputs, keys), cosigners: keys, outputs, children: [] };
  });
  while (level.length > 1) {
    const above: PlannedNode[] = [];
    for (let at = 0; at < level.length; at += radix) {
      const children = level.slice(at, at + radix);
      if (children.length === 1) {
        above.push(children[0]!);
        continue;
      }
      const outputs = children.map((child) => child.funding);
      const cosigners = union(children.map((child) => child.cosigners));
      above.push({ funding: fund(outputs, cosigners), cosigners, outputs, children });
    }
    level = above;
  }
  return level[0]!;
}

const nodeTx = (planned: PlannedNode, outpoint: Outpoint): Tx => ({
  version: TRUC_VERSION,
  inputs: [txIn(outpoint)],
  outputs: [...planned.outputs, ANCHOR],
  locktime: 0,
});

/** The transactions of a planned tree whose root spends `outpoint`. */
export function rootTree(plan: PlannedNode, outpoint: Outpoint): TxGraph {
  const nodes: TxNode[] = [];
  const queue = [{ planned: plan, tx: nodeTx(plan, outpoint) }];
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { planned, tx } = next;
    const txid = txidOf(tx);
    const children: Record<number, Txid> = {};
    planned.children.forEach((child, vout) => {
      const childTx = nodeTx(child, { txid, vout });
      children[vout] = txidOf(childTx);
      queue.push({ planned: child, tx: childTx });
    });
    nodes.push({ txid, tx, prevout: planned.funding, children, cosigners: planned.cosigners });
  }
  return { root: nodes[0]!.txid, nodes };
}

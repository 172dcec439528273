/** Trees of made-up leaves, edges held by nobody in particular. */

import { type Bytes, type Outpoint, type Txid, utf8 } from '../../../src/base/bytes.ts';
import { p2tr } from '../../../src/bitcoin/script.ts';
import type { TxOut } from '../../../src/bitcoin/tx.ts';
import { sha256 } from '../../../src/crypto/hash.ts';
import type { TxGraph } from '../../../src/txgraph/graph.ts';
import { type PlannedLeaf, type PlannedNode, planTree, rootTree } from '../../../src/txgraph/plan.ts';

/** A script that a set of cosigners determines. */
export const edge = (cosigners: readonly string[]): Bytes => p2tr(sha256(utf8([...cosigners].sort().join())));

export const OPERATOR = `02${'0f'.repeat(32)}`;
export const cosigner = (i: number): string => `02${i.toString(16).padStart(64, '0')}`;
export const output = (value: number): TxOut => ({ value: BigInt(value), script: edge([`${value}`]) });

/** `count` leaves of 1,000, 1,001, 1,002 … satoshi. */
export const leavesOf = (count: number): PlannedLeaf[] =>
  Array.from({ length: count }, (_, i) => ({ outputs: [output(1_000 + i)], cosigners: [cosigner(i + 1), OPERATOR] }));

export const FUNDING: Outpoint = { txid: 'ab'.repeat(32) as Txid, vout: 0 };

export function treeOf(count: number, radix = 2): { plan: PlannedNode; graph: TxGraph } {
  const plan = planTree(leavesOf(count), radix, edge);
  return { plan, graph: rootTree(plan, FUNDING) };
}

/**
 * Pre-signed transactions as data: a tree in which every node spends one output of its parent, and the root spends an
 * output on chain. Who may sign an edge is no concern of the graph.
 */
import { equal, type Outpoint, type Txid } from '../base/bytes.ts';
import { sumSats } from '../base/units.ts';
import { checkTx } from '../bitcoin/check-tx.ts';
import { isP2A } from '../bitcoin/script.ts';
import { type Tx, type TxOut, txidOf } from '../bitcoin/tx.ts';

export interface TxNode {
  readonly txid: Txid;
  readonly tx: Tx;
  /** The output that input 0 spends. */
  readonly prevout: TxOut;
  /** Output index → the node spending it. */
  readonly children: Readonly<Record<number, Txid>>;
  /** Compressed keys (hex) whose aggregate may spend `prevout`; empty where one party holds the key. */
  readonly cosigners: readonly string[];
}

export interface TxGraph {
  readonly root: Txid;
  /** Parents before children, siblings left to right. */
  readonly nodes: readonly TxNode[];
}

export const isLeaf = (node: TxNode): boolean => Object.keys(node.children).length === 0;

export const leavesOf = (graph: TxGraph): readonly TxNode[] => graph.nodes.filter(isLeaf);

export const nodesById = (graph: TxGraph): ReadonlyMap<Txid, TxNode> =>
  new Map(graph.nodes.map((node) => [node.txid, node]));

/** Nodes from `txid` up to the root, `txid` first. Empty when the graph has no such node. */
export function pathToRoot(graph: TxGraph, txid: Txid): readonly TxNode[] {
  const byId = nodesById(graph);
  const path: TxNode[] = [];
  for (let node = byId.get(txid); node; node = byId.get(node.tx.inputs[0]!.prevout.txid)) path.push(node);
  return path;
}

export type GraphFlaw =
  | 'EMPTY'
  | 'WRONG_ROOT'
  | 'WRONG_PREVOUT'
  | 'WRONG_TXID'
  /** No block may hold it, whatever it spends: a negative output, say. */
  | 'IMPOSSIBLE_TX'
  | 'NOT_ONE_INPUT'
  | 'VALUE_NOT_CONSERVED'
  | 'BROKEN_LINK'
  | 'UNREACHABLE_NODE'
  | 'NO_ANCHOR';

/**
 * Checks that a graph received from somebody hangs together: rooted at `outpoint` which pays `funding`, each node with
 * one input, values conserved down to the satoshi, exactly one anchor, every link mutual, nothing unreachable.
 * Signatures and output keys are the caller's business. Returns the first flaw found.
 */
export function flawOf(graph: TxGraph, outpoint: Outpoint, funding: TxOut): GraphFlaw | undefined {
  if (graph.nodes.length === 0) return 'EMPTY';
  const byId = nodesById(graph);
  if (byId.size !== graph.nodes.length) return 'UNREACHABLE_NODE';
  const reached = new Set<Txid>();
  const queue: { txid: Txid; from: Outpoint; prevout: TxOut }[] = [
    { txid: graph.root, from: outpoint, prevout: funding },
  ];
  for (let next = queue.pop(); next; next = queue.pop()) {
    const node = byId.get(next.txid);
    if (!node) return next.txid === graph.root ? 'WRONG_ROOT' : 'BROKEN_LINK';
    if (reached.has(node.txid)) return 'BROKEN_LINK';
    reached.add(node.txid);
    const flaw = nodeFlaw(node, next.from, next.prevout);
    if (flaw) return flaw;
    for (const [vout, child] of Object.entries(node.children)) {
      const prevout = node.tx.outputs[Number(vout)];
      if (!prevout) return 'BROKEN_LINK';
      queue.push({ txid: child, from: { txid: node.txid, vout: Number(vout) }, prevout });
    }
  }
  return reached.size === graph.nodes.length ? undefined : 'UNREACHABLE_NODE';
}

function nodeFlaw(node: TxNode, from: Outpoint, prevout: TxOut): GraphFlaw | undefined {
  if (txidOf(node.tx) !== node.txid) return 'WRONG_TXID';
  const [input, ...others] = node.tx.inputs;
  if (!input || others.length > 0) return 'NOT_ONE_INPUT';
  if (checkTx(node.tx)) return 'IMPOSSIBLE_TX';
  if (input.prevout.txid !== from.txid || input.prevout.vout !== from.vout) return 'BROKEN_LINK';
  if (node.prevout.value !== prevout.value || !equal(node.prevout.script, prevout.script)) return 'WRONG_PREVOUT';
  if (sumSats(node.tx.outputs.map((output) => output.value)) !== prevout.value) return 'VALUE_NOT_CONSERVED';
  return node.tx.outputs.filter((output) => isP2A(output.script)).length === 1 ? undefined : 'NO_ANCHOR';
}

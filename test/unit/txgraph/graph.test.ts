import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Txid } from '../../../src/base/bytes.ts';
import { P2A_SCRIPT } from '../../../src/bitcoin/script.ts';
import { type Tx, txIn, txidOf } from '../../../src/bitcoin/tx.ts';
import {
  flawOf,
  type GraphFlaw,
  isLeaf,
  leavesOf,
  nodesById,
  pathToRoot,
  type TxGraph,
  type TxNode,
} from '../../../src/txgraph/graph.ts';
import { FUNDING, treeOf } from './support.ts';

const { graph, plan } = treeOf(5);
const flaw = (changed: TxGraph): GraphFlaw | undefined => flawOf(changed, FUNDING, plan.funding);
const withNode = (index: number, change: (node: TxNode) => TxNode): TxGraph => ({
  ...graph,
  nodes: graph.nodes.map((node, i) => (i === index ? change(node) : node)),
});
/** Another transaction under its own txid; who names the old one finds it no more. */
const withTx = (index: number, change: (tx: Tx) => Tx): TxGraph =>
  withNode(index, (node) => ({ ...node, tx: change(node.tx), txid: txidOf(change(node.tx)) }));
/** The same, and the root is named anew. */
const withRootTx = (change: (tx: Tx) => Tx): TxGraph => {
  const changed = withTx(0, change);
  return { ...changed, root: changed.nodes[0]!.txid };
};
const last = graph.nodes.length - 1;
const nowhere = 'cd'.repeat(32) as Txid;

test('the way from a leaf to the root, and the leaves', () => {
  const leaves = leavesOf(graph);
  assert.equal(leaves.length, 5);
  assert.ok(leaves.every(isLeaf));
  const paths = leaves.map(({ txid }) => pathToRoot(graph, txid).length);
  assert.deepEqual(paths.toSorted(), [2, 4, 4, 4, 4]);
  for (const { txid } of leaves) assert.equal(pathToRoot(graph, txid).at(-1)!.txid, graph.root);
  assert.deepEqual(pathToRoot(graph, nowhere), []);
  assert.equal(nodesById(graph).get(graph.root), graph.nodes[0]);
});

const FLAWS: Readonly<Record<string, [TxGraph, GraphFlaw]>> = {
  'no nodes': [{ root: graph.root, nodes: [] }, 'EMPTY'],
  'a root that is none of the nodes': [{ ...graph, root: nowhere }, 'WRONG_ROOT'],
  'a node missing': [{ ...graph, nodes: graph.nodes.slice(0, last) }, 'BROKEN_LINK'],
  'a node twice': [{ ...graph, nodes: [...graph.nodes, graph.nodes[last]!] }, 'UNREACHABLE_NODE'],
  'a node that nobody links to': [
    withNode(0, (node) => ({ ...node, children: { 0: node.children[0]! } })),
    'UNREACHABLE_NODE',
  ],
  'a txid that is not the transaction’s': [
    withNode(0, (node) => ({ ...node, tx: { ...node.tx, locktime: 1 } })),
    'WRONG_TXID',
  ],
  'a root elsewhere': [withRootTx((tx) => ({ ...tx, inputs: [txIn({ ...FUNDING, vout: 1 })] })), 'BROKEN_LINK'],
  'a second input': [
    withRootTx((tx) => ({ ...tx, inputs: [...tx.inputs, txIn({ txid: nowhere, vout: 0 })] })),
    'NOT_ONE_INPUT',
  ],
  'no input': [withRootTx((tx) => ({ ...tx, inputs: [] })), 'NOT_ONE_INPUT'],
  'another value under the root than the graph says': [
    withNode(0, (node) => ({ ...node, prevout: { ...node.prevout, value: 1n } })),
    'WRONG_PREVOUT',
  ],
  'another script under the root than the graph says': [
    withNode(0, (node) => ({ ...node, prevout: { ...node.prevout, script: P2A_SCRIPT } })),
    'WRONG_PREVOUT',
  ],
  'a satoshi made': [
    withRootTx((tx) => ({
      ...tx,
      outputs: [{ ...tx.outputs[0]!, value: tx.outputs[0]!.value + 1n }, ...tx.outputs.slice(1)],
    })),
    'VALUE_NOT_CONSERVED',
  ],
  'an output below nothing': [
    withRootTx((tx) => {
      const [first, second, ...rest] = tx.outputs;
      const sum = first!.value + second!.value;
      return { ...tx, outputs: [{ ...first!, value: sum + 1n }, { ...second!, value: -1n }, ...rest] };
    }),
    'IMPOSSIBLE_TX',
  ],
  'a satoshi lost': [
    withRootTx((tx) => ({
      ...tx,
      outputs: [{ ...tx.outputs[0]!, value: tx.outputs[0]!.value - 1n }, ...tx.outputs.slice(1)],
    })),
    'VALUE_NOT_CONSERVED',
  ],
  'no anchor': [withRootTx((tx) => ({ ...tx, outputs: tx.outputs.slice(0, -1) })), 'NO_ANCHOR'],
  'two anchors': [withRootTx((tx) => ({ ...tx, outputs: [...tx.outputs, tx.outputs.at(-1)!] })), 'NO_ANCHOR'],
  'a link to an output that is not there': [
    withNode(0, (node) => ({ ...node, children: { ...node.children, 9: node.children[0]! } })),
    'BROKEN_LINK',
  ],
  'two links to one node': [
    withNode(0, (node) => ({ ...node, children: { 0: node.children[0]!, 1: node.children[0]! } })),
    'BROKEN_LINK',
  ],
  'links crossed': [
    withNode(0, (node) => ({ ...node, children: { 0: node.children[1]!, 1: node.children[0]! } })),
    'BROKEN_LINK',
  ],
  'a circle': [withNode(last, (node) => ({ ...node, children: { 0: graph.root } })), 'BROKEN_LINK'],
};

test('a sound graph has no flaw', () => assert.equal(flaw(graph), undefined));

for (const [name, [changed, expected]] of Object.entries(FLAWS)) {
  test(`a graph with ${name} is flawed`, () => assert.equal(flaw(changed), expected));
}

test('the funding output must be the one on chain', () => {
  assert.equal(flawOf(graph, FUNDING, { ...plan.funding, value: plan.funding.value + 1n }), 'WRONG_PREVOUT');
  assert.equal(flawOf(graph, { ...FUNDING, txid: nowhere }, plan.funding), 'BROKEN_LINK');
});

test('a graph ten thousand nodes deep is walked without recursion', () => {
  const nodes: TxNode[] = [];
  let [txid, vout] = [FUNDING.txid, 0];
  const prevout = { value: 1_000n, script: plan.funding.script };
  const anchor = { value: 0n, script: P2A_SCRIPT };
  for (let depth = 0; depth < 10_000; depth++) {
    const tx: Tx = { version: 3, inputs: [txIn({ txid, vout })], outputs: [prevout, anchor], locktime: 0 };
    const id = txidOf(tx);
    nodes.push({ txid: id, tx, prevout, children: {}, cosigners: [] });
    [txid, vout] = [id, 0];
  }
  const linked = nodes.map((node, i) => ({
    ...node,
    children: (nodes[i + 1] ? { 0: nodes[i + 1]!.txid } : {}) as TxNode['children'],
  }));
  const deep = { root: linked[0]!.txid, nodes: linked };
  assert.equal(flawOf(deep, FUNDING, prevout), undefined);
  assert.equal(pathToRoot(deep, linked.at(-1)!.txid).length, 10_000);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sumSats } from '../../../src/base/units.ts';
import { isP2A } from '../../../src/bitcoin/script.ts';
import { txidOf } from '../../../src/bitcoin/tx.ts';
import { flawOf, leavesOf as leafNodesOf } from '../../../src/txgraph/graph.ts';
import { type PlannedNode, planTree, rootTree } from '../../../src/txgraph/plan.ts';
import { cosigner, edge, FUNDING, leavesOf, OPERATOR, output, treeOf } from './support.ts';

/** The tree's shape: a leaf by its amount, a branch as the list of what hangs below it. */
type Shape = number | Shape[];
const shapeOf = (node: PlannedNode): Shape =>
  node.children.length === 0 ? Number(node.funding.value) - 1_000 : node.children.map(shapeOf);

/** Pairs level by level; who is left over moves up alone. */
const BINARY: readonly Shape[] = [
  0,
  [0, 1],
  [[0, 1], 2],
  [
    [0, 1],
    [2, 3],
  ],
  [
    [
      [0, 1],
      [2, 3],
    ],
    4,
  ],
  [
    [
      [0, 1],
      [2, 3],
    ],
    [4, 5],
  ],
  [
    [
      [0, 1],
      [2, 3],
    ],
    [[4, 5], 6],
  ],
  [
    [
      [0, 1],
      [2, 3],
    ],
    [
      [4, 5],
      [6, 7],
    ],
  ],
  [
    [
      [
        [0, 1],
        [2, 3],
      ],
      [
        [4, 5],
        [6, 7],
      ],
    ],
    8,
  ],
];

const QUATERNARY: readonly Shape[] = [
  0,
  [0, 1],
  [0, 1, 2],
  [0, 1, 2, 3],
  [[0, 1, 2, 3], 4],
  [
    [0, 1, 2, 3],
    [4, 5],
  ],
  [
    [0, 1, 2, 3],
    [4, 5, 6],
  ],
  [
    [0, 1, 2, 3],
    [4, 5, 6, 7],
  ],
  [[0, 1, 2, 3], [4, 5, 6, 7], 8],
];

for (const [radix, shapes] of [
  [2, BINARY],
  [4, QUATERNARY],
] as const) {
  test(`trees of one to nine leaves, radix ${radix}`, () => {
    shapes.forEach((shape, i) => {
      assert.deepEqual(shapeOf(treeOf(i + 1, radix).plan), shape);
    });
  });
}

test('a tree without leaves is refused', () => {
  assert.throws(() => planTree([], 2, edge), RangeError);
});

test('a branch is cosigned by all below it, each once whatever the form of its key, the operator too', () => {
  const { plan } = treeOf(3);
  assert.deepEqual(plan.cosigners, [cosigner(1), OPERATOR, cosigner(2), cosigner(3)]);
  const odd = { outputs: [output(5)], cosigners: [`03${cosigner(1).slice(2)}`, OPERATOR] };
  assert.deepEqual(planTree([...leavesOf(1), odd], 2, edge).cosigners, [cosigner(1), OPERATOR]);
  assert.deepEqual(planTree([{ outputs: [output(5)], cosigners: [OPERATOR, OPERATOR] }], 2, edge).cosigners, [
    OPERATOR,
  ]);
});

test('each node is locked to its own cosigners and spends what its parent put there', () => {
  const { graph, plan } = treeOf(5);
  assert.equal(flawOf(graph, FUNDING, plan.funding), undefined);
  for (const node of graph.nodes) {
    assert.deepEqual(node.prevout.script, edge(node.cosigners));
    assert.equal(node.txid, txidOf(node.tx));
    assert.deepEqual([node.tx.version, node.tx.locktime, node.tx.inputs[0]!.sequence], [3, 0, 0xffffffff]);
    assert.deepEqual(node.tx.outputs.map(({ script }) => isP2A(script)).lastIndexOf(true), node.tx.outputs.length - 1);
  }
  assert.equal(graph.nodes[0]!.txid, graph.root);
});

test('any tree keeps every satoshi and every leaf in its order, and names parents before children', () => {
  const amounts = fc.array(fc.array(fc.integer({ min: 330, max: 1_000_000 }), { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 20,
  });
  fc.assert(
    fc.property(amounts, fc.integer({ min: 2, max: 5 }), (lists, radix) => {
      const leaves = lists.map((values, i) => ({
        outputs: values.map(output),
        cosigners: [cosigner(i + 1), OPERATOR],
      }));
      const plan = planTree(leaves, radix, edge);
      const graph = rootTree(plan, FUNDING);
      assert.equal(plan.funding.value, sumSats(lists.flat().map(BigInt)));
      assert.equal(flawOf(graph, FUNDING, plan.funding), undefined);
      const paid = (node: { tx: { outputs: readonly { value: bigint }[] } }) =>
        node.tx.outputs.slice(0, -1).map(({ value }) => Number(value));
      const found = leafNodesOf(graph).map(paid).sort();
      assert.deepEqual(found, [...lists].sort());
      const seen = new Set<string>([FUNDING.txid]);
      for (const node of graph.nodes) {
        assert.ok(seen.has(node.tx.inputs[0]!.prevout.txid));
        seen.add(node.txid);
      }
    }),
    { numRuns: 60 },
  );
});

/** Batch trees against the vector of the protocol notes and against the published SDK's own validation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Transaction, TxTree, type TxTreeNode, validateConnectorsTxGraph, validateVtxoTxGraph } from '@arkade-os/sdk';
import {
  batchAggregator,
  connectorsOf,
  nodePsbt,
  planConnectorTree,
  planVtxoTree,
  rootConnectorTree,
  rootVtxoTree,
  sweepScript,
} from '../../../../src/ark/protocol/batch-tree.ts';
import { cosignersOf, expiryOf } from '../../../../src/ark/protocol/psbt-fields.ts';
import { toHex } from '../../../../src/base/bytes.ts';
import { createPsbt, parsePsbt, psbtBase64, serializePsbt } from '../../../../src/bitcoin/psbt.ts';
import { p2tr } from '../../../../src/bitcoin/script.ts';
import { leafHash } from '../../../../src/bitcoin/taproot.ts';
import { relativeTimelock } from '../../../../src/bitcoin/timelock.ts';
import { type TxOut, txIn, txidOf } from '../../../../src/bitcoin/tx.ts';
import { flawOf, type TxGraph } from '../../../../src/txgraph/graph.ts';
import { flip, forfeit, key, outpoint, secp } from './support.ts';

const EXPIRY = relativeTimelock(20);
const SWEEP = sweepScript(EXPIRY, forfeit.xonly);
const operator = toHex(key(7).compressed);
const cosigner = (i: number): string => toHex(key(100 + i).compressed);

test('the key of a batch node is the one that the SDK computes', () => {
  const client = toHex(key(6).compressed);
  assert.equal(toHex(leafHash(SWEEP)), '1bd28dbc5fa0c8c1cf32c5f9cb992a05b4a75802427bf0896c78b6cf2ff00707');
  const { xonly } = batchAggregator(secp, SWEEP).of([client, operator]);
  assert.equal(toHex(xonly), 'db1c30dc5f21442d2d811bda33ccb47e9b0b09eefc82b0627d45f3ec945ab07a');
  const { internal } = batchAggregator(secp, SWEEP).of([operator, client]);
  assert.equal(toHex(internal), 'da7194e6c6dfcc6725035d4b77648cfbab0147a37fe15688a2d3acbb802ab47b');
});

function batchOf(count: number) {
  const leaves = Array.from({ length: count }, (_, i) => ({
    outputs: [{ value: 1_000n + BigInt(i), script: p2tr(key(200 + i).xonly) }],
    cosigners: [cosigner(i), operator],
  }));
  const vtxos = planVtxoTree(batchAggregator(secp, SWEEP), leaves);
  const connectors = planConnectorTree(count, 330n, p2tr(key(11).xonly));
  const commitment = commitmentTo([vtxos.funding, connectors.funding]);
  const txid = txidOf(commitment.tx);
  return { commitment, vtxos: rootVtxoTree(vtxos, txid), connectors: rootConnectorTree(connectors, txid) };
}

const commitmentTo = (outputs: readonly TxOut[]) =>
  createPsbt({ version: 2, inputs: [txIn(outpoint(1))], outputs, locktime: 0 });

const chunksOf = (graph: TxGraph, expiry?: typeof EXPIRY): TxTreeNode[] =>
  graph.nodes.map((node) => ({
    txid: node.txid,
    tx: psbtBase64(nodePsbt(node, expiry)),
    children: node.children as Record<number, string>,
  }));

for (let count = 1; count <= 9; count++) {
  test(`the SDK accepts both trees of a batch of ${count}, and so do we`, () => {
    const { commitment, vtxos, connectors } = batchOf(count);
    const commitmentTx = Transaction.fromPSBT(serializePsbt(commitment));
    validateVtxoTxGraph(TxTree.create(chunksOf(vtxos, EXPIRY)), commitmentTx, leafHash(SWEEP));
    validateConnectorsTxGraph(psbtBase64(commitment), TxTree.create(chunksOf(connectors)));
    const txid = txidOf(commitment.tx);
    assert.equal(flawOf(vtxos, { txid, vout: 0 }, commitment.tx.outputs[0]!), undefined);
    assert.equal(flawOf(connectors, { txid, vout: 1 }, commitment.tx.outputs[1]!), undefined);
    assert.equal(connectorsOf(connectors).length, count);
    assert.ok(connectorsOf(connectors).every(({ value, outpoint: { vout } }) => value === 330n && vout === 0));
  });
}

test('what the SDK refuses, our check refuses too', () => {
  const { commitment, vtxos } = batchOf(4);
  const txid = txidOf(commitment.tx);
  const commitmentTx = Transaction.fromPSBT(serializePsbt(commitment));
  const sdk = (graph: TxGraph): void =>
    validateVtxoTxGraph(TxTree.create(chunksOf(graph, EXPIRY)), commitmentTx, leafHash(SWEEP));
  const bySdk = (graph: TxGraph): boolean => {
    try {
      sdk(graph);
      return true;
    } catch {
      return false;
    }
  };
  const rooted = (change: (node: TxGraph['nodes'][number]) => TxGraph['nodes'][number]): TxGraph => {
    const root = change(vtxos.nodes[0]!);
    return { root: root.txid, nodes: [root, ...vtxos.nodes.slice(1)] };
  };
  const retx = (node: TxGraph['nodes'][number], tx: TxGraph['nodes'][number]['tx']) => ({
    ...node,
    tx,
    txid: txidOf(tx),
  });
  const forgeries: TxGraph[] = [
    { ...vtxos, nodes: vtxos.nodes.slice(0, -1).concat(vtxos.nodes.at(-1)!, vtxos.nodes.at(-1)!) },
    rooted((node) => retx(node, { ...node.tx, inputs: [txIn(outpoint(9))] })),
    rooted((node) =>
      retx(node, {
        ...node.tx,
        outputs: node.tx.outputs.map((each, i) => (i === 0 ? { ...each, value: each.value + 1n } : each)),
      }),
    ),
    rooted((node) => ({ ...node, children: {} })),
    rooted((node) => ({ ...node, children: { 0: node.children[1]!, 1: node.children[0]! } })),
  ];
  for (const forgery of forgeries) {
    assert.equal(bySdk(forgery), false);
    assert.notEqual(flawOf(forgery, { txid, vout: 0 }, commitment.tx.outputs[0]!), undefined);
  }
  assert.throws(() => validateVtxoTxGraph(TxTree.create(chunksOf(vtxos, EXPIRY)), commitmentTx, flip(leafHash(SWEEP))));
});

test('a node’s PSBT names what it spends, its cosigners in order, when it expires, and its signature', () => {
  const { vtxos, connectors } = batchOf(3);
  for (const node of vtxos.nodes) {
    const signature = new Uint8Array(64).fill(3);
    const [input] = parsePsbt(psbtBase64(nodePsbt(node, EXPIRY, signature))).inputs;
    assert.deepEqual(input!.witnessUtxo, node.prevout);
    assert.deepEqual(cosignersOf(input!).map(toHex), node.cosigners);
    assert.deepEqual(expiryOf(input!), EXPIRY);
    assert.deepEqual(input!.tapKeySig, signature);
  }
  const [bare] = parsePsbt(psbtBase64(nodePsbt(connectors.nodes[0]!))).inputs;
  assert.deepEqual([bare!.tapKeySig, bare!.rest], [undefined, []]);
});

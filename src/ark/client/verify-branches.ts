/** Several leaves of one batch tree that one key cosigns: what a delegate checks before it signs for many owners. */
import { equal } from '../../base/bytes.ts';
import type { Psbt } from '../../bitcoin/psbt.ts';
import { p2tr } from '../../bitcoin/script.ts';
import { sameOutput, type TxOut } from '../../bitcoin/tx.ts';
import { type KeyAggregator, nodesCosignedBy } from '../../txgraph/cosign.ts';
import { leavesOf, pathToRoot, type TxNode } from '../../txgraph/graph.ts';
import { BATCH_OUTPUT } from '../protocol/batch-tree.ts';
import type { ReceivedNode } from './batch-messages.ts';
import { insist, reading } from './errors.ts';
import { checkOperator, rootedGraph } from './verify-batch.ts';

export interface BranchesExpectation {
  readonly commitment: Psbt;
  /** Compressed, hex. */
  readonly cosigner: string;
  /** Cosigner keys of all clients in the batch, as the server names them. */
  readonly clients: readonly string[];
  /** For each leaf everything it pays. */
  readonly leaves: readonly (readonly TxOut[])[];
  /** Of the sweep script that terms and expiry demand. */
  readonly aggregator: KeyAggregator;
}

export interface Branches {
  /** Every node that the key cosigns. There may be others' among them, since anybody may name any cosigner. */
  readonly nodes: readonly TxNode[];
  /** In the order expected. */
  readonly leaves: readonly TxNode[];
}

const paysExactly = ({ tx }: TxNode, outputs: readonly TxOut[]): boolean =>
  tx.outputs.length === outputs.length && outputs.every((output, i) => sameOutput(tx.outputs[i], output));

/** Throws `TREE_FLAWED`, `OWN_LEAF_MISSING`, `HIDDEN_SPEND_PATH` or `COSIGNER_MISSING`, as for a single owner. */
export function verifyBranches(received: readonly ReceivedNode[], expected: BranchesExpectation): Branches {
  const { cosigner } = expected;
  const graph = rootedGraph(received, expected.commitment, BATCH_OUTPUT, 'TREE_FLAWED');
  const claims = new Map(received.map(({ txid, children }) => [txid, Object.keys(children).length]));
  const free = new Set(
    leavesOf(graph).filter(({ txid, cosigners }) => cosigners.includes(cosigner) && !claims.get(txid)),
  );
  const leaves = expected.leaves.map((outputs) => {
    const leaf = [...free].find((candidate) => paysExactly(candidate, outputs));
    insist(leaf, 'OWN_LEAF_MISSING', 'a leaf that was asked for is not in the tree');
    free.delete(leaf);
    return leaf;
  });
  for (const { txid } of leaves) {
    const path = pathToRoot(graph, txid);
    for (const node of path) {
      const { xonly } = reading(() => expected.aggregator.of(node.cosigners));
      const exclusive = equal(node.prevout.script, p2tr(xonly));
      insist(exclusive, 'HIDDEN_SPEND_PATH', `${node.txid} spends more than its cosigners' aggregate`);
    }
    const isOwn = path.every((node) => node.cosigners.includes(cosigner));
    insist(isOwn, 'COSIGNER_MISSING', 'the key does not sign the whole way to its leaf');
    checkOperator(path, expected.clients);
  }
  return { nodes: nodesCosignedBy(graph, cosigner), leaves };
}

/**
 * What a client checks before it lends a signature to a batch. Everything the server sends is a claim: the trees are
 * put together anew from their transactions, and every output on the own way is recomputed.
 */
import { equal, outpointKey, type Txid, toHex } from '../../base/bytes.ts';
import { ANCHOR, TRUC_VERSION } from '../../bitcoin/package.ts';
import { type Psbt, prevoutsOf } from '../../bitcoin/psbt.ts';
import { p2tr } from '../../bitcoin/script.ts';
import type { RelativeTimelock } from '../../bitcoin/timelock.ts';
import { SEQUENCE_FINAL, sameOutput, type TxOut, txidOf } from '../../bitcoin/tx.ts';
import { type KeyAggregator, nodesCosignedBy } from '../../txgraph/cosign.ts';
import { flawOf, isLeaf, leavesOf, pathToRoot, type TxGraph, type TxNode } from '../../txgraph/graph.ts';
import { BATCH_OUTPUT, CONNECTOR_OUTPUT, type Connector, connectorsOf } from '../protocol/batch-tree.ts';
import { cosignersOf } from '../protocol/psbt-fields.ts';
import { compareTimelocks } from '../protocol/vtxo.ts';
import type { Coin } from './account.ts';
import type { ReceivedNode } from './batch-messages.ts';
import { type ClientErrorCode, insist, reading } from './errors.ts';
import type { ServerTerms } from './terms.ts';
import { hasShape, isRelayable } from './verify-spend.ts';

/** A batch is worth entering when it outlives the way out of it. Throws `EXPIRY_TOO_SOON`. */
export function checkExpiry(expiry: RelativeTimelock, terms: ServerTerms): void {
  const outlives = compareTimelocks(expiry, terms.unilateralExitDelay) > 0;
  insist(outlives, 'EXPIRY_TOO_SOON', `the batch expires after ${expiry.value} ${expiry.type}`);
}

/** The nodes received as a graph: a server leaves out what concerns others, so links to unseen nodes do not count. */
function assemble(nodes: readonly ReceivedNode[]): TxGraph {
  const known = new Set<string>(nodes.map(({ txid }) => txid));
  const parentOf = (node: ReceivedNode): Txid | undefined => node.psbt.tx.inputs[0]?.prevout.txid;
  const root = nodes.find((node) => !known.has(parentOf(node) ?? '')) ?? nodes[0];
  return {
    root: root?.txid ?? ('' as Txid),
    nodes: nodes.map(({ txid, psbt, children }) => ({
      txid,
      tx: psbt.tx,
      prevout: psbt.inputs[0]?.witnessUtxo ?? { value: -1n, script: new Uint8Array() },
      children: Object.fromEntries(
        Object.entries(children).filter(([, child]) => known.has(child)),
      ) as TxNode['children'],
      cosigners: psbt.inputs[0] ? cosignersOf(psbt.inputs[0]).map(toHex) : [],
    })),
  };
}

/** True of a transaction that can be broadcast as soon as its parent is. */
const isUnlocked = ({ tx }: TxNode): boolean =>
  tx.version === TRUC_VERSION && tx.locktime === 0 && tx.inputs.every(({ sequence }) => sequence === SEQUENCE_FINAL);

const KEY_PATH_WITNESS = [new Uint8Array(64)];

/** True of a node that can be put on chain once it is signed. */
function canLeaveBy({ tx }: TxNode, dust: bigint): boolean {
  const signed = { ...tx, inputs: tx.inputs.map((input) => ({ ...input, witness: KEY_PATH_WITNESS })) };
  return hasShape(tx) && isRelayable(signed, dust);
}

/** The graph of `nodes`, which hangs below output `vout` of the commitment. Throws `code`. */
export function rootedGraph(
  nodes: readonly ReceivedNode[],
  commitment: Psbt,
  vout: number,
  code: ClientErrorCode,
): TxGraph {
  const graph = assemble(nodes);
  const funding = commitment.tx.outputs[vout];
  const flaw = funding ? flawOf(graph, { txid: txidOf(commitment.tx), vout }, funding) : 'WRONG_ROOT';
  insist(!flaw, code, `the tree is flawed: ${flaw}`, { flaw: `${flaw}` });
  insist(graph.nodes.every(isUnlocked), code, 'a node of the tree is locked', { flaw: 'LOCKED' });
  return graph;
}

export interface TreeExpectation {
  readonly commitment: Psbt;
  /** The owner's cosigner key (compressed hex), used for this intent alone. */
  readonly cosigner: string;
  /** Cosigner keys of all clients in the batch, as the server names them. */
  readonly clients: readonly string[];
  readonly receivers: readonly TxOut[];
  /** The output that says which assets the receivers' VTXOs carry, if any do. */
  readonly packet: TxOut | undefined;
  /** Of the sweep script that terms and expiry demand. */
  readonly aggregator: KeyAggregator;
  /** Satoshi. */
  readonly dust: bigint;
}

/** The way from the chain to the own leaf. */
export interface OwnBranch {
  /** Root first. */
  readonly path: readonly TxNode[];
  readonly leaf: TxNode;
}

const paysFirst = (node: TxNode, receivers: readonly TxOut[]): boolean =>
  receivers.every((receiver, i) => sameOutput(node.tx.outputs[i], receiver));

/**
 * Finds the own leaf and verifies the whole way to it: rooted in output 0 of the commitment, no satoshi lost, each
 * output locked with nothing but the aggregate of its cosigners and the sweep leaf, the owner and one operator among
 * the cosigners. Throws `TREE_FLAWED`, `HIDDEN_SPEND_PATH`, `OWN_LEAF_MISSING`,
 * `LEAF_CHANGED` or `COSIGNER_MISSING`.
 */
export function verifyVtxoTree(nodes: readonly ReceivedNode[], expected: TreeExpectation): OwnBranch {
  const { cosigner, receivers } = expected;
  const graph = rootedGraph(nodes, expected.commitment, BATCH_OUTPUT, 'TREE_FLAWED');
  const leaves = leavesOf(graph).filter((node) => node.cosigners.includes(cosigner) && paysFirst(node, receivers));
  const [leaf, ...others] = leaves;
  insist(leaf && others.length === 0, 'OWN_LEAF_MISSING', `${leaves.length} leaves pay what was asked for`);
  const asOrdered = [...receivers, ...(expected.packet ? [expected.packet] : []), ANCHOR];
  const { outputs } = leaf.tx;
  const isSame = outputs.length === asOrdered.length && asOrdered.every((output, i) => sameOutput(outputs[i], output));
  insist(isSame, 'LEAF_CHANGED', 'the own leaf has other outputs besides the receivers’');
  const claimed = nodes.find(({ txid }) => txid === leaf.txid)!.children;
  insist(Object.keys(claimed).length === 0, 'OWN_LEAF_MISSING', 'the own leaf is said to be spent');

  const path = pathToRoot(graph, leaf.txid).toReversed();
  for (const node of path) {
    insist(canLeaveBy(node, expected.dust), 'TREE_FLAWED', 'nodes would not relay it', { flaw: 'NOT_RELAYABLE' });
    const { xonly } = reading(() => expected.aggregator.of(node.cosigners));
    const exclusive = equal(node.prevout.script, p2tr(xonly));
    insist(exclusive, 'HIDDEN_SPEND_PATH', `${node.txid} spends more than its cosigners' aggregate`);
  }
  const isMine = path.every((node) => node.cosigners.includes(cosigner));
  const onlyMine = nodesCosignedBy(graph, cosigner).length === path.length;
  insist(isMine && onlyMine, 'COSIGNER_MISSING', 'the own key signs the way to the own leaf and nothing else');
  checkOperator(path, expected.clients);
  return { path, leaf };
}

/** Besides clients, one key cosigns every node: whoever runs the batch signs the whole way or none of it. */
export function checkOperator(path: readonly TxNode[], clients: readonly string[]): void {
  const xonly = new Set(clients.map((key) => key.slice(2)));
  const foreign = path.map(({ cosigners }) => cosigners.filter((key) => !xonly.has(key.slice(2))));
  const operator = foreign[0]?.[0];
  const same = foreign.every((keys) => keys.length === 1 && keys[0] === operator);
  insist(operator && same, 'COSIGNER_MISSING', 'there is not one operator in every node');
}

/**
 * Connectors that exist only if this very commitment confirms, at least `count` of them, each `dust` satoshi in output
 * 0 of its leaf. Throws `CONNECTORS_FLAWED` or `CONNECTOR_MISSING`.
 */
export function verifyConnectors(
  nodes: readonly ReceivedNode[],
  commitment: Psbt,
  count: number,
  dust: bigint,
): readonly Connector[] {
  const graph = rootedGraph(nodes, commitment, CONNECTOR_OUTPUT, 'CONNECTORS_FLAWED');
  const ends = graph.nodes.filter(isLeaf);
  const complete = nodes.every(({ txid, children }) => {
    const isEnd = ends.some((end) => end.txid === txid);
    return !isEnd || Object.keys(children).length === 0;
  });
  const connectors = connectorsOf(graph);
  const right = connectors.every(({ value }) => value === dust);
  insist(complete && right, 'CONNECTORS_FLAWED', 'a connector is no output of dust', { flaw: 'WRONG_LEAF' });
  insist(connectors.length >= count, 'CONNECTOR_MISSING', `${connectors.length} connectors for ${count} VTXOs`);
  return connectors;
}

/**
 * The commitment must spend the boarding coins as they are, name what its inputs spend, and pay each on-chain receiver
 * an output of its own. Throws `COMMITMENT_INVALID`.
 */
export function verifyCommitment(commitment: Psbt, boardings: readonly Coin[], onchain: readonly TxOut[]): void {
  const { tx, inputs } = commitment;
  insist(prevoutsOf(commitment), 'COMMITMENT_INVALID', 'an input does not name what it spends');
  for (const { outpoint, amount, script } of boardings) {
    const index = tx.inputs.findIndex(({ prevout }) => outpointKey(prevout) === outpointKey(outpoint));
    const spent = inputs[index]?.witnessUtxo;
    insist(sameOutput(spent, { value: amount, script }), 'COMMITMENT_INVALID', 'a boarding coin is not spent as it is');
  }
  const left = [...tx.outputs];
  for (const receiver of onchain) {
    const at = left.findIndex((output) => sameOutput(output, receiver));
    insist(at >= 0, 'COMMITMENT_INVALID', 'an on-chain receiver goes unpaid');
    left.splice(at, 1);
  }
}

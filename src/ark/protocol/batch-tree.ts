/** The two trees under a commitment transaction: VTXOs under output 0, connectors under output 1. */
import { type Bytes, fromHex, type Outpoint, type Txid } from '../../base/bytes.ts';
import { encodeClosure } from '../../bitcoin/closure.ts';
import { ANCHOR, TRUC_VERSION } from '../../bitcoin/package.ts';
import { createPsbt, EMPTY_INPUT, type Psbt } from '../../bitcoin/psbt.ts';
import { p2tr } from '../../bitcoin/script.ts';
import { leafHash } from '../../bitcoin/taproot.ts';
import type { RelativeTimelock } from '../../bitcoin/timelock.ts';
import { NULL_TXID, type TxOut, txIn, weightOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { type KeyAggregator, keyAggregator } from '../../txgraph/cosign.ts';
import type { TxGraph, TxNode } from '../../txgraph/graph.ts';
import { type PlannedLeaf, type PlannedNode, planTree, rootTree } from '../../txgraph/plan.ts';
import { cosignerPairs, expiryPair } from './psbt-fields.ts';

export const VTXO_TREE_RADIX = 2;
export const CONNECTOR_TREE_RADIX = 4;
/** Output of the commitment transaction that funds each tree. */
export const BATCH_OUTPUT = 0;
export const CONNECTOR_OUTPUT = 1;

/** `<expiry> CSV DROP <forfeit key> CHECKSIG`: how the server takes back what is left of an expired batch. */
export const sweepScript = (expiry: RelativeTimelock, forfeitKey: Bytes): Bytes =>
  encodeClosure({ kind: 'csv', timelock: expiry, keys: [forfeitKey], form: 'checksig' });

/** Aggregates cosigners into batch keys: MuSig2, tweaked with the sweep leaf as the only leaf. */
export const batchAggregator = (secp: Secp, sweep: Bytes): KeyAggregator => keyAggregator(secp, leafHash(sweep));

/** One leaf an intent: its off-chain receivers, signed by its cosigners and (last) the operator. */
export const planVtxoTree = (aggregator: KeyAggregator, leaves: readonly PlannedLeaf[]): PlannedNode =>
  planTree(leaves, VTXO_TREE_RADIX, (cosigners) => p2tr(aggregator.of(cosigners).xonly));

/** `count` connectors of `dust` satoshi each, all to the server's connector script. */
export function planConnectorTree(count: number, dust: bigint, connectorScript: Bytes): PlannedNode {
  const leaf: PlannedLeaf = { outputs: [{ value: dust, script: connectorScript }], cosigners: [] };
  return planTree(Array<PlannedLeaf>(count).fill(leaf), CONNECTOR_TREE_RADIX, () => connectorScript);
}

/** BIP431: nodes relay no heavier version 3 transaction. In weight units. */
export const MAX_LEAF_WEIGHT = 40_000;

/** What a signed leaf with these outputs weighs. */
export const leafWeight = (outputs: readonly TxOut[]): number =>
  weightOf({
    version: TRUC_VERSION,
    inputs: [{ ...txIn({ txid: NULL_TXID, vout: 0 }), witness: [new Uint8Array(64)] }],
    outputs: [...outputs, ANCHOR],
    locktime: 0,
  });

export const rootVtxoTree = (plan: PlannedNode, commitment: Txid): TxGraph =>
  rootTree(plan, { txid: commitment, vout: BATCH_OUTPUT });

export const rootConnectorTree = (plan: PlannedNode, commitment: Txid): TxGraph =>
  rootTree(plan, { txid: commitment, vout: CONNECTOR_OUTPUT });

/** A node as its clients want it: the output spent, who cosigns, when it expires, and the signature once there is one. */
export function nodePsbt(node: TxNode, expiry?: RelativeTimelock, signature?: Bytes): Psbt {
  const rest = expiry ? [...cosignerPairs(node.cosigners.map(fromHex)), expiryPair(expiry)] : [];
  const input = { ...EMPTY_INPUT, witnessUtxo: node.prevout, rest, ...(signature ? { tapKeySig: signature } : {}) };
  return createPsbt(node.tx, [input]);
}

/** A connector output ready to be named in a forfeit. */
export interface Connector extends TxOut {
  readonly outpoint: Outpoint;
}

export const connectorsOf = (graph: TxGraph): readonly Connector[] =>
  graph.nodes
    .filter((node) => Object.keys(node.children).length === 0)
    .map((node) => ({ outpoint: { txid: node.txid, vout: 0 }, ...node.tx.outputs[0]! }));

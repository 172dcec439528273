/**
 * A VTXO with all its ancestors, as a server would tell of them: a batch of two leaves, two payments, everything signed.
 * Each step can be forged, and everything after it is built and signed upon the forgery.
 */
import { type Account, coinOf, createAccount } from '../../../../src/ark/client/account.ts';
import {
  batchAggregator,
  nodePsbt,
  planVtxoTree,
  rootVtxoTree,
  sweepScript,
} from '../../../../src/ark/protocol/batch-tree.ts';
import { leafOfVtxo, signLeaves } from '../../../../src/ark/protocol/leaf-spend.ts';
import { buildArkTx, buildCheckpoint } from '../../../../src/ark/protocol/offchain.ts';
import { type VtxoScript, vtxoScript } from '../../../../src/ark/protocol/vtxo.ts';
import { type Bytes, fromHex, type Outpoint, type Txid, toHex } from '../../../../src/base/bytes.ts';
import type { Psbt } from '../../../../src/bitcoin/psbt.ts';
import { p2tr } from '../../../../src/bitcoin/script.ts';
import { type Tx, type TxOut, txIn, txidOf } from '../../../../src/bitcoin/tx.ts';
import { combine, type KeyAggregator, openSession } from '../../../../src/txgraph/cosign.ts';
import type { TxGraph, TxNode } from '../../../../src/txgraph/graph.ts';
import type { PlannedLeaf } from '../../../../src/txgraph/plan.ts';
import { AUX, checkpointTapscript, forfeit, key, outpoint, secp, signer } from '../protocol/support.ts';
import { client, EXPIRY } from './support.ts';

const OPERATOR = key(7);
export const COSIGNER = key(12);
const NEIGHBOUR = key(13);
const COSIGNERS = [OPERATOR, COSIGNER, NEIGHBOUR, key(14)];
/** Compressed, in hex. */
export const cosigner: string = toHex(COSIGNER.compressed);
export const extra: string = toHex(key(14).compressed);

export const alice: Account = createAccount(secp, client.terms, key(1).secret);
export const bob: Account = createAccount(secp, client.terms, key(5).secret);
export const carol: Account = createAccount(secp, client.terms, key(6).secret);
export const AMOUNT = 50_000n;

type Change<T> = (honest: T) => T;

export interface Forgery {
  /** The script that Alice's VTXO really has. */
  readonly aliceScript?: VtxoScript;
  /** Which of its leaves Alice pays by. */
  readonly spendingLeaf?: Bytes;
  readonly leaves?: Change<readonly PlannedLeaf[]>;
  /** The sweep script that the tree's keys are tweaked with. */
  readonly sweep?: Bytes;
  readonly commitment?: Change<readonly TxOut[]>;
  readonly graph?: Change<TxGraph>;
  readonly node?: (psbt: Psbt, node: TxNode) => Psbt;
  readonly checkpointTapscript?: Bytes;
  /** Before they are signed; `hop` is 1 or 2. */
  readonly checkpoint?: (psbt: Psbt, hop: number) => Psbt;
  readonly arkOutputs?: (outputs: readonly TxOut[], hop: number) => readonly TxOut[];
  readonly arkTx?: (psbt: Psbt, hop: number) => Psbt;
  /** What is handed out in the end. */
  readonly psbts?: (psbts: Map<Txid, Psbt>, made: Made) => void;
}

export interface Made {
  readonly commitment: Tx;
  readonly graph: TxGraph;
  /** The leaf that holds Alice's VTXO. */
  readonly leaf: Outpoint;
  readonly checkpoints: readonly Psbt[];
  readonly arkTxs: readonly Psbt[];
  /** Carol's VTXO, after two payments. */
  readonly outpoint: Outpoint;
  readonly psbts: Map<Txid, Psbt>;
}

/** All cosigners of a node sign it, whoever they are. */
function cosign(aggregator: KeyAggregator, node: TxNode): Bytes {
  const own = node.cosigners.map((id) => COSIGNERS.find(({ compressed }) => toHex(compressed) === id)!);
  const nonces = own.map(({ compressed, secret }) => secp.musigNonce(nextRandom(), compressed, secret));
  const byKey = <T>(items: readonly T[]) => Object.fromEntries(node.cosigners.map((id, i) => [id, items[i]!]));
  const open = openSession(secp, aggregator, node, byKey(nonces.map((nonce) => nonce.public)));
  const partials = own.map(({ secret }, i) => secp.musigSign(open.session, open.keys, nonces[i]!, secret));
  return combine(secp, open, byKey(partials));
}

let drawn = 0;
function nextRandom(): Bytes {
  const random = new Uint8Array(32);
  new DataView(random.buffer).setUint32(0, ++drawn);
  return random;
}

/** Signed by everybody whose key a leaf asks for, strangers aside. */
export const signAll = (psbt: Psbt): Psbt =>
  [alice, bob, carol]
    .map(({ secret }) => secret)
    .concat(signer.secret, forfeit.secret)
    .reduce((signed, secret) => signLeaves(secp, signed, secret, AUX), psbt);

export function forge(forgery: Forgery = {}): Made {
  const aliceScript = forgery.aliceScript ?? alice.vtxo;
  const operator = toHex(OPERATOR.compressed);
  const honest: PlannedLeaf[] = [
    {
      outputs: [{ value: AMOUNT, script: aliceScript.script }],
      cosigners: [cosigner, operator],
    },
    {
      outputs: [{ value: 7_000n, script: p2tr(NEIGHBOUR.xonly) }],
      cosigners: [toHex(NEIGHBOUR.compressed), operator],
    },
  ];
  const aggregator = batchAggregator(secp, forgery.sweep ?? sweepScript(EXPIRY, forfeit.xonly));
  const plan = planVtxoTree(aggregator, forgery.leaves?.(honest) ?? honest);
  const outputs = forgery.commitment?.([plan.funding]) ?? [plan.funding];
  const commitment: Tx = { version: 2, inputs: [txIn(outpoint(40))], outputs, locktime: 0 };
  const built = rootVtxoTree(plan, txidOf(commitment));
  const graph = forgery.graph?.(built) ?? built;
  const psbts = new Map<Txid, Psbt>();
  for (const node of graph.nodes) {
    const psbt = nodePsbt(node, EXPIRY, cosign(aggregator, node));
    psbts.set(node.txid, forgery.node?.(psbt, node) ?? psbt);
  }

  const leaf = { txid: graph.nodes.find((node) => node.cosigners.includes(cosigner) && leafless(node))!.txid, vout: 0 };
  const made = { checkpoints: [] as Psbt[], arkTxs: [] as Psbt[] };
  const first = hop(1, leaf, aliceScript, forgery.spendingLeaf ?? aliceScript.scripts[0]!, bob);
  const second = hop(2, first, bob.vtxo, bob.vtxo.scripts[0]!, carol);
  const all = { commitment, graph, leaf, outpoint: second, psbts, ...made };
  forgery.psbts?.(psbts, all);
  return all;

  function hop(number: number, from: Outpoint, vtxo: VtxoScript, spending: Bytes, to: Account): Outpoint {
    const input = { outpoint: from, value: AMOUNT, vtxo, leaf: leafOfVtxo(vtxo, spending)! };
    const { psbt, output } = buildCheckpoint(secp, forgery.checkpointTapscript ?? checkpointTapscript, input);
    const moved = forgery.checkpoint?.(psbt, number) ?? psbt;
    const checkpoint = signAll(moved);
    const paid = [{ value: AMOUNT, script: to.vtxo.script }];
    const spent = { ...output, outpoint: { txid: txidOf(moved.tx), vout: 0 } };
    const unsigned = buildArkTx([spent], forgery.arkOutputs?.(paid, number) ?? paid);
    const arkTx = signAll(forgery.arkTx?.(unsigned, number) ?? unsigned);
    made.checkpoints.push(checkpoint);
    made.arkTxs.push(arkTx);
    for (const each of [checkpoint, arkTx]) psbts.set(txidOf(each.tx), each);
    return { txid: txidOf(arkTx.tx), vout: 0 };
  }
}

const leafless = (node: TxNode): boolean => Object.keys(node.children).length === 0;

/** A node's transaction changed, its descendants hung below it anew. */
export function withNodeTx(graph: TxGraph, index: number, change: (tx: Tx) => Tx): TxGraph {
  const moved = new Map<Txid, Txid>();
  const nodes = graph.nodes.map((node, i): TxNode => {
    const inputs = node.tx.inputs.map((input) => ({
      ...input,
      prevout: { ...input.prevout, txid: moved.get(input.prevout.txid) ?? input.prevout.txid },
    }));
    const hung = { ...node.tx, inputs };
    const tx = i === index ? change(hung) : hung;
    moved.set(node.txid, txidOf(tx));
    return { ...node, tx, txid: txidOf(tx) };
  });
  return { root: nodes[0]!.txid, nodes };
}

export const scriptOf = (...scripts: readonly Bytes[]): VtxoScript => vtxoScript(secp, scripts);
export const hex = fromHex;
export { coinOf };

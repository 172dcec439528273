/** A batch between one honest client and a server made of parts, whose messages a test may change on their way. */
import { type Account, type Coin, coinOf, createAccount } from '../../../../src/ark/client/account.ts';
import { leafPacketOutput } from '../../../../src/ark/client/batch-order.ts';
import { type BatchOrder, type BatchSession, createBatchSession } from '../../../../src/ark/client/batch-session.ts';
import { type ArkClient, createAggregators } from '../../../../src/ark/client/client.ts';
import type { Call } from '../../../../src/ark/client/transport.ts';
import { createCosignerKey } from '../../../../src/ark/client/tree-cosigning.ts';
import {
  batchAggregator,
  nodePsbt,
  planConnectorTree,
  planVtxoTree,
  rootConnectorTree,
  rootVtxoTree,
  sweepScript,
} from '../../../../src/ark/protocol/batch-tree.ts';
import * as wire from '../../../../src/ark/wire/batch-events.ts';
import { fromHex, type Txid, toHex } from '../../../../src/base/bytes.ts';
import { sats } from '../../../../src/base/units.ts';
import { createPsbt, EMPTY_INPUT, type Psbt } from '../../../../src/bitcoin/psbt.ts';
import { p2tr, p2wpkh } from '../../../../src/bitcoin/script.ts';
import { relativeTimelock } from '../../../../src/bitcoin/timelock.ts';
import { type TxOut, txIn, txidOf } from '../../../../src/bitcoin/tx.ts';
import { createManualEntropy } from '../../../../src/runtime/entropy.ts';
import { createSigner } from '../../../../src/runtime/signer.ts';
import { type ByCosigner, combine, openSession } from '../../../../src/txgraph/cosign.ts';
import type { TxGraph } from '../../../../src/txgraph/graph.ts';
import type { PlannedLeaf } from '../../../../src/txgraph/plan.ts';
import { checkpointTapscript, exitDelay, forfeit, key, outpoint, secp, signer } from '../protocol/support.ts';

export const EXPIRY = relativeTimelock(144);
export const DUST = 330n;
const OPERATOR = key(7);
const NEIGHBOUR = key(8);
const BATCH_ID = 'batch';
const INTENT_ID = 'intent';

const { bytes: random } = createManualEntropy('client');
const aggregators = createAggregators(secp);

export const client: ArkClient = {
  secp,
  random,
  aggregators,
  transport: { call: async () => ({}), open: () => Promise.reject(new Error('no network here')) },
  terms: {
    network: 'regtest',
    digest: 'digest',
    signer: signer.xonly,
    signers: [signer.xonly],
    forfeitKey: forfeit.xonly,
    forfeitScript: p2wpkh(new Uint8Array(20).fill(9)),
    checkpointTapscript,
    unilateralExitDelay: exitDelay,
    boardingExitDelay: relativeTimelock(40),
    dust: sats(DUST),
  },
};

export const account: Account = createAccount(secp, client.terms, key(1).secret);
export const vtxoCoin: Coin = coinOf(account, 'vtxo', outpoint(1), 50_000n);
export const boardingCoin: Coin = coinOf(account, 'boarding', outpoint(2), 20_000n);
export const mine = (value: bigint): TxOut => ({ value, script: account.vtxo.script });

/** A bit of everything: a forfeit and a boarding signature owed, two VTXOs and an on-chain output to come. */
export const ORDER: BatchOrder = {
  coins: [vtxoCoin, boardingCoin],
  receivers: [mine(60_000n), mine(9_000n)],
  onchain: [{ value: 1_000n, script: account.boarding.script }],
};

// biome-ignore lint/suspicious/noExplicitAny: messages of the wire, forged at will.
export type Message = any;

/** What a lying server does otherwise. Each takes what an honest one would use and returns what it uses instead. */
export interface Lie {
  readonly expiry?: number;
  /** Leaves of the tree, the client's first. */
  readonly leaves?: (leaves: PlannedLeaf[]) => PlannedLeaf[];
  /** The sweep script that the tree's keys are really tweaked with. */
  readonly sweep?: Uint8Array;
  readonly vtxoGraph?: (graph: TxGraph) => TxGraph;
  readonly connectorGraph?: (graph: TxGraph) => TxGraph;
  readonly connectors?: { readonly count?: number; readonly dust?: bigint };
  readonly commitment?: (outputs: TxOut[]) => TxOut[];
  readonly finalCommitment?: (psbt: Psbt) => Psbt;
  readonly announcedTxid?: string;
  readonly messages?: (messages: Message[], phase: Phase) => Message[];
}

export type Phase = 'start' | 'tree' | 'nonces' | 'signatures' | 'debts' | 'end';

export interface Run {
  readonly session: BatchSession;
  readonly calls: readonly Call[];
}

/** Plays a whole batch with a neighbour in it. Returns the calls the client made; throws where the client does. */
export function play(order: BatchOrder, lie: Lie = {}, onCall: (call: Call) => void = () => {}): Run {
  const cosigner = createCosignerKey(secp, random);
  const session = createBatchSession({ client, account, order, intentId: INTENT_ID, cosigner });
  const calls: Call[] = [];
  const tell = (phase: Phase, messages: Message[]): void => {
    for (const message of lie.messages ? lie.messages(messages, phase) : messages) {
      for (const call of session.receive(message)) {
        calls.push(call);
        onCall(call);
      }
    }
  };
  const body = (path: string): Message => calls.findLast(({ route }) => route.path.endsWith(path))?.body;
  const operator = toHex(OPERATOR.compressed);
  const neighbour = toHex(NEIGHBOUR.compressed);

  tell('start', [wire.batchStarted(BATCH_ID, [INTENT_ID], lie.expiry ?? EXPIRY.value)]);

  const packet = leafPacketOutput(order, cosigner.id);
  const honest: PlannedLeaf[] = [
    { outputs: [...order.receivers, ...(packet ? [packet] : [])], cosigners: [cosigner.id, operator] },
    { outputs: [{ value: 7_000n, script: p2tr(NEIGHBOUR.xonly) }], cosigners: [neighbour, operator] },
  ];
  const leaves = order.receivers.length > 0 ? (lie.leaves?.(honest) ?? honest) : honest.slice(1);
  const aggregator = batchAggregator(secp, lie.sweep ?? sweepScript(EXPIRY, forfeit.xonly));
  const plan = planVtxoTree(aggregator, leaves);
  const count = order.coins.filter(({ kind }) => kind === 'vtxo').length;
  const connectorScript = p2tr(key(11).xonly);
  const connectorPlan = planConnectorTree(
    lie.connectors?.count ?? (count || 1),
    lie.connectors?.dust ?? DUST,
    connectorScript,
  );
  const honestOutputs = [plan.funding, connectorPlan.funding, ...order.onchain];
  const outputs = lie.commitment?.(honestOutputs) ?? honestOutputs;
  const boardings = order.coins.filter(({ kind }) => kind === 'boarding');
  const spent = [outpoint(40), ...boardings.map((coin) => coin.outpoint)];
  const commitment = createPsbt({ version: 2, inputs: spent.map((each) => txIn(each)), outputs, locktime: 0 }, [
    { ...EMPTY_INPUT, witnessUtxo: { value: 1_000_000n, script: connectorScript } },
    ...boardings.map(({ amount, script }) => ({ ...EMPTY_INPUT, witnessUtxo: { value: amount, script } })),
  ]);
  const txid = txidOf(commitment.tx);
  const built = rootVtxoTree(plan, txid);
  const graph = lie.vtxoGraph?.(built) ?? built;
  const own = (topics: readonly string[]): boolean => topics.includes(cosigner.id);

  tell('tree', [
    ...graph.nodes
      .filter((node) => own(node.cosigners))
      .map((node) => wire.treeTx(BATCH_ID, node.cosigners, 0, node, nodePsbt(node, EXPIRY))),
    wire.treeSigningStarted(BATCH_ID, [cosigner.id, neighbour], commitment),
  ]);

  if (body('submitNonces')) cosignAll();

  function cosignAll(): void {
    const others = { [operator]: OPERATOR, [neighbour]: NEIGHBOUR };
    const mySigner = createSigner(secp, { bytes: random }, { operator: OPERATOR.secret, neighbour: NEIGHBOUR.secret });
    const sessions = graph.nodes
      .filter((node) => own(node.cosigners))
      .map((node) => {
        const slot = (id: string): string => `${node.txid}/${id}`;
        const nonces: ByCosigner = Object.fromEntries(
          node.cosigners.map((id) => [
            id,
            id === cosigner.id
              ? fromHex(body('submitNonces').treeNonces[node.txid])
              : mySigner.drawNonce(id === operator ? 'operator' : 'neighbour', slot(id)),
          ]),
        );
        return { node, nonces, open: openSession(secp, aggregator, node, nonces), slot };
      });
    tell(
      'nonces',
      sessions.map(({ node, nonces }) => wire.treeNonces(BATCH_ID, node.cosigners, node.txid, nonces)),
    );
    const partials: Record<string, string> = body('submitSignatures')?.treeSignatures ?? {};
    tell(
      'signatures',
      sessions.map(({ node, open, slot }) => {
        const all: ByCosigner = Object.fromEntries(
          node.cosigners.map((id) => [
            id,
            id in others
              ? mySigner.signPartial(id === operator ? 'operator' : 'neighbour', slot(id), open.session, open.keys)
              : fromHex(partials[node.txid] ?? '00'.repeat(32)),
          ]),
        );
        return wire.treeSignature(BATCH_ID, node.cosigners, node.txid, combine(secp, open, all));
      }),
    );
  }

  const honestConnectors = rootConnectorTree(connectorPlan, txid);
  const connectors = lie.connectorGraph?.(honestConnectors) ?? honestConnectors;
  tell('debts', [
    ...connectors.nodes.map((node) => wire.treeTx(BATCH_ID, [], 1, node, nodePsbt(node))),
    wire.batchFinalization(BATCH_ID, lie.finalCommitment?.(commitment) ?? commitment),
  ]);
  tell('end', [wire.batchFinalized(BATCH_ID, lie.announcedTxid ?? txid)]);
  return { session, calls };
}

/** The graph with one node changed. */
export const withNode = (
  graph: TxGraph,
  index: number,
  change: (node: TxGraph['nodes'][number]) => TxGraph['nodes'][number],
): TxGraph => ({ ...graph, nodes: graph.nodes.map((node, i) => (i === index ? change(node) : node)) });

export const anyTxid = '11'.repeat(32) as Txid;

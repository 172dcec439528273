/** Threats 6 and 7: an honest client against a server that lies about a batch. It signs nothing it would regret. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sweepScript } from '../../../../src/ark/protocol/batch-tree.ts';
import { EMPTY_INPUT, parsePsbt, psbtBase64 } from '../../../../src/bitcoin/psbt.ts';
import { relativeTimelock } from '../../../../src/bitcoin/timelock.ts';
import { txidOf } from '../../../../src/bitcoin/tx.ts';
import { codeOf, forfeit, outpoint, stranger } from '../protocol/support.ts';
import {
  account,
  anyTxid,
  EXPIRY,
  type Lie,
  type Message,
  mine,
  ORDER,
  type Phase,
  play,
  withNode,
} from './support.ts';

const onlyIn =
  (phase: Phase, change: (messages: Message[]) => Message[]): NonNullable<Lie['messages']> =>
  (messages, at) =>
    at === phase ? change(messages) : messages;

const elsewhere = { txid: anyTxid, vout: 0 };

interface Case {
  readonly lie: Lie;
  readonly code: string;
  /** The last call the client makes before it walks away. */
  readonly last: string | undefined;
}

/** Before anything is signed. */
const BEFORE_NONCES: Readonly<Record<string, Case>> = {
  'a batch that expires before anybody could leave it': {
    lie: { expiry: 20 },
    code: 'EXPIRY_TOO_SOON',
    last: undefined,
  },
  'another expiry in the tree than announced': {
    lie: { sweep: sweepScript(relativeTimelock(30), forfeit.xonly) },
    code: 'HIDDEN_SPEND_PATH',
    last: 'ack',
  },
  'another sweep key': { lie: { sweep: sweepScript(EXPIRY, stranger.xonly) }, code: 'HIDDEN_SPEND_PATH', last: 'ack' },
  'a tree below another outpoint': {
    lie: {
      vtxoGraph: (graph) =>
        withNode(graph, 0, (node) => {
          const tx = { ...node.tx, inputs: [{ ...node.tx.inputs[0]!, prevout: elsewhere }] };
          return { ...node, tx, txid: txidOf(tx) };
        }),
    },
    code: 'TREE_FLAWED',
    last: 'ack',
  },
  'a commitment that funds the tree with less': {
    lie: { commitment: ([batch, ...rest]) => [{ ...batch!, value: batch!.value - 1n }, ...rest] },
    code: 'TREE_FLAWED',
    last: 'ack',
  },
  'a commitment that funds another key': {
    lie: { commitment: ([batch, ...rest]) => [{ ...batch!, script: account.vtxo.script }, ...rest] },
    code: 'TREE_FLAWED',
    last: 'ack',
  },
  'a commitment with its outputs swapped': {
    lie: { commitment: ([batch, connectors, ...rest]) => [connectors!, batch!, ...rest] },
    code: 'TREE_FLAWED',
    last: 'ack',
  },
  'a leaf worth more than what funds it': {
    lie: {
      vtxoGraph: (graph) =>
        withNode(graph, 1, (node) => {
          const [first, ...rest] = node.tx.outputs;
          const tx = { ...node.tx, outputs: [{ ...first!, value: first!.value + 5n }, ...rest] };
          return { ...node, tx, txid: txidOf(tx) };
        }),
    },
    code: 'TREE_FLAWED',
    last: 'ack',
  },
  'a neighbour whose leaf is worth less than nothing, so that no block may hold the branch': {
    lie: { leaves: ([own, other]) => [own!, { ...other!, outputs: [{ ...other!.outputs[0]!, value: -1_000n }] }] },
    code: 'TREE_FLAWED',
    last: 'ack',
  },
  'a neighbour below dust, so that no node relays the branch': {
    lie: { leaves: ([own, other]) => [own!, { ...other!, outputs: [{ ...other!.outputs[0]!, value: 1n }] }] },
    code: 'TREE_FLAWED',
    last: 'ack',
  },
  'a leaf that pays a satoshi less': {
    lie: { leaves: ([own, other]) => [{ ...own!, outputs: [mine(59_999n), mine(9_000n)] }, other!] },
    code: 'OWN_LEAF_MISSING',
    last: 'ack',
  },
  'a leaf that pays somebody else': {
    lie: {
      leaves: ([own, other]) => [
        { ...own!, outputs: [mine(60_000n), { value: 9_000n, script: account.boarding.script }] },
        other!,
      ],
    },
    code: 'OWN_LEAF_MISSING',
    last: 'ack',
  },
  'a leaf that is said to be spent on': {
    lie: {
      messages: onlyIn('tree', (messages) =>
        messages.map((message) =>
          message.treeTx && Object.keys(message.treeTx.children).length === 0
            ? { treeTx: { ...message.treeTx, children: { 0: anyTxid } } }
            : message,
        ),
      ),
    },
    code: 'OWN_LEAF_MISSING',
    last: 'ack',
  },
  'the leaf twice': {
    lie: { leaves: ([own]) => [own!, own!] },
    code: 'OWN_LEAF_MISSING',
    last: 'ack',
  },
  'a root without the way down': {
    lie: { vtxoGraph: (graph) => ({ ...graph, nodes: graph.nodes.slice(0, 1) }) },
    code: 'OWN_LEAF_MISSING',
    last: 'ack',
  },
  'a leaf without the way up': {
    lie: { vtxoGraph: (graph) => ({ ...graph, nodes: graph.nodes.slice(1) }) },
    code: 'TREE_FLAWED',
    last: 'ack',
  },
  'links in a circle': {
    lie: {
      messages: onlyIn('tree', (messages) => {
        const root = messages[0].treeTx.txid;
        return messages.map((message) =>
          message.treeTx && message.treeTx.txid !== root
            ? { treeTx: { ...message.treeTx, children: { 0: root } } }
            : message,
        );
      }),
    },
    code: 'TREE_FLAWED',
    last: 'ack',
  },
  'a node twice': {
    lie: { messages: onlyIn('tree', (messages) => [messages[0], ...messages]) },
    code: 'TREE_FLAWED',
    last: 'ack',
  },
  'a locked branch': {
    lie: {
      vtxoGraph: (graph) => {
        const [root, leaf] = graph.nodes as [TxNodeOf, TxNodeOf];
        const tx = { ...leaf.tx, locktime: 800_000, inputs: [{ ...leaf.tx.inputs[0]!, sequence: 0 }] };
        const txid = txidOf(tx);
        return {
          ...graph,
          nodes: [
            { ...root, children: { ...root.children, 0: txid } },
            { ...leaf, tx, txid },
          ],
        };
      },
    },
    code: 'TREE_FLAWED',
    last: 'ack',
  },
  'no operator among the cosigners': {
    lie: { leaves: ([own, other]) => [{ ...own!, cosigners: own!.cosigners.slice(0, 1) }, other!] },
    code: 'COSIGNER_MISSING',
    last: 'ack',
  },
  'a cosigner whom nobody knows': {
    lie: {
      leaves: ([own, other]) => [
        {
          ...own!,
          cosigners: [...own!.cosigners, `02${'79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'}`],
        },
        other!,
      ],
    },
    code: 'COSIGNER_MISSING',
    last: 'ack',
  },
  'cosigners in the PSBT that are not behind the key': {
    lie: { vtxoGraph: (graph) => withNode(graph, 1, (node) => ({ ...node, cosigners: node.cosigners.slice(0, 1) })) },
    code: 'HIDDEN_SPEND_PATH',
    last: 'ack',
  },
  'a commitment without the boarding coin': {
    lie: {
      messages: onlyIn('tree', (messages) =>
        messages.map((message) => (message.treeSigningStarted ? bare(message) : message)),
      ),
    },
    code: 'COMMITMENT_INVALID',
    last: 'ack',
  },
  'a commitment without the on-chain receiver': {
    lie: { commitment: (outputs) => outputs.slice(0, 2) },
    code: 'COMMITMENT_INVALID',
    last: 'ack',
  },
  'a transaction that is none': {
    lie: {
      messages: onlyIn('tree', (messages) => [
        { treeTx: { id: 'batch', batchIndex: 0, tx: 'AAAA', children: {} } },
        ...messages,
      ]),
    },
    code: 'MALFORMED_ANSWER',
    last: 'ack',
  },
};

type TxNodeOf = Parameters<NonNullable<Lie['vtxoGraph']>>[0]['nodes'][number];

/** The commitment with what its inputs spend left out. */
const bare = (message: Message): Message => {
  const psbt = parsePsbt(message.treeSigningStarted.unsignedCommitmentTx);
  const stripped = { ...psbt, inputs: psbt.inputs.map(() => EMPTY_INPUT) };
  return { treeSigningStarted: { ...message.treeSigningStarted, unsignedCommitmentTx: psbtBase64(stripped) } };
};

const AFTER_NONCES: Readonly<Record<string, Case>> = {
  'another nonce than was sent in the own name': {
    lie: { messages: onlyIn('nonces', (messages) => messages.map(swapNonces)) },
    code: 'NONCES_INVALID',
    last: 'submitNonces',
  },
  'a cosigner without a nonce': {
    lie: {
      messages: onlyIn('nonces', (messages) =>
        messages.map(({ treeNonces }) => ({
          treeNonces: { ...treeNonces, nonces: Object.fromEntries(Object.entries(treeNonces.nonces).slice(0, 1)) },
        })),
      ),
    },
    code: 'NONCES_INVALID',
    last: 'submitNonces',
  },
  'a signature that is none': {
    lie: {
      messages: onlyIn('signatures', (messages) =>
        messages.map(({ treeSignature }) => ({ treeSignature: { ...treeSignature, signature: '11'.repeat(64) } })),
      ),
    },
    code: 'SIGNATURE_INVALID',
    last: 'submitSignatures',
  },
  'debts asked for before the branch is signed': {
    lie: { messages: onlyIn('signatures', () => []) },
    code: 'SIGNATURE_INVALID',
    last: 'submitSignatures',
  },
  'one signature of the branch held back': {
    lie: { messages: onlyIn('signatures', (messages) => messages.slice(1)) },
    code: 'SIGNATURE_INVALID',
    last: 'submitSignatures',
  },
  'debts asked for without any tree': {
    lie: { messages: (messages, phase) => (phase === 'tree' ? [] : messages) },
    code: 'COMMITMENT_CHANGED',
    last: 'ack',
  },
  'a commitment that changed after the tree was signed': {
    lie: { finalCommitment: (psbt) => ({ ...psbt, tx: { ...psbt.tx, locktime: 1 } }) },
    code: 'COMMITMENT_CHANGED',
    last: 'submitSignatures',
  },
  'connectors below another commitment': {
    lie: {
      connectorGraph: (graph) =>
        withNode(graph, 0, (node) => {
          const tx = { ...node.tx, inputs: [{ ...node.tx.inputs[0]!, prevout: outpoint(66, 1) }] };
          return { ...node, tx, txid: txidOf(tx) };
        }),
    },
    code: 'CONNECTORS_FLAWED',
    last: 'submitSignatures',
  },
  'connectors below the batch output': {
    lie: {
      connectorGraph: (graph) =>
        withNode(graph, 0, (node) => {
          const prevout = { ...node.tx.inputs[0]!.prevout, vout: 0 };
          const tx = { ...node.tx, inputs: [{ ...node.tx.inputs[0]!, prevout }] };
          return { ...node, tx, txid: txidOf(tx) };
        }),
    },
    code: 'CONNECTORS_FLAWED',
    last: 'submitSignatures',
  },
  'a connector twice': {
    lie: { messages: onlyIn('debts', (messages) => [messages[0], ...messages]) },
    code: 'CONNECTORS_FLAWED',
    last: 'submitSignatures',
  },
  'connectors that hang on nothing': {
    lie: { connectors: { count: 5 }, connectorGraph: (graph) => ({ ...graph, nodes: graph.nodes.slice(1) }) },
    code: 'CONNECTORS_FLAWED',
    last: 'submitSignatures',
  },
  'a connector that makes money': {
    lie: {
      connectors: { count: 5 },
      connectorGraph: (graph) =>
        withNode(graph, 1, (node) => {
          const tx = { ...node.tx, outputs: node.tx.outputs.map((each) => ({ ...each, value: each.value * 2n })) };
          return { ...node, tx, txid: txidOf(tx) };
        }),
    },
    code: 'CONNECTORS_FLAWED',
    last: 'submitSignatures',
  },
  'a connector of another value': {
    lie: { connectors: { dust: 331n } },
    code: 'CONNECTORS_FLAWED',
    last: 'submitSignatures',
  },
  'no connector': {
    lie: { connectorGraph: (graph) => ({ ...graph, nodes: [] }) },
    code: 'CONNECTORS_FLAWED',
    last: 'submitSignatures',
  },
  'another commitment in the end': {
    lie: { announcedTxid: anyTxid },
    code: 'COMMITMENT_CHANGED',
    last: 'submitForfeitTxs',
  },
};

function swapNonces({ treeNonces }: Message): Message {
  const nonces = Object.entries(treeNonces.nonces);
  const values = nonces.map(([, value]) => value);
  const rotated = nonces.map(([id], i) => [id, values[(i + 1) % values.length]]);
  return { treeNonces: { ...treeNonces, nonces: Object.fromEntries(rotated) } };
}

for (const [name, { lie, code, last }] of Object.entries({ ...BEFORE_NONCES, ...AFTER_NONCES })) {
  test(`the client walks away from ${name}`, () => {
    const made: string[] = [];
    const got = codeOf(() => play(ORDER, lie, (call) => made.push(call.route.path.split('/').at(-1)!)));
    assert.equal(got, code);
    assert.equal(made.at(-1), last);
  });
}

/** Threats 1 and 7: VTXOs that are not what they are said to be. Each lie is told apart by its code. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEquivocation } from '../../../../src/ark/client/equivocation.ts';
import { FINDINGS } from '../../../../src/ark/client/finding.ts';
import {
  type JudgedLineage,
  type LineageExpectation,
  verifyLineage,
} from '../../../../src/ark/client/verify-lineage.ts';
import { sweepScript } from '../../../../src/ark/protocol/batch-tree.ts';
import { subDustScript } from '../../../../src/ark/protocol/vtxo.ts';
import { type Bytes, type Txid, utf8 } from '../../../../src/base/bytes.ts';
import { csvMultisig, encodeClosure, multisig } from '../../../../src/bitcoin/closure.ts';
import { ANCHOR } from '../../../../src/bitcoin/package.ts';
import { EMPTY_INPUT, type Psbt, withInput } from '../../../../src/bitcoin/psbt.ts';
import { OP, p2tr, push, script } from '../../../../src/bitcoin/script.ts';
import { relativeTimelock } from '../../../../src/bitcoin/timelock.ts';
import { type Tx, txIn, txidOf } from '../../../../src/bitcoin/tx.ts';
import { forfeit, outpoint, secp, signer, stranger } from '../protocol/support.ts';
import {
  AMOUNT,
  alice,
  bob,
  carol,
  cosigner,
  extra,
  type Forgery,
  forge,
  type Made,
  scriptOf,
  signAll,
  withNodeTx,
} from './forged-lineage.ts';
import { client, EXPIRY } from './support.ts';

function judge(made: Made, expected: Partial<LineageExpectation> = {}): JudgedLineage {
  const { outpoint, psbts, commitment } = made;
  const commitments = new Map([[txidOf(commitment), commitment]]);
  const all = { terms: client.terms, vtxo: carol.vtxo, ...expected };
  return verifyLineage(secp, client.aggregators, { outpoint, psbts, commitments }, all);
}
const codesOf = (judged: JudgedLineage): string[] => [...new Set(judged.findings.map(({ code }) => code))].sort();

test('what everybody signed as they should has no findings', () => {
  const judged = judge(forge());
  assert.deepEqual(judged.findings, []);
  assert.equal(judged.hops, 2);
  assert.equal(judged.txs.length, 6);
  assert.deepEqual(judged.output, { value: AMOUNT, script: carol.vtxo.script });
  assert.deepEqual(
    judged.roots.map(({ expiry }) => expiry),
    [EXPIRY],
  );
});

test('the leaf alone is settled, and cosigned by its owner all the way', () => {
  const made = forge();
  const judged = judge({ ...made, outpoint: made.leaf }, { vtxo: alice.vtxo, cosigner });
  assert.deepEqual([judged.findings, judged.hops, judged.txs.length], [[], 0, 2]);
});

const changedTx = (psbt: Psbt, change: (tx: Tx) => Tx): Psbt => {
  const tx = change(psbt.tx);
  return {
    ...psbt,
    tx,
    inputs: tx.inputs.map((_, i) => psbt.inputs[i] ?? EMPTY_INPUT),
    outputs: tx.outputs.map(() => []),
  };
};
const onHop =
  (wanted: number, change: (psbt: Psbt) => Psbt) =>
  (psbt: Psbt, hop: number): Psbt =>
    hop === wanted ? change(psbt) : psbt;
const without =
  (pick: (made: Made) => Txid): NonNullable<Forgery['psbts']> =>
  (psbts, made) =>
    void psbts.delete(pick(made));
const handing =
  (pick: (made: Made) => Txid, change: (psbt: Psbt) => Psbt): NonNullable<Forgery['psbts']> =>
  (psbts, made) =>
    void psbts.set(pick(made), change(psbts.get(pick(made))!));
const root = ({ graph }: Made): Txid => graph.root;
const leaf = ({ leaf }: Made): Txid => leaf.txid;
const checkpoint =
  (hop: number) =>
  (made: Made): Txid =>
    txidOf(made.checkpoints[hop - 1]!.tx);
const arkTx =
  (hop: number) =>
  (made: Made): Txid =>
    txidOf(made.arkTxs[hop - 1]!.tx);
const withoutFields = (psbt: Psbt, name: string): Psbt =>
  withInput(psbt, 0, {
    rest: psbt.inputs[0]!.rest.filter(({ key }) => !Buffer.from(key.subarray(1)).toString('latin1').startsWith(name)),
  });
const anyKey = (xonly: Bytes): Bytes => script(push(xonly), OP.CHECKSIG);
const withFirst = (tx: Tx, change: Partial<Tx['outputs'][number]>): Tx => ({
  ...tx,
  outputs: tx.outputs.map((output, i) => (i === 0 ? { ...output, ...change } : output)),
});

const exit = alice.vtxo.scripts[1]!;
const joint = alice.vtxo.scripts[0]!;
const aloneAtOnce = scriptOf(joint, exit, encodeClosure(multisig(alice.publicKey)));
const leavesAtOnce = scriptOf(joint, encodeClosure(csvMultisig(relativeTimelock(2), alice.publicKey)));
const leavesSoon = scriptOf(joint, encodeClosure(csvMultisig(relativeTimelock(3), alice.publicKey)));

/** Lies, and every code that they are found out by. */
const LIES: Readonly<Record<string, readonly [Forgery, ...string[]]>> = {
  // The batch
  'a root below another outpoint': [
    { graph: (graph) => withNodeTx(graph, 0, (tx) => ({ ...tx, inputs: [txIn(outpoint(66))] })) },
    'COMMITMENT_UNKNOWN',
  ],
  'a root below another output of the commitment': [
    {
      commitment: ([batch]) => [batch!, batch!],
      graph: (graph) =>
        withNodeTx(graph, 0, (tx) => ({
          ...tx,
          inputs: [{ ...tx.inputs[0]!, prevout: { ...tx.inputs[0]!.prevout, vout: 1 } }],
        })),
    },
    'ROOT_NOT_BATCH_OUTPUT',
  ],
  'a commitment that funds the root with less': [
    { commitment: ([batch]) => [{ ...batch!, value: batch!.value - 1n }] },
    'PREVOUT_MISSTATED',
    'SIGNATURE_INVALID',
    'VALUE_NOT_CONSERVED',
  ],
  'a commitment that funds another key': [
    { commitment: ([batch]) => [{ ...batch!, script: p2tr(stranger.xonly) }] },
    'HIDDEN_SPEND_PATH',
    'PREVOUT_MISSTATED',
    'SIGNATURE_INVALID',
  ],
  'a commitment that has no batch output at all': [{ commitment: () => [] }, 'OUTPUT_MISSING'],
  'a leaf that is worth more than what funds it': [
    { graph: (graph) => withNodeTx(graph, 1, (tx) => withFirst(tx, { value: AMOUNT + 5n })) },
    'PREVOUT_MISSTATED',
    'SIGNATURE_INVALID',
    'VALUE_NOT_CONSERVED',
  ],
  'a root that makes more than it spends': [
    { graph: (graph) => withNodeTx(graph, 0, (tx) => withFirst(tx, { value: tx.outputs[0]!.value + 5n })) },
    'PREVOUT_MISSTATED',
    'SIGNATURE_INVALID',
    'VALUE_NOT_CONSERVED',
  ],
  'a leaf that spends an output the root does not have': [
    {
      graph: (graph) =>
        withNodeTx(graph, 1, (tx) => ({
          ...tx,
          inputs: [{ ...tx.inputs[0]!, prevout: { ...tx.inputs[0]!.prevout, vout: 9 } }],
        })),
    },
    'OUTPUT_MISSING',
  ],
  'a sweep key that is not the server’s': [{ sweep: sweepScript(EXPIRY, stranger.xonly) }, 'HIDDEN_SPEND_PATH'],
  'a shorter expiry than the transactions say': [
    { sweep: sweepScript(relativeTimelock(3), forfeit.xonly) },
    'HIDDEN_SPEND_PATH',
  ],
  'an expiry that differs along the branch': [
    {
      node: (psbt, node) =>
        Object.keys(node.children).length > 0
          ? psbt
          : withInput(psbt, 0, {
              rest: psbt.inputs[0]!.rest.map((pair) =>
                Buffer.from(pair.key).includes('expiry') ? { ...pair, value: Uint8Array.of(100) } : pair,
              ),
            }),
    },
    'EXPIRY_INCONSISTENT',
    'HIDDEN_SPEND_PATH',
  ],
  'an expiry that is none': [
    {
      psbts: handing(leaf, (psbt) =>
        withInput(psbt, 0, {
          rest: psbt.inputs[0]!.rest.map((pair) =>
            Buffer.from(pair.key).includes('expiry') ? { ...pair, value: new Uint8Array(9) } : pair,
          ),
        }),
      ),
    },
    'HIDDEN_SPEND_PATH',
    'TX_MALFORMED',
  ],
  'no expiry': [{ psbts: handing(leaf, (psbt) => withoutFields(psbt, 'expiry')) }, 'HIDDEN_SPEND_PATH'],
  'cosigners that are not behind the key': [
    {
      psbts: handing(leaf, (psbt) =>
        withInput(psbt, 0, {
          rest: psbt.inputs[0]!.rest.map((pair, i) => (i === 0 ? { ...pair, value: stranger.compressed } : pair)),
        }),
      ),
    },
    'COSIGNER_MISSING',
    'HIDDEN_SPEND_PATH',
  ],
  'cosigners that are no keys': [
    {
      psbts: handing(leaf, (psbt) =>
        withInput(psbt, 0, {
          rest: psbt.inputs[0]!.rest.map((pair, i) => (i === 0 ? { ...pair, value: utf8('key') } : pair)),
        }),
      ),
    },
    'COSIGNER_MISSING',
    'HIDDEN_SPEND_PATH',
  ],
  'a leaf that one key holds': [
    { leaves: ([own, other]) => [{ ...own!, cosigners: [cosigner] }, other!] },
    'COSIGNER_MISSING',
  ],
  'a branch over which a cosigner of the leaf has no say': [
    {
      leaves: ([own, other]) => [{ ...own!, cosigners: [...own!.cosigners, extra] }, other!],
      psbts: handing(root, (psbt) =>
        withInput(psbt, 0, {
          rest: psbt.inputs[0]!.rest.filter(({ value }) => Buffer.from(value).toString('hex') !== extra),
        }),
      ),
    },
    'COSIGNER_MISSING',
    'HIDDEN_SPEND_PATH',
  ],
  'a locked branch': [
    {
      graph: (graph) =>
        withNodeTx(graph, 1, (tx) => ({ ...tx, locktime: 800_000, inputs: [{ ...tx.inputs[0]!, sequence: 0 }] })),
    },
    'TX_SHAPE',
  ],
  'a node without an anchor': [
    { graph: (graph) => withNodeTx(graph, 1, (tx) => ({ ...tx, outputs: tx.outputs.slice(0, -1) })) },
    'TX_SHAPE',
  ],
  'a node with two anchors': [
    { graph: (graph) => withNodeTx(graph, 1, (tx) => ({ ...tx, outputs: [...tx.outputs, ANCHOR] })) },
    'TX_SHAPE',
  ],
  'a node of another version': [
    { graph: (graph) => withNodeTx(graph, 1, (tx) => ({ ...tx, version: 2 })) },
    'TX_SHAPE',
  ],
  'a branch that nobody signed': [
    {
      psbts: handing(leaf, ({ inputs, ...psbt }) => ({
        ...psbt,
        inputs: inputs.map(({ tapKeySig: _, ...input }) => input),
      })),
    },
    'SIGNATURE_MISSING',
  ],
  'a branch with a signature of something else': [
    {
      psbts: (psbts, made) => {
        const tapKeySig = psbts.get(root(made))!.inputs[0]!.tapKeySig!;
        psbts.set(leaf(made), withInput(psbts.get(leaf(made))!, 0, { tapKeySig }));
      },
    },
    'SIGNATURE_INVALID',
  ],
  'the root held back': [{ psbts: without(root) }, 'COMMITMENT_UNKNOWN'],
  'the leaf held back': [{ psbts: without(leaf) }, 'TX_MISSING'],
  'the transaction itself held back': [{ psbts: without(arkTx(2)) }, 'TX_MISSING'],

  // The payments
  'a checkpoint held back': [{ psbts: without(checkpoint(1)) }, 'TX_MISSING'],
  'a payment between held back': [{ psbts: without(arkTx(1)) }, 'TX_MISSING'],
  'a leaf by which a former owner spends alone': [{ aliceScript: aloneAtOnce }, 'SERVER_NOT_REQUIRED'],
  'a payment by such a leaf': [
    { aliceScript: aloneAtOnce, spendingLeaf: aloneAtOnce.scripts[2]! },
    'SERVER_NOT_REQUIRED',
  ],
  'an exit of a former owner that nobody can get ahead of': [
    { aliceScript: leavesAtOnce },
    'EXIT_DELAY_SHORT',
    'EXIT_RACE',
  ],
  'an exit of a former owner that is over soon': [{ aliceScript: leavesSoon }, 'EXIT_DELAY_SHORT'],
  'closures behind a former VTXO that are others': [
    {
      psbts: handing(checkpoint(1), (psbt) =>
        withInput(psbt, 0, {
          rest: bob.vtxo
            ? psbt.inputs[0]!.rest.map((pair) => ({
                ...pair,
                value: Uint8Array.of(1, 0xc0, 34, ...anyKey(stranger.xonly)),
              }))
            : [],
        }),
      ),
    },
    'HIDDEN_SPEND_PATH',
  ],
  'closures that are not told': [
    { psbts: handing(checkpoint(1), (psbt) => withoutFields(psbt, 'taptree')) },
    'HIDDEN_SPEND_PATH',
  ],
  'a checkpoint that a stranger may take': [
    { checkpointTapscript: encodeClosure(csvMultisig(relativeTimelock(20), stranger.xonly)) },
    'HIDDEN_SPEND_PATH',
  ],
  'a checkpoint that the server may take soon': [
    { checkpointTapscript: encodeClosure(csvMultisig(relativeTimelock(2), forfeit.xonly)) },
    'CHECKPOINT_DELAY_SHORT',
  ],
  'a checkpoint that pays elsewhere': [
    { checkpoint: onHop(1, (psbt) => changedTx(psbt, (tx) => withFirst(tx, { script: alice.vtxo.script }))) },
    'HIDDEN_SPEND_PATH',
    'PREVOUT_MISSTATED',
    'SIGNATURE_INVALID',
  ],
  'a checkpoint that keeps something back': [
    { checkpoint: onHop(1, (psbt) => changedTx(psbt, (tx) => withFirst(tx, { value: AMOUNT - 1n }))) },
    'PREVOUT_MISSTATED',
    'SIGNATURE_INVALID',
    'VALUE_NOT_CONSERVED',
  ],
  'a checkpoint with another output beside': [
    {
      checkpoint: onHop(1, (psbt) =>
        changedTx(psbt, (tx) => ({
          ...tx,
          outputs: [tx.outputs[0]!, { value: 0n, script: script(OP.RETURN) }, tx.outputs[1]!],
        })),
      ),
    },
    'TX_SHAPE',
  ],
  'a payment that waits for a relative lock': [
    {
      arkTx: onHop(2, (psbt) =>
        changedTx(psbt, (tx) => ({ ...tx, inputs: tx.inputs.map((input) => ({ ...input, sequence: 9 })) })),
      ),
    },
    'TX_SHAPE',
  ],
  'a payment worth more than was paid': [
    {
      arkOutputs: (outputs, hop) =>
        hop === 2 ? outputs.map((output) => ({ ...output, value: AMOUNT + 1n })) : outputs,
    },
    'VALUE_NOT_CONSERVED',
  ],
  'a payment that makes as much as another output lacks': [
    {
      arkOutputs: (outputs, hop) =>
        hop === 2 ? [...outputs, { ...outputs[0]!, value: 9_000n }, { ...outputs[0]!, value: -9_000n }] : outputs,
    },
    'NOT_RELAYABLE',
    'TX_SHAPE',
  ],
  'a payment that counts one checkpoint twice': [
    {
      arkTx: onHop(2, (psbt) => {
        const twice = changedTx(psbt, (tx) =>
          withFirst({ ...tx, inputs: [...tx.inputs, ...tx.inputs] }, { value: 2n * AMOUNT }),
        );
        return withInput(twice, 1, psbt.inputs[0]!);
      }),
    },
    'SPENT_TWICE',
    'TX_SHAPE',
  ],
  'a payment that spends the checkpoint’s anchor': [
    {
      arkTx: onHop(2, (psbt) =>
        changedTx(psbt, (tx) => ({
          ...tx,
          inputs: tx.inputs.map((input) => ({ ...input, prevout: { ...input.prevout, vout: 1 } })),
        })),
      ),
    },
    'HIDDEN_SPEND_PATH',
    'PREVOUT_MISSTATED',
    'VALUE_NOT_CONSERVED',
  ],
  'a payment without the server’s signature': [
    {
      psbts: handing(arkTx(2), (psbt) =>
        withInput(psbt, 0, {
          tapScriptSigs: psbt.inputs[0]!.tapScriptSigs.filter(
            ({ publicKey }) => Buffer.compare(publicKey, signer.xonly) !== 0,
          ),
        }),
      ),
    },
    'SIGNATURE_MISSING',
  ],
  'a checkpoint with a signature of nobody': [
    {
      psbts: handing(checkpoint(2), (psbt) =>
        withInput(psbt, 0, {
          tapScriptSigs: psbt.inputs[0]!.tapScriptSigs.map((sig) => ({
            ...sig,
            signature: new Uint8Array(64).fill(1),
          })),
        }),
      ),
    },
    'SIGNATURE_INVALID',
  ],
  'an output that nodes do not relay': [
    {
      arkOutputs: (outputs, hop) =>
        hop === 2
          ? [
              { ...outputs[0]!, value: AMOUNT - 100n },
              { ...outputs[0]!, value: 100n },
            ]
          : outputs,
    },
    'NOT_RELAYABLE',
  ],
  'a transaction too heavy to relay': [
    {
      arkOutputs: (outputs, hop) =>
        hop === 2 ? [...outputs, { value: 0n, script: script(OP.RETURN, push(new Uint8Array(11_000))) }] : outputs,
    },
    'NOT_RELAYABLE',
  ],
  'a value that too little remains of': [
    {
      arkOutputs: (outputs, hop) =>
        hop === 2
          ? [
              { value: 100n, script: subDustScript(carol.vtxo.outputKey) },
              { ...outputs[0]!, value: AMOUNT - 100n },
            ]
          : outputs,
    },
    'SUB_DUST',
  ],
  'swapped receivers': [
    {
      arkOutputs: (outputs, hop) =>
        hop === 2
          ? [
              { value: 1_000n, script: bob.vtxo.script },
              { ...outputs[0]!, value: AMOUNT - 1_000n },
            ]
          : outputs,
    },
    'NOT_OWN',
  ],
};

for (const [name, [forgery, ...codes]] of Object.entries(LIES)) {
  test(`${name}: ${codes.join(', ')}`, () => {
    assert.deepEqual(codesOf(judge(forge(forgery))), codes);
  });
}

test('an output that its transaction does not have, and one that is no VTXO', () => {
  const made = forge();
  for (const vout of [1, 2, 4_000_000_000]) {
    assert.deepEqual(codesOf(judge({ ...made, outpoint: { ...made.outpoint, vout } })), ['OUTPUT_MISSING']);
  }
});

test('a checkpoint is no VTXO, whatever it pays to', () => {
  const made = forge();
  const outpoint = { txid: txidOf(made.checkpoints[1]!.tx), vout: 0 };
  const judged = judge({ ...made, outpoint }, { vtxo: undefined });
  assert.deepEqual(codesOf(judged), ['HIDDEN_SPEND_PATH', 'SERVER_NOT_REQUIRED']);
});

test('a payment that spends a VTXO and its checkpoint too', () => {
  const [vtxo] = forge().checkpoints[0]!.inputs;
  const [input] = forge().checkpoints[0]!.tx.inputs;
  const both = forge({
    arkTx: onHop(1, (psbt) => {
      const changed = changedTx(psbt, (tx) => ({ ...tx, inputs: [...tx.inputs, input!] }));
      return withInput(changed, 1, vtxo!);
    }),
  });
  assert.ok(codesOf(judge(both)).includes('TX_SHAPE'));
});

test('a payment over two checkpoints of one VTXO, both signed by the server', () => {
  const [checkpoint] = forge().checkpoints;
  const second = signAll({
    ...checkpoint!,
    tx: { ...checkpoint!.tx, locktime: 1 },
    inputs: checkpoint!.inputs.map((input) => ({ ...input, tapScriptSigs: [] })),
  });
  const doubled = forge({
    arkTx: onHop(1, (psbt) => {
      const input = { ...psbt.tx.inputs[0]!, prevout: { txid: txidOf(second.tx), vout: 0 } };
      const both = changedTx(psbt, (tx) => withFirst({ ...tx, inputs: [...tx.inputs, input] }, { value: 2n * AMOUNT }));
      return withInput(both, 1, psbt.inputs[0]!);
    }),
  });
  const outpoint = { txid: txidOf(doubled.arkTxs[0]!.tx), vout: 0 };
  const psbts = new Map(doubled.psbts).set(txidOf(second.tx), second);
  const judged = judge({ ...doubled, psbts, outpoint }, { vtxo: bob.vtxo });
  assert.deepEqual(codesOf(judged), ['EQUIVOCATION', 'SPENT_TWICE']);
  assert.ok(isEquivocation(secp, judged.equivocations[0]!));
});

test('a batch that the owner did not cosign', () => {
  const made = forge();
  const judged = judge({ ...made, outpoint: made.leaf }, { vtxo: alice.vtxo, cosigner: extra });
  assert.deepEqual(codesOf(judged), ['COSIGNER_MISSING']);
});

test('every code is a word of the table', () => {
  for (const [, ...codes] of Object.values(LIES)) for (const code of codes) assert.ok(code in FINDINGS, code);
});

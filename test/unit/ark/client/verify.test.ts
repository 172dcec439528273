/** Threats 1, 7 and 11: what the server says of a VTXO against what it is, and what the chain says against both. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEquivocation } from '../../../../src/ark/client/equivocation.ts';
import { type VerifyOptions, type VtxoReport, verifyVtxo } from '../../../../src/ark/client/verify.ts';
import { batchAggregator, sweepScript } from '../../../../src/ark/protocol/batch-tree.ts';
import { finalize, leafOfVtxo } from '../../../../src/ark/protocol/leaf-spend.ts';
import { buildArkTx, buildCheckpoint } from '../../../../src/ark/protocol/offchain.ts';
import type { Fields } from '../../../../src/ark/wire/request.ts';
import { type Psbt, psbtBase64, withInput } from '../../../../src/bitcoin/psbt.ts';
import { controlBlock } from '../../../../src/bitcoin/taproot.ts';
import { type Tx, txIn, txidOf } from '../../../../src/bitcoin/tx.ts';
import { AUX, checkpointTapscript, forfeit, outpoint, secp, signer } from '../protocol/support.ts';
import { type ChainStory, chainOf, type ServerLie, serverOf } from './fake-server.ts';
import { AMOUNT, alice, bob, carol, type Forgery, forge, type Made, signAll } from './forged-lineage.ts';
import { EXPIRY } from './support.ts';

interface Scene {
  readonly forgery?: Forgery;
  readonly lie?: ServerLie;
  readonly story?: (made: Made) => ChainStory;
  readonly options?: VerifyOptions;
}

async function report({ forgery, lie, story, options }: Scene = {}): Promise<VtxoReport> {
  const made = forge(forgery);
  const all = { vtxo: carol.vtxo, ...options };
  return verifyVtxo(serverOf(made, lie), chainOf(made, story?.(made)), made.outpoint, all);
}
const codesOf = ({ findings }: VtxoReport): string[] => [...new Set(findings.map(({ code }) => code))].sort();

test('an honest server and an honest explorer', async () => {
  const { standing, findings, serverTrustedHops, life } = await report();
  assert.deepEqual([standing, findings, serverTrustedHops], ['preconfirmed', [], 2]);
  assert.deepEqual([life!.expiresAt, life!.latestStart], [100 + EXPIRY.value, 244 - 6 * 2 - 20]);
});

/** A list of ancestors whose every page is the first. */
const again = (): NonNullable<ServerLie['chain']> => {
  let told: Fields = {};
  return (page, index) => {
    if (index === 1) told = { ...page, page: { current: 1, total: 9 } };
    return told;
  };
};

/** A list of ancestors that grows and grows. */
const endless: ServerLie['chain'] = (_page, index) => ({
  chain: [{ txid: `${index}`.padStart(64, '0'), type: 'INDEXER_CHAINED_TX_TYPE_ARK' }],
  page: { current: index, total: 1_000_000 },
});

/** The spend of one of the lineage's outputs by another transaction that Bob and the server sign. */
function secondSpend(made: Made): Tx {
  const input = {
    outpoint: { txid: txidOf(made.arkTxs[0]!.tx), vout: 0 },
    value: AMOUNT,
    vtxo: bob.vtxo,
    leaf: leafOfVtxo(bob.vtxo, bob.vtxo.scripts[0]!)!,
  };
  const { psbt } = buildCheckpoint(secp, checkpointTapscript, input);
  return finalize(signAll({ ...psbt, tx: { ...psbt.tx, locktime: 1 } }));
}

/** The server takes the batch output by its sweep leaf. */
function sweep({ commitment, graph }: Made): Tx {
  const leaf = sweepScript(EXPIRY, forfeit.xonly);
  const { internal } = batchAggregator(secp, leaf).of(graph.nodes[0]!.cosigners);
  const inputs = [
    {
      ...txIn({ txid: txidOf(commitment), vout: 0 }, EXPIRY.value),
      witness: [new Uint8Array(64), leaf, controlBlock(internal, 0, [])],
    },
  ];
  return { version: 2, inputs, outputs: [{ value: 1_000n, script: alice.vtxo.script }], locktime: 0 };
}

const first = (made: Made): Tx[] => made.graph.nodes.slice(0, 1).map(({ tx }) => tx);
const allOnChain = (made: Made): Tx[] => [
  ...made.graph.nodes.map(({ tx }) => tx),
  ...made.checkpoints.map(({ tx }) => tx),
  ...made.arkTxs.map(({ tx }) => tx),
];

const SCENES: Readonly<Record<string, readonly [Scene, VtxoReport['standing'], ...string[]]>> = {
  'a list of ancestors that begins again': [{ lie: { chain: again() } }, 'refused', 'LINEAGE_ENDLESS', 'TX_MISSING'],
  'a list of ancestors without end': [
    { lie: { chain: endless }, options: { limits: { maxTransactions: 500 } } },
    'refused',
    'LINEAGE_ENDLESS',
    'TX_MISSING',
  ],
  'rubbish among the transactions': [{ lie: { txs: (txs) => ['AAAA', ...txs] } }, 'refused', 'TX_MALFORMED'],
  'every transaction twice': [{ lie: { txs: (txs) => [...txs, ...txs] } }, 'preconfirmed'],
  'an amount that is not there': [{ lie: { vtxo: { amount: '60000' } } }, 'refused', 'AMOUNT_MISSTATED'],
  'a preconfirmed VTXO called settled': [{ lie: { vtxo: { isPreconfirmed: false } } }, 'refused', 'STATUS_MISSTATED'],
  'a commitment that it does not hang on': [
    { lie: { vtxo: { commitmentTxids: [outpoint(9).txid] } } },
    'refused',
    'COMMITMENTS_MISSTATED',
  ],
  'a later expiry than the chain has': [{ lie: { vtxo: { expiresAt: '245' } } }, 'refused', 'EXPIRY_MISSTATED'],
  'a commitment that the chain does not know': [
    { story: () => ({ knowsCommitment: false }) },
    'refused',
    'COMMITMENTS_MISSTATED',
    'COMMITMENT_UNKNOWN',
  ],
  'a commitment in no block': [{ story: () => ({ confirmation: undefined }) }, 'unconfirmed', 'COMMITMENT_UNCONFIRMED'],
  'a batch soon to be renewed': [{ story: () => ({ height: 176 }) }, 'preconfirmed', 'EXPIRY_NEAR'],
  'a batch with too little life': [{ story: () => ({ height: 213 }) }, 'refused', 'EXPIRY_TOO_SOON'],
  'an expired batch': [{ story: () => ({ height: 244 }) }, 'refused', 'EXPIRED'],
  'a batch output that was swept': [{ story: (made) => ({ txs: [sweep(made)] }) }, 'refused', 'SWEPT'],
  'a batch output that somebody else spent': [
    {
      story: ({ commitment }) => ({
        txs: [{ version: 2, inputs: [txIn({ txid: txidOf(commitment), vout: 0 })], outputs: [], locktime: 0 }],
      }),
    },
    'refused',
    'SPENT_ON_CHAIN',
  ],
  'a branch that is partly on chain': [{ story: (made) => ({ txs: first(made) }) }, 'preconfirmed'],
  'a VTXO that is on chain, its batch long expired': [
    { story: (made) => ({ txs: allOnChain(made), height: 300 }) },
    'onchain',
  ],
  'a VTXO that was taken from the chain': [
    {
      story: (made) => ({
        txs: [...allOnChain(made), { version: 2, inputs: [txIn(made.outpoint)], outputs: [], locktime: 0 }],
      }),
    },
    'refused',
    'SPENT_ON_CHAIN',
  ],
};

for (const [name, [scene, standing, ...codes]] of Object.entries(SCENES)) {
  test(`${name}: ${[standing, ...codes].join(', ')}`, async () => {
    const found = await report(scene);
    assert.deepEqual([found.standing, ...codesOf(found)], [standing, ...codes]);
  });
}

test('a transaction that comes with two different signatures', async () => {
  const made = forge();
  const text = psbtBase64(made.arkTxs[1]!);
  const other = psbtBase64(withInput(made.arkTxs[1]!, 0, { tapScriptSigs: [] }));
  const txs = (list: readonly string[]): string[] => list.flatMap((each) => (each === text ? [each, other] : [each]));
  const found = await verifyVtxo(serverOf(made, { txs }), chainOf(made), made.outpoint, { vtxo: carol.vtxo });
  assert.deepEqual(codesOf(found), ['TX_DUPLICATED']);
});

test('a payment behind a lock that is not over', async () => {
  const made = forge();
  const psbts = new Map(made.psbts);
  const last: Psbt = made.arkTxs[1]!;
  psbts.delete(txidOf(last.tx));
  const locked = signAll({
    ...last,
    tx: { ...last.tx, locktime: 500 },
    inputs: last.inputs.map((input) => ({ ...input, tapScriptSigs: [] })),
  });
  psbts.set(txidOf(locked.tx), locked);
  const later = { ...made, psbts, outpoint: { txid: txidOf(locked.tx), vout: 0 } };
  const found = await verifyVtxo(serverOf(later), chainOf(made), later.outpoint, { vtxo: carol.vtxo });
  assert.deepEqual([found.standing, codesOf(found)], ['preconfirmed', ['PATH_LOCKED']]);
});

test('a server that signed two spends of one VTXO is shown to have', async () => {
  const found = await report({
    story: (made) => ({
      txs: [...allOnChain(made).slice(0, 2), made.checkpoints[0]!.tx, made.arkTxs[0]!.tx, secondSpend(made)],
    }),
  });
  assert.deepEqual([found.standing, codesOf(found)], ['refused', ['EQUIVOCATION', 'SPENT_ON_CHAIN']]);
  const [proof] = found.equivocations;
  assert.ok(isEquivocation(secp, JSON.parse(JSON.stringify(proof))));
  assert.deepEqual(Buffer.from(proof!.signer, 'hex'), Buffer.from(signer.xonly));
  const [one, two] = proof!.spends;
  const forgeries = [
    { ...proof!, spends: [one, one] as const },
    { ...proof!, signer: Buffer.from(bob.publicKey).toString('hex').replace(/^./, '0') },
    { ...proof!, outpoint: `${'00'.repeat(32)}:0` as never },
    { ...proof!, spends: [one, { ...two, prevouts: [{ ...two.prevouts[0]!, value: '1' }] }] as const },
    { ...proof!, spends: [one, { ...two, prevouts: [] }] as const },
    { ...proof!, spends: [one, { ...two, tx: two.tx.replace(/.{70}$/, '0'.repeat(70)) }] as const },
    { ...proof!, spends: [one] as never },
    { ...proof!, spends: [one, { ...two, tx: 'rubbish' }] as const },
  ];
  for (const forgery of forgeries) assert.equal(isEquivocation(secp, forgery), false);
});

test('an honest spend by a former owner alone is no proof against the server', async () => {
  const found = await report({
    story: (made) => {
      const spent = { txid: txidOf(made.arkTxs[0]!.tx), vout: 0 };
      const exit = leafOfVtxo(bob.vtxo, bob.vtxo.scripts[1]!)!;
      const tx = {
        version: 3,
        inputs: [{ ...txIn(spent, 20), witness: [AUX, exit.script, exit.controlBlock] }],
        outputs: [],
        locktime: 0,
      };
      return { txs: [...allOnChain(made).slice(0, 2), made.checkpoints[0]!.tx, made.arkTxs[0]!.tx, tx] };
    },
  });
  assert.deepEqual([codesOf(found), found.equivocations], [['SPENT_ON_CHAIN'], []]);
});

test('a thousand payments are walked without recursion', async () => {
  const trusting = { ...secp, schnorrVerify: () => true, schnorrSign: () => new Uint8Array(64) };
  const made = forge();
  const psbts = new Map(made.psbts);
  let from = made.outpoint;
  const leaf = leafOfVtxo(carol.vtxo, carol.vtxo.scripts[0]!)!;
  const sign = (psbt: Psbt): Psbt =>
    withInput(psbt, 0, {
      tapScriptSigs: leaf.closure.keys.map((publicKey) => ({
        publicKey,
        leafHash: leaf.hash,
        signature: new Uint8Array(64),
      })),
    });
  for (let hop = 0; hop < 1_000; hop++) {
    const { psbt, output } = buildCheckpoint(secp, checkpointTapscript, {
      outpoint: from,
      value: AMOUNT,
      vtxo: carol.vtxo,
      leaf,
    });
    const arkTx = buildArkTx([output], [{ value: AMOUNT, script: carol.vtxo.script }]);
    for (const each of [psbt, arkTx]) psbts.set(txidOf(each.tx), sign(each));
    from = { txid: txidOf(arkTx.tx), vout: 0 };
  }
  const long = { ...made, psbts, outpoint: from };
  const found = await verifyVtxo({ ...serverOf(long), secp: trusting }, chainOf(made), from, { vtxo: carol.vtxo });
  assert.equal(found.serverTrustedHops, 1_002);
  assert.deepEqual(
    codesOf(found),
    ['EXPIRY_TOO_SOON'],
    'an exit of two thousand transactions takes longer than the batch lives',
  );
});

test('an answer that is none is thrown', async () => {
  const made = forge();
  const work = verifyVtxo(serverOf(made, { chain: () => ({}) }), chainOf(made), made.outpoint);
  await assert.rejects(work, { code: 'MALFORMED_ANSWER' });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createExitStore, type ExitData } from '../../../../src/ark/client/exit-store.ts';
import { finalize } from '../../../../src/ark/protocol/leaf-spend.ts';
import { createMemoryRecords } from '../../../../src/base/records.ts';
import { txidOf } from '../../../../src/bitcoin/tx.ts';
import { AMOUNT, alice, carol, cosigner, forge } from './forged-lineage.ts';
import { EXPIRY } from './support.ts';

const made = forge();
const txs = [...made.psbts.values()].map(finalize);
const roots = [{ commitmentTxid: txidOf(made.commitment), expiry: EXPIRY }];
const leaf: ExitData = {
  outpoint: made.leaf,
  output: { value: AMOUNT, script: alice.vtxo.script },
  tapTree: alice.vtxo.scripts,
  roots,
  cosigner,
  txs: txs.slice(0, 2),
};
const payment: ExitData = {
  outpoint: made.outpoint,
  output: { value: AMOUNT, script: carol.vtxo.script },
  tapTree: carol.vtxo.scripts,
  roots,
  // The neighbour's leaf is no ancestor.
  txs: txs.filter((tx) => txidOf(tx) !== made.graph.nodes.find(({ cosigners }) => !cosigners.includes(cosigner))!.txid),
};

test('what was kept comes back, parents before children', async () => {
  const records = createMemoryRecords();
  await createExitStore(records).keep(payment);
  const store = createExitStore(records);
  assert.deepEqual(await store.get(payment.outpoint), payment);
  assert.equal(await store.get(leaf.outpoint), undefined);
  assert.equal((await store.list()).length, 1);
});

test('ancestors are kept once, and as long as somebody needs them', async () => {
  const records = createMemoryRecords();
  const store = createExitStore(records);
  const kept = async (): Promise<number> => (await records.names('tx/')).length;
  await store.keep({ ...leaf, txs: payment.txs.slice(0, 2) });
  await store.keep(payment);
  assert.equal(await kept(), 6);
  await store.forget([leaf.outpoint]);
  assert.deepEqual([await kept(), await store.get(payment.outpoint)], [6, payment]);
  await store.keep({ ...leaf, txs: payment.txs.slice(0, 2) });
  await store.forget([payment.outpoint]);
  assert.equal(await kept(), 2);
  await store.forget([leaf.outpoint, leaf.outpoint]);
  assert.deepEqual(await records.names(''), []);
});

test('what the owner gave away is marked, what is not kept passed over', async () => {
  const store = createExitStore(createMemoryRecords());
  await store.keep(payment);
  await store.markSpent([payment.outpoint, leaf.outpoint], made.commitment && txidOf(made.commitment));
  assert.deepEqual(
    (await store.list()).map(({ spentBy }) => spentBy),
    [txidOf(made.commitment)],
  );
});

test('proofs are kept', async () => {
  const store = createExitStore(createMemoryRecords());
  const proof = { outpoint: `${'00'.repeat(32)}:0` as never, signer: 'aa', spends: [] as never };
  await store.keepProof(proof);
  assert.deepEqual(await store.proofs(), [proof]);
});

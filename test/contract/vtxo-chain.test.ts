/** Ancestries at size and of any shape: complete, in order, and read in few questions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { markSwept, suspendVtxos, unrolledAmong, vtxosByOutpoint } from '../../src/ark/server/store/vtxos.ts';
import { walkChain } from '../../src/ark/server/vtxo-chain.ts';
import type { OutpointKey, Txid } from '../../src/base/bytes.ts';
import type { Db, SqlValue } from '../../src/store/db.ts';
import { createLineage, idOf, type Lineage, outpointOf } from '../support/lineage.ts';
import { type Dice, dice } from '../support/mutations.ts';

const HOPS = 10_000;

async function line(hops: number): Promise<Lineage> {
  const lineage = await createLineage();
  await lineage.batch(['leaf']);
  await lineage.together(async ({ pay }) => {
    for (let hop = 1; hop <= hops; hop++) await pay(`hop ${hop}`, [outpointOf(hop === 1 ? 'leaf' : `hop ${hop - 1}`)]);
  });
  return lineage;
}

function counted(db: Db): { readonly db: Pick<Db, 'read'>; readonly questions: () => number } {
  let questions = 0;
  const read: Db['read'] = (sql: string, args?: readonly SqlValue[]) => {
    questions++;
    return db.read(sql, args);
  };
  return { db: { read }, questions: () => questions };
}

test('a chain of 10,000 hops is whole and in order, and is read in few questions', async () => {
  const { db } = await line(HOPS);
  const watched = counted(db);
  const { txs, more } = await walkChain(watched.db, outpointOf(`hop ${HOPS}`), Number.MAX_SAFE_INTEGER);
  assert.equal(more, false);
  assert.equal(txs.length, 2 * HOPS + 3);
  assert.ok(watched.questions() < 50, `${watched.questions()} questions`);
  for (let hop = HOPS; hop > 0; hop--) {
    const [ark, checkpoint] = txs.slice(2 * (HOPS - hop));
    const spent = outpointOf(hop === 1 ? 'leaf' : `hop ${hop - 1}`);
    assert.deepEqual(ark, {
      txid: idOf(`hop ${hop}`),
      type: 'ARK',
      expiresAt: 1_000,
      spends: [idOf(`checkpoint of ${spent}`)],
    });
    assert.deepEqual(checkpoint, { ...ark, txid: ark!.spends[0], type: 'CHECKPOINT', spends: [spent] });
  }
  assert.deepEqual(
    txs.slice(-3).map(({ txid, type, spends }) => [txid, type, spends]),
    [
      [idOf('leaf'), 'TREE', [idOf('root')]],
      [idOf('root'), 'TREE', [idOf('commitment')]],
      [idOf('commitment'), 'COMMITMENT', []],
    ],
  );
});

test('who asks for the beginning of a deep chain does not have all of it read', async () => {
  const { db } = await line(2_000);
  const watched = counted(db);
  const whole = await walkChain(db, outpointOf('hop 2000'), Number.MAX_SAFE_INTEGER);
  const { txs, more } = await walkChain(watched.db, outpointOf('hop 2000'), 100);
  assert.equal(more, true);
  assert.deepEqual(txs.slice(0, 100), whole.txs.slice(0, 100));
  assert.ok(txs.length < 110 && watched.questions() < 4);
});

/** The chain as its definition says it, one question for every transaction. */
async function plainWalk(db: Db, start: OutpointKey): Promise<Txid[]> {
  const ids = new Set<Txid>();
  for (let generation = [start]; generation.length > 0; ) {
    const next = new Set<OutpointKey>();
    for (const outpoint of generation) {
      const txid = outpoint.slice(0, 64) as Txid;
      if (ids.has(txid)) continue;
      const rows = await db.read('select * from ark_checkpoint_tx where ark_txid = $1 order by position', [txid]);
      ids.add(txid);
      for (const row of rows) {
        ids.add(row.txid as Txid);
        next.add(row.outpoint as OutpointKey);
      }
      if (rows.length === 0) ids.add(idOf('root'));
    }
    generation = [...next];
  }
  return [...ids, idOf('commitment')];
}

async function tangle(roll: Dice): Promise<{ readonly lineage: Lineage; readonly ends: OutpointKey[] }> {
  const lineage = await createLineage();
  const leaves = Array.from({ length: 1 + roll(6) }, (_, i) => `leaf ${i}`);
  await lineage.batch(leaves);
  const free = leaves.map((leaf) => outpointOf(leaf));
  for (let count = 0; count < 60; count++) {
    const spent = Array.from({ length: 1 + roll(Math.min(3, free.length)) }, () =>
      free.splice(roll(free.length), 1),
    ).flat();
    const outputs = 1 + roll(3);
    await lineage.pay(`tx ${count}`, spent, outputs);
    for (let vout = 0; vout < outputs; vout++) free.push(outpointOf(`tx ${count}`, vout));
  }
  return { lineage, ends: free };
}

test('tangled ancestries have every transaction once, in order, and nothing else', async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const { lineage, ends } = await tangle(dice(seed));
    for (const end of ends.slice(0, 4)) {
      const { txs } = await walkChain(lineage.db, end, Number.MAX_SAFE_INTEGER);
      const ids = txs.map(({ txid }) => txid);
      assert.equal(new Set(ids).size, ids.length);
      assert.deepEqual(
        ids.filter((id) => id !== idOf('root')),
        (await plainWalk(lineage.db, end)).filter((id) => id !== idOf('root')),
      );
      assert.ok(ids.includes(idOf('root')));
    }
  }
});

test('a payment that merges 2,000 VTXOs has their 2,000 branches', async () => {
  const lineage = await createLineage();
  const leaves = Array.from({ length: 2_000 }, (_, i) => `leaf ${i}`);
  await lineage.batch(leaves);
  await lineage.pay(
    'merge',
    leaves.map((leaf) => outpointOf(leaf)),
  );
  const watched = counted(lineage.db);
  const { txs } = await walkChain(watched.db, outpointOf('merge'), Number.MAX_SAFE_INTEGER);
  assert.equal(txs.length, 1 + 2_000 + 2_000 + 1 + 1);
  assert.ok(watched.questions() < 20, `${watched.questions()} questions`);
});

test('sweeping and suspending reach every descendant, however many leaves and generations', async () => {
  const lineage = await createLineage();
  const leaves = Array.from({ length: 1_200 }, (_, i) => `leaf ${i}`);
  await lineage.batch(leaves);
  await lineage.together(async ({ pay }) => {
    for (const leaf of leaves) await pay(`spends ${leaf}`, [outpointOf(leaf)]);
    for (let hop = 1; hop <= 1_000; hop++) {
      await pay(`hop ${hop}`, [outpointOf(hop === 1 ? 'spends leaf 0' : `hop ${hop - 1}`)]);
    }
  });
  const { db } = lineage;
  const txids = leaves.map(idOf);
  await db.write((tx) => suspendVtxos(tx, txids, 5));
  assert.equal((await db.write((tx) => unrolledAmong(tx, txids))).length, 1_200);
  await db.write((tx) => tx.run('update ark_vtxo set unrolled = 0'));
  const swept = await db.write((tx) => markSwept(tx, txids, 6));
  assert.equal(swept.length, 1_200 + 1_200 + 1_000);
  assert.equal((await db.write((tx) => markSwept(tx, txids, 7))).length, 0);
  const [last] = await vtxosByOutpoint(db, [outpointOf('hop 1000')]);
  assert.deepEqual([last!.swept, last!.updatedAt], [true, 6]);
});

/** Every function of the Ark server's store does the same on both engines: the same calls get the same answers. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { AssetId } from '../../src/ark/protocol/asset-packet.ts';
import * as ancestry from '../../src/ark/server/store/ancestry.ts';
import * as assets from '../../src/ark/server/store/assets.ts';
import * as batches from '../../src/ark/server/store/batches.ts';
import * as cases from '../../src/ark/server/store/cases.ts';
import * as convictions from '../../src/ark/server/store/convictions.ts';
import * as delegations from '../../src/ark/server/store/delegations.ts';
import * as intents from '../../src/ark/server/store/intents.ts';
import * as liquidity from '../../src/ark/server/store/liquidity.ts';
import * as offchain from '../../src/ark/server/store/offchain.ts';
import * as settings from '../../src/ark/server/store/settings.ts';
import * as signers from '../../src/ark/server/store/signers.ts';
import * as sweeps from '../../src/ark/server/store/sweeps.ts';
import * as virtualTxs from '../../src/ark/server/store/virtual-txs.ts';
import * as vtxos from '../../src/ark/server/store/vtxos.ts';
import * as withdrawals from '../../src/ark/server/store/withdrawals.ts';
import type { OutpointKey, Txid } from '../../src/base/bytes.ts';
import { sats } from '../../src/base/units.ts';
import { migrateAll } from '../../src/cli/modules.ts';
import type { Db } from '../../src/store/db.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { startPostgres, takePlace } from '../support/postgres.ts';

const server = await startPostgres();
after(() => (typeof server === 'string' ? undefined : server.close()));

const STORES = {
  ...ancestry,
  ...assets,
  ...liquidity,
  ...virtualTxs,
  ...batches,
  ...cases,
  ...convictions,
  ...delegations,
  ...intents,
  ...offchain,
  ...settings,
  ...signers,
  ...sweeps,
  ...vtxos,
  ...withdrawals,
};
/** These hold no SQL. */
const PURE = ['collectedBy', 'outpointOf', 'toVtxo', 'printChanges', 'parseChanges'];

const id = (name: string): Txid => Buffer.from(name).toString('hex').padEnd(64, '0') as Txid;
const at = (name: string, vout = 0): OutpointKey => `${id(name)}:${vout}` as OutpointKey;
/** Unix milliseconds do not fit four bytes, which is what PostgreSQL takes a bare number for. */
const coin = `${id('coin')}0000` as AssetId;
const control = `${id('coin')}0100` as AssetId;
const NOW = 1_900_000_000_000;
const LATE = 9_000_000_000;

const vtxo = (name: string, more: Partial<vtxos.NewVtxo> = {}): vtxos.NewVtxo => ({
  txid: id(name),
  vout: 0,
  amount: sats(2_100_000_000_000_000),
  script: '5120aa',
  origin: 'batch',
  commitmentTxids: [id('commitment')],
  depth: 0,
  createdAt: LATE,
  expiresAt: LATE,
  swept: false,
  ...more,
});

const batch = (name: string, state: batches.Batch['state']): Parameters<typeof batches.insertBatch>[1] => ({
  id: name,
  state,
  commitmentTxid: state === 'failed' ? undefined : id(name),
  commitmentTx: state === 'failed' ? undefined : '00',
  startedAt: LATE,
  endedAt: LATE,
  expiresAt: LATE,
  summary: { inputAmount: 1_000n, vtxoAmount: 900n, exitAmount: 50n, feeAmount: 7n } as batches.BatchSummary,
  outputs: [vtxo(`of ${name}`)],
  assetChanges: [{ assetId: coin, amount: -1n }],
});

const intent = (name: string): Parameters<typeof intents.insertIntent>[1] => ({
  id: name,
  txid: id(name),
  message: `{"of":"${name}"}`,
  proof: 'proof',
  intent: { inputs: [{ outpoint: at(name) }], receivers: [], onchain: [], cosigners: [] } as never,
  createdAt: NOW,
});

/** Lives through everything the store knows; returns what each call answered. */
async function live(db: Db): Promise<{ readonly answers: unknown[]; readonly called: Set<string> }> {
  const answers: unknown[] = [];
  const called = new Set<string>();
  type Stores = typeof STORES;
  type Rest<F> = F extends (first: never, ...rest: infer R) => unknown ? R : never;
  const call = async <N extends keyof Stores>(name: N, ...args: Rest<Stores[N]>): Promise<void> => {
    const store = STORES[name] as (first: unknown, ...rest: unknown[]) => Promise<unknown>;
    called.add(name);
    answers.push([name, await db.write((tx) => store(tx, ...args))]);
  };
  const page = { limit: 10, offset: 0 };
  const query: vtxos.VtxoQuery = { scripts: ['5120aa', '5120bb'], filter: 'all', after: 0, before: 0, ...page };

  await call('writeSetting', 'fees', 'none');
  await call('writeSetting', 'fees', '1');
  await call('readSetting', 'fees');
  await call('readSetting', 'absent');

  await call(
    'insertVtxos',
    ['a', 'b', 'c', 'd', 'e'].map((name) => vtxo(name)),
    NOW,
  );
  await call(
    'insertVtxos',
    [
      vtxo('note', { origin: 'note', commitmentTxids: [] }),
      vtxo('gone', { swept: true }),
      vtxo('rich', { assets: [coin, control].map((assetId) => ({ assetId, amount: 2n ** 64n - 1n })) }),
    ],
    NOW,
  );
  await call('vtxosByOutpoint', [at('a'), at('absent')]);
  await call('vtxosByTxid', id('a'));
  await call('spendVtxo', { outpoint: at('a'), spentBy: id('checkpoint'), arkTxid: id('ark') }, NOW + 1);
  await call('spendVtxo', { outpoint: at('a'), spentBy: id('again') }, NOW + 1);
  await call('spendVtxo', { outpoint: at('b'), spentBy: id('forfeit'), settledBy: id('final') }, NOW + 1);
  await call('vtxosSpentBy', 'ark_txid', id('ark'));
  await call('vtxosSpentBy', 'settled_by', id('final'));

  const issued = { metadata: '0101610162', controlAsset: control };
  await call(
    'insertOffchainTx',
    {
      txid: id('ark'),
      psbt: 'ark',
      outputs: [vtxo('out')],
      payer: '5120aa',
      createdAt: LATE,
      assetChanges: [{ assetId: coin, amount: 2n ** 70n, issued }],
    },
    [{ txid: id('checkpoint'), arkTxid: id('ark'), outpoint: at('a'), psbt: 'checkpoint', tapscript: '51' }],
  );
  for (const filter of ['all', 'spendable', 'spent', 'recoverable', 'renewable', 'pending'] as const) {
    await call('vtxosByScript', { ...query, filter });
  }
  await call('vtxosByScript', { ...query, after: NOW + 1, before: NOW + 2, limit: 1, offset: 1 });
  await call('countPending', '5120aa');
  await call('finalizeOffchainTx', id('ark'), [{ txid: id('checkpoint'), psbt: 'final' }], LATE);
  await call('finalizeOffchainTx', id('ark'), [], LATE);
  await call('countPending', '5120aa');
  await call('offchainTxById', id('ark'));
  await call('checkpointsOf', id('ark'));
  await call('checkpointById', id('checkpoint'));

  await call('applyAssetChanges', id('ark'), [
    { assetId: coin, amount: 2n ** 70n, issued },
    { assetId: control, amount: 1n, issued: { metadata: '' } },
  ]);
  await call('applyAssetChanges', id('final'), [{ assetId: coin, amount: -5n }]);
  await call('assetsById', [coin, control]);
  await call('revertAssetChanges', [id('absent'), id('final')]);
  await call('assetsById', [coin]);

  for (const name of ['one', 'two', 'three']) await call('insertIntent', intent(name));
  await call('intentsHolding', [at('one'), at('absent')]);
  await call('takeIntents', ['one', 'two', 'absent'], 'batch');
  await call('countQueued');
  await call('queuedIntents', 5);
  await call('requeueIntents', ['one', 'absent'], { name: 'missed', most: 1 });
  await call('requeueIntents', ['two'], { name: 'attempts', most: 5 });
  await call('requeueIntents', ['three']);
  await call('allIntents');
  await call('takeIntents', ['two'], 'batch');
  await call('deleteIntentsOf', 'absent');
  await call('deleteRunningIntents');
  await call('intentById', 'three');
  await call('intentByTxid', id('three'));
  await call('deleteIntents', ['three']);

  for (const name of ['pending', 'final', 'other']) await call('insertBatch', batch(name, 'pending'));
  await call('insertBatch', batch('failed', 'failed'));
  await call('finishBatch', 'final');
  await call('failBatch', 'final', 'pending');
  await call('pendingBatches');
  await call('unconfirmedBatches');
  await call('confirmBatch', id('final'), 800_000);
  await call('unsweptBatches');
  await call('liveBatches');
  await call('lockedByExpiry');
  await call('closeBatch', 'final');
  await call('reopenBatch', id('final'));
  await call('openCommitments');
  await call('batchById', 'final');
  await call('batchByCommitment', id('other'));
  await call('confirmBatch', id('final'), null);
  for (const before of [0, LATE, LATE - 1]) {
    await call('batchIds', { after: 0, before, withFailed: true, withCompleted: true });
  }
  for (const before of [0, LATE, LATE + 1]) await call('feesCollected', { after: 0, before });
  const node = { txid: id('root'), commitmentTxid: id('final'), tree: 'vtxo', parentTxid: id('final') } as const;
  await call('insertTreeTxs', [{ ...node, children: { 0: id('leaf') }, psbt: 'root' }]);
  await call('treeTxs', id('final'), 'vtxo', page);
  await call('treeTxById', id('root'));
  await call('treeLinks', id('final'), 'vtxo');
  await call('insertForfeits', id('final'), [{ outpoint: at('b'), connector: at('k'), txid: id('f'), psbt: 'f' }]);
  await call('forfeitTxids', id('final'), page);
  await call('forfeitOf', at('b'));
  await call('virtualTxsByTxid', [id('f'), id('checkpoint'), id('absent')]);
  await call('batchLeaves', id('final'), page);
  await call('treeShape', id('final'), 'vtxo', page);
  await call('treeStepsUp', [id('root')]);
  await call('ancestorsDownTo', [at('d')], 0);
  await call('ancestorsDownTo', [at('d')], LATE);
  await call('owed');
  await call('liveByExpiry');
  await call('outstandingNotes');
  await call('askAnything');
  await call('areConnectorsNeeded', id('final'));
  await call('deleteBatchArtifacts', id('final'));

  await call('markUnrolled', id('a'), NOW + 2);
  await call('markUnrolled', id('c'), NOW + 2);
  await call('openCases');
  await call('exposure');
  await call('closeCase', at('a'), 'answered', LATE);
  await call('closeCase', at('a'), 'lost', LATE);
  await call('openCases');
  await call('unclaimed');
  await call('markClaimed', at('c'), id('claim'), NOW + 3);
  await call('unmarkClaimed', id('claim'), NOW + 4);
  await call('unspendSettled', id('final'), NOW + 5);
  await call('virtualTxidsAmong', [id('a'), id('d'), id('note')]);
  await call('suspendVtxos', [id('d')], NOW + 5);
  await call('unrolledAmong', [id('d')]);
  await call('descentOf', [id('a'), id('d')]);
  await call('resumeVtxos', [id('d')], new Set([id('other')]), NOW + 5);
  await call('markSwept', [id('d'), id('a')], NOW + 6);
  await call('unmarkSwept', [id('d')], 330n, NOW + 7);
  await call('markVirtual', id('c'), NOW + 7);
  await call('txidsToWatch');

  const charge = { id: 'x', script: '5120aa', crime: 'NONCES', batchId: 'final', reason: 'late' } as const;
  await call('insertConviction', { ...charge, createdAt: LATE, expiresAt: LATE });
  await call('activeConvictions', '5120aa', LATE - 1);
  await call('activeConvictions', '5120aa', LATE);
  await call('convictionsOfBatch', 'final');
  await call('insertConviction', {
    ...charge,
    id: 'y',
    crime: 'MANUAL',
    batchId: '',
    createdAt: LATE + 1,
    expiresAt: 0,
  });
  await call('convictedAmong', [...Array.from({ length: 600 }, (_, i) => `5120${i}`), '5120aa'], LATE);
  for (const threshold of [0, 1, 2, 9]) await call('countBanned', threshold, LATE - 1);
  await call('convictionById', 'y');
  await call('convictionById', 'absent');
  for (const [from, to] of [
    [0, 0],
    [LATE + 1, 0],
    [0, LATE],
  ] as const) {
    await call('convictionsInRange', from, to);
  }
  await call('pardonConviction', 'y');
  await call('pardonConviction', 'absent');
  await call('activeConvictions', '5120aa', LATE);

  const key = { publicKey: '02aa', generation: 0, sealedSecret: undefined, state: 'current', cutoff: 0 } as const;
  await call('insertSigner', { ...key, createdAt: LATE });
  await call('changeSigner', '02aa', 'deprecated', LATE);
  const brought = { ...key, publicKey: '03bb', generation: undefined, sealedSecret: Uint8Array.of(1, 2) };
  await call('insertSigner', { ...brought, createdAt: LATE });
  await call('signers');

  const paid = { tx: '00', address: 'bcrt1q', amount: 1_000n, fee: 200n, createdAt: LATE };
  for (const name of ['w1', 'w2', 'w3']) await call('insertWithdrawal', { ...paid, txid: id(name) });
  await call('closeWithdrawal', id('w1'), 'buried');
  await call('deleteWithdrawal', id('w2'));
  await call('openWithdrawals');
  await call('latestWithdrawals', 2);

  const sweep = { tx: '00', fee: 2_100_000_000_000_000n, height: 800_000, createdAt: LATE };
  for (const name of ['first', 'second']) {
    const request = { message: 'message', proof: 'proof', forfeits: ['forfeit'] };
    const times = { validAt: LATE, createdAt: LATE, dueAt: LATE };
    await call('insertDelegation', { ...request, id: name, ...times }, [at(name), at(name, 1)]);
  }
  await call('delegationsHolding', [at('first'), at('first', 1), at('absent')]);
  await call('noteDelegationIntent', 'first', 'intent');
  await call('postponeDelegation', 'second', LATE + 5);
  await call('dueDelegations', LATE, 10);
  await call('nextDelegationDue');
  await call('endDelegation', 'first', 'done', id('final'));
  await call('endDelegation', 'first', 'failed', 'too late');
  await call('delegationById', 'first');
  await call('countWaitingDelegations');
  await call('deleteDelegation', 'second');
  await call('nextDelegationDue');

  await call('insertSweep', { ...sweep, txid: id('sweep') }, [id('final'), id('other')]);
  await call('insertSweep', { ...sweep, txid: id('reclaim') }, []);
  await call('openSweeps', 800_001);
  await call('confirmSweep', id('sweep'), 800_001);
  await call('confirmSweep', id('reclaim'), 800_000);
  await call('openSweeps', 800_001);
  await call('confirmSweep', id('reclaim'), null);
  await call('openSweeps', 800_002);
  await call('sweepsOf', id('final'));
  await call('sweptCommitments', id('sweep'));
  await call('deleteSweep', id('sweep'));
  await call('vtxosByScript', query);
  return { answers, called };
}

/** Where no order was asked for, each engine has its own. */
const sorted = (answers: unknown[]): unknown[] =>
  answers.map((answer) => {
    const [name, result] = answer as [string, unknown];
    const key = (value: unknown): string =>
      JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? `${inner}n` : inner));
    return [name, Array.isArray(result) ? result.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)) : result];
  });

test('the story calls every function of the store', async () => {
  const db = openSqlite(':memory:');
  await migrateAll(db);
  const { called } = await live(db);
  const all = Object.entries(STORES).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []));
  assert.deepEqual(
    all.filter((name) => !called.has(name) && !PURE.includes(name)),
    [],
    'tell its story here, so that its SQL is tried on PostgreSQL',
  );
  await db.close();
});

test('SQLite and PostgreSQL answer alike', { skip: typeof server === 'string' ? server : false }, async () => {
  const place = await takePlace((server as Exclude<typeof server, string>).url);
  const [lite, full] = [openSqlite(':memory:'), await openPostgres(place.url)];
  await Promise.all([lite, full].map(migrateAll));
  const [expected, actual] = [await live(lite), await live(full)];
  assert.deepEqual(sorted(actual.answers), sorted(expected.answers));
  await Promise.all([lite.close(), full.close()]);
  await place.remove();
});

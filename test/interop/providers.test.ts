/** The SDK's own clients of every public call, with their checks of what comes back. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { RestArkProvider, RestIndexerProvider, Transaction, type Wallet } from '@arkade-os/sdk';
import { fromBase64, toHex } from '../../src/base/bytes.ts';
import { eventually, expectBalance, useArk } from '../support/sdk.ts';

describe('the providers of the SDK', () => {
  const ark = useArk();
  let alice: Wallet;
  let bob: Wallet;
  let provider: RestArkProvider;
  let indexer: RestIndexerProvider;
  /** The batch in which both settled what they had from boarding. */
  let commitmentTxid: string;
  let leaf: { txid: string; vout: number };
  let arkTxid: string;
  const scriptOf = (wallet: Wallet): string => toHex(wallet.arkAddress.pkScript);

  before(async () => {
    [alice, bob] = await Promise.all([ark.wallet(), ark.wallet()]);
    provider = new RestArkProvider(ark.ready.ark.url);
    indexer = new RestIndexerProvider(ark.ready.ark.url);
    for (const wallet of [alice, bob]) await ark.faucet(await wallet.getBoardingAddress(), 20_000);
    await Promise.all([alice.settle(), bob.settle()]);
    [commitmentTxid] = (await Promise.all([alice.settle(), bob.settle()])) as [string, string];
    leaf = (await alice.getVtxos())[0]!;
    arkTxid = await alice.sendBitcoin({ address: await bob.getAddress(), amount: 5_000 });
    await expectBalance(bob, { settled: 20_000, preconfirmed: 5_000 });
  });

  test('info', async () => {
    const info = await provider.getInfo();
    assert.equal(info.network, 'regtest');
    assert.deepEqual(
      [info.sessionDuration, info.unilateralExitDelay, info.boardingExitDelay, info.dust],
      [6n, 20n, 40n, 330n],
    );
    assert.equal(info.signerPubkey.length, 66);
    assert.match(info.digest, /^[0-9a-f]{64}$/);
    assert.deepEqual(info.deprecatedSigners, []);
    assert.equal((await provider.getInfo()).digest, info.digest);
  });

  test('a commitment, its tree, its connectors and forfeits', async () => {
    const { batches, ...totals } = await indexer.getCommitmentTx(commitmentTxid);
    assert.deepEqual([totals.totalInputAmount, totals.totalInputVtxos], ['40000', 2]);
    assert.deepEqual([totals.totalOutputAmount, totals.totalOutputVtxos], ['40000', 2]);
    assert.deepEqual(Object.keys(batches), ['0']);
    assert.equal(batches['0']!.totalOutputAmount, '40000');
    assert.equal(batches['0']!.swept, false);

    const batch = { txid: commitmentTxid, vout: 0 };
    const { vtxoTree } = await indexer.getVtxoTree(batch);
    const [root, ...others] = vtxoTree.filter(({ children }) => Object.keys(children).length > 0);
    assert.deepEqual(others, []);
    const { leaves } = await indexer.getVtxoTreeLeaves(batch);
    assert.deepEqual(Object.values(root!.children).sort(), leaves.map(({ txid }) => txid).sort());
    assert.equal(vtxoTree.length, 3);
    assert.ok(leaves.some(({ txid }) => txid === leaf.txid));
    assert.deepEqual(await indexer.getBatchSweepTransactions(batch), { sweptBy: [] });

    const { connectors } = await indexer.getCommitmentTxConnectors(commitmentTxid);
    assert.equal(connectors.filter(({ children }) => Object.keys(children).length === 0).length, 2);
    const { txids } = await indexer.getCommitmentTxForfeitTxs(commitmentTxid);
    assert.equal(txids.length, 2);
    for (const txid of [...txids, ...connectors.map((tx) => tx.txid)]) {
      const { txs } = await indexer.getVirtualTxs([txid]);
      assert.deepEqual(
        txs.map((psbt) => Transaction.fromPSBT(fromBase64(psbt)).id),
        [txid],
      );
    }
  });

  test('what is not there', async () => {
    const nowhere = { txid: '00'.repeat(32), vout: 0 };
    assert.deepEqual((await indexer.getVtxoTree(nowhere)).vtxoTree, []);
    assert.deepEqual((await indexer.getVirtualTxs([nowhere.txid])).txs, []);
    assert.deepEqual((await indexer.getVtxos({ outpoints: [nowhere] })).vtxos, []);
    assert.deepEqual((await indexer.getVtxos({ scripts: [`5120${nowhere.txid}`] })).vtxos, []);
    await assert.rejects(indexer.getCommitmentTx(nowhere.txid));
  });

  test('VTXOs by script, filtered, paged and since a time; by outpoint whatever became of them', async () => {
    const scripts = [scriptOf(alice), scriptOf(bob)];
    const count = async (filter: object): Promise<number> =>
      (await indexer.getVtxos({ scripts, ...filter })).vtxos.length;
    assert.deepEqual(
      await Promise.all([{}, { spendableOnly: true }, { spentOnly: true }, { renewableOnly: true }].map(count)),
      [6, 3, 3, 3],
    );
    assert.deepEqual(await Promise.all([{ recoverableOnly: true }, { pendingOnly: true }].map(count)), [0, 0]);
    assert.deepEqual(
      await Promise.all([{ after: Date.now() + 60_000 }, { before: Date.now() + 60_000 }, { before: 1 }].map(count)),
      [0, 6, 0],
    );
    await assert.rejects(count({ spendableOnly: true, spentOnly: true }));

    const pages = await Promise.all([1, 2].map((pageIndex) => indexer.getVtxos({ scripts, pageIndex, pageSize: 4 })));
    assert.deepEqual(
      pages.map(({ vtxos, page }) => [vtxos.length, page]),
      [
        [4, { current: 1, next: 2, total: 2 }],
        [2, { current: 2, next: 2, total: 2 }],
      ],
    );
    assert.equal(new Set(pages.flatMap(({ vtxos }) => vtxos.map(({ txid, vout }) => `${txid}:${vout}`))).size, 6);

    const [spent] = (await indexer.getVtxos({ outpoints: [leaf] })).vtxos;
    assert.ok(spent!.isSpent);
    assert.equal(spent!.arkTxId, arkTxid);
  });

  test('the chain behind a VTXO, with transactions that are complete', async () => {
    const { chain } = await indexer.getVtxoChain({ txid: arkTxid, vout: 0 });
    assert.deepEqual(
      chain.map(({ type }) => type.replace('INDEXER_CHAINED_TX_TYPE_', '')),
      ['ARK', 'CHECKPOINT', 'TREE', 'TREE', 'COMMITMENT'],
    );
    const [paid, checkpoint, treeLeaf, root, commitment] = chain;
    assert.deepEqual(paid!.spends, [checkpoint!.txid]);
    assert.deepEqual(checkpoint!.spends, [`${leaf.txid}:${leaf.vout}`]);
    assert.deepEqual([treeLeaf!.spends, root!.spends, commitment!.spends], [[root!.txid], [commitmentTxid], []]);
    const { txs } = await indexer.getVirtualTxs(chain.slice(0, 4).map(({ txid }) => txid));
    for (const psbt of txs) Transaction.fromPSBT(fromBase64(psbt)).getInput(0);
    assert.equal(txs.length, 4);
  });

  test('a subscription tells each listener what concerns its scripts, until it is given up', async () => {
    const id = await indexer.subscribeForScripts([scriptOf(bob)]);
    assert.equal(await indexer.subscribeForScripts([`5120${'11'.repeat(32)}`], id), id);
    const abort = new AbortController();
    const events = indexer.getSubscription(id, abort.signal);
    const event = events.next();
    const txid = await alice.sendBitcoin({ address: await bob.getAddress(), amount: 1_000 });
    const { value } = await event;
    assert.equal(value.txid, txid);
    assert.deepEqual(value.scripts, [scriptOf(bob)]);
    assert.deepEqual(
      value.newVtxos.map((vtxo: { value: number }) => vtxo.value),
      [1_000],
    );
    assert.deepEqual([value.spentVtxos, value.sweptVtxos], [[], []]);
    abort.abort();
    await indexer.unsubscribeForScripts(id);
    await assert.rejects(async () => {
      for await (const late of indexer.getSubscription(id, AbortSignal.timeout(2_000))) assert.fail(`${late.txid}`);
    });
    await assert.rejects(indexer.subscribeForScripts([scriptOf(bob)], id), /subscription .* not found/i);
  });

  test('the stream of transactions', async () => {
    const abort = new AbortController();
    const seen: string[] = [];
    const stream = (async () => {
      for await (const { arkTx, commitmentTx } of provider.getTransactionsStream(abort.signal)) {
        if (arkTx) seen.push(`ark ${arkTx.txid} ${arkTx.spentVtxos.length} ${arkTx.spendableVtxos.length}`);
        if (commitmentTx) seen.push(`commitment ${commitmentTx.txid} ${commitmentTx.spentVtxos.length}`);
      }
    })();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const paid = await alice.sendBitcoin({ address: await bob.getAddress(), amount: 1_000 });
    const settled = await bob.settle();
    await eventually(() => assert.deepEqual(seen, [`ark ${paid} 1 2`, `commitment ${settled} 4`]));
    abort.abort();
    await stream.catch(() => {});
  });

  test('the stream of batches begins with its name', async () => {
    const abort = new AbortController();
    const events = provider.getEventStream(abort.signal, [`${leaf.txid}:${leaf.vout}`]);
    const { value } = await events.next();
    assert.equal(value.type, 'stream_started');
    abort.abort();
  });

  test('calls out of place are refused', async () => {
    await assert.rejects(provider.confirmRegistration('no-such-intent'), { name: 'CONFIRMATION_SESSION_NOT_STARTED' });
    await assert.rejects(provider.submitTreeNonces('no-such-batch', `02${'11'.repeat(32)}`, new Map()));
    await assert.rejects(provider.submitSignedForfeitTxs(['invalid']));
    await assert.rejects(provider.finalizeTx('00'.repeat(32), []), { name: 'TX_NOT_FOUND' });
    const pending = await alice.makeGetPendingTxIntentSignature(await alice.getVtxos());
    assert.deepEqual(await provider.getPendingTxs(pending), []);
  });
});

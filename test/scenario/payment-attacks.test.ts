/** Threats 8, 33 and 35 off-chain: double spends, forged and faked finality, locked leaves, deep chains, huge requests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Account, type Coin, coinOf } from '../../src/ark/client/account.ts';
import { acceptCosigned, buildPayment, send, signCheckpoints } from '../../src/ark/client/offchain.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import { leafOfVtxo, signLeaves } from '../../src/ark/protocol/leaf-spend.ts';
import { vtxoScript } from '../../src/ark/protocol/vtxo.ts';
import { ARK_ROUTES, INDEXER_ROUTES } from '../../src/ark/wire/routes.ts';
import { encodeClosure } from '../../src/bitcoin/closure.ts';
import { parsePsbt, psbtBase64 } from '../../src/bitcoin/psbt.ts';
import type { TxOut } from '../../src/bitcoin/tx.ts';
import { memory, refusal } from '../support/adversary.ts';
import { paid, secp, type User, world } from '../support/world.ts';

async function scene(seed: string) {
  const w = await world({ seed });
  const [alice, bob] = [await w.user('alice'), await w.user('bob')];
  await w.note(alice, 50_000);
  await w.settle(alice);
  const coins = await spendableCoins(alice.client, alice.account);
  return { w, alice, bob, coins };
}

function prepared(user: User, coins: readonly Coin[], outputs: readonly TxOut[]) {
  const payment = buildPayment(user.client, user.account, coins, outputs);
  const body = { signedArkTx: psbtBase64(payment.arkTx), checkpointTxs: payment.checkpoints.map(psbtBase64) };
  const submit = () => user.client.transport.call({ route: ARK_ROUTES.submitTx, body });
  const finalCheckpointTxs = (checkpoints = payment.checkpoints): string[] =>
    signCheckpoints(user.client, user.account, checkpoints).map(psbtBase64);
  const finalize = (finals: readonly string[] = finalCheckpointTxs()) =>
    user.client.transport.call({
      route: ARK_ROUTES.finalizeTx,
      body: { arkTxid: payment.arkTxid, finalCheckpointTxs: finals },
    });
  return { payment, submit, finalize, finalCheckpointTxs };
}

test('of two payments over one coin one is signed, however they race, and the same one is not signed twice', async () => {
  const { w, alice, bob, coins } = await scene('pay/race');
  const toBob = prepared(alice, coins, [paid(bob.account, coins)]);
  const back = prepared(alice, coins, [paid(alice.account, coins)]);
  const tries = await Promise.allSettled([toBob.submit(), back.submit(), toBob.submit(), back.submit()]);
  const codes = tries.map((one) => (one.status === 'fulfilled' ? 'signed' : one.reason.code));
  assert.equal(codes.filter((code) => code === 'signed').length, 1);
  const others = new Set(codes.filter((code) => code !== 'signed'));
  assert.deepEqual([...others].sort(), ['INVALID_ARK_PSBT', 'VTXO_ALREADY_SPENT']);
  const [winner, loser] = codes[0] === 'signed' || codes[2] === 'signed' ? [toBob, back] : [back, toBob];
  assert.equal(await refusal(loser.finalize()), 'TX_NOT_FOUND');
  await winner.finalize();
  await w.rest();
  await w.audit.check();
  assert.equal(await refusal(winner.submit()), 'INVALID_ARK_PSBT');
});

test('two payments over the new coin of a third race the same way', async () => {
  const { w, alice, bob, coins } = await scene('pay/race2');
  await w.run(send(alice.client, alice.account, coins, [paid(bob.account, coins)]));
  const received = await spendableCoins(bob.client, bob.account);
  const rivals = [alice, bob].map(({ account }) => prepared(bob, received, [paid(account, received)]));
  const tries = await Promise.allSettled(rivals.map(({ submit }) => submit()));
  assert.deepEqual(tries.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
});

test('nothing is final without the owner’s own valid signatures on every checkpoint', async () => {
  const { w, alice, bob, coins } = await scene('pay/finality');
  const { payment, submit, finalize, finalCheckpointTxs } = prepared(alice, coins, [paid(bob.account, coins)]);
  const answer = await submit();
  const { checkpoints } = acceptCosigned(secp, alice.account, payment, answer);
  const before = await memory(w);
  const attempt = (finals: string[]) => refusal(finalize(finals));
  const [final] = finalCheckpointTxs() as [string];
  const signed = parsePsbt(final);
  const spoiled = {
    ...signed,
    inputs: signed.inputs.map((map) => ({
      ...map,
      tapScriptSigs: map.tapScriptSigs.map((sig) => ({ ...sig, signature: sig.signature.toReversed() })),
    })),
  };
  assert.equal(await attempt([]), 'CHECKPOINT_TX_INVALID');
  assert.equal(await attempt([final, final]), 'CHECKPOINT_TX_INVALID');
  assert.equal(await attempt(['AAAA']), 'CHECKPOINT_TX_NOT_FOUND');
  assert.equal(await attempt(checkpoints.map(psbtBase64)), 'INVALID_SIGNATURE');
  assert.equal(await attempt([psbtBase64(spoiled)]), 'INVALID_SIGNATURE');
  const byBob = signLeaves(secp, payment.checkpoints[0]!, bob.account.secret, new Uint8Array(32));
  assert.equal(await attempt([psbtBase64(byBob)]), 'INVALID_SIGNATURE');
  const other = { ...signed, tx: { ...signed.tx, locktime: 1 } };
  assert.equal(await attempt([psbtBase64(other)]), 'CHECKPOINT_TX_NOT_FOUND');
  assert.deepEqual(await memory(w), before);
  assert.deepEqual(await spendableCoins(bob.client, bob.account), []);
  await Promise.all([finalize(), finalize()]);
  await finalize();
  assert.equal((await spendableCoins(bob.client, bob.account)).length, 1);
  await w.rest();
  await w.audit.check();
});

test('what a payment makes cannot be spent before it is final, nor pay more than it spends', async () => {
  const { w, alice, bob, coins } = await scene('pay/early');
  const first = prepared(alice, coins, [paid(bob.account, coins)]);
  await first.submit();
  const unborn = coinOf(bob.account, 'vtxo', { txid: first.payment.arkTxid, vout: 0 }, 50_000n);
  const next = prepared(bob, [unborn], [paid(alice.account, [unborn])]);
  assert.equal(await refusal(next.submit()), 'VTXO_NOT_FOUND');
  await first.finalize();
  for (const amount of [50_001n, 49_999n]) {
    assert.equal(await refusal(prepared(bob, [unborn], [paid(alice.account, [], amount)]).submit()), 'ARK_TX_MISMATCH');
  }
  const inflated = { ...unborn, amount: 60_000n };
  assert.equal(
    await refusal(prepared(bob, [inflated], [paid(alice.account, [inflated])]).submit()),
    'INVALID_PSBT_INPUT',
  );
  await next.submit();
  await next.finalize();
  await w.rest();
  await w.audit.check();
});

test('a note pays nobody off-chain, and no stranger spends a coin', async () => {
  const { w, alice, bob, coins } = await scene('pay/strangers');
  const note = await w.note(bob, 9_000);
  const asVtxo = coinOf(bob.account, 'vtxo', note.outpoint, note.amount);
  const before = await memory(w);
  assert.equal(
    await refusal(prepared(bob, [asVtxo], [paid(bob.account, [asVtxo])]).submit()),
    'OFFCHAIN_TX_SPENDING_NOTE',
  );
  const stolen = { ...alice, account: { ...alice.account, secret: bob.account.secret } };
  assert.equal(await refusal(prepared(stolen, coins, [paid(bob.account, coins)]).submit()), 'ARK_TX_INPUT_NOT_SIGNED');
  const claimed = coinOf(bob.account, 'vtxo', coins[0]!.outpoint, 50_000n);
  assert.equal(await refusal(prepared(bob, [claimed], [paid(bob.account, [claimed])]).submit()), 'INVALID_PSBT_INPUT');
  assert.deepEqual(await memory(w), before);
});

/** Like the account's own VTXO, but its shared leaf waits for a height. */
function lockedAccount(account: Account, height: number): Account {
  const signer = account.vtxo.closures[0]!.keys[1]!;
  const locked = encodeClosure({ kind: 'cltv', locktime: height, keys: [account.publicKey, signer], form: 'checksig' });
  return { ...account, vtxo: vtxoScript(secp, [locked, account.vtxo.scripts[1]!]) };
}

test('a payment refused because its leaf is locked goes through, unchanged, once the lock has run', async () => {
  const { w, alice, bob, coins } = await scene('pay/locked');
  const height = (await w.chain.tip()).height + 3;
  const later = lockedAccount(bob.account, height);
  await w.run(send(alice.client, alice.account, coins, [paid(later, coins)]));
  const [vtxo] = await spendableCoins(bob.client, later);
  assert.ok(vtxo && leafOfVtxo(later.vtxo, vtxo.leaf.script));
  const claim = prepared({ ...bob, account: later }, [vtxo], [paid(bob.account, [vtxo])]);
  assert.equal(await refusal(claim.submit()), 'FORFEIT_CLOSURE_LOCKED');
  await w.mine(2);
  const before = await memory(w);
  assert.equal(await refusal(claim.submit()), 'FORFEIT_CLOSURE_LOCKED');
  assert.deepEqual(await memory(w), before);
  await w.mine(1);
  await claim.submit();
  await claim.finalize();
  assert.equal((await spendableCoins(bob.client, bob.account)).length, 1);
});

test('a chain of a thousand payments is still told at once, whole and by the page', async () => {
  const HOPS = 1_000;
  const { w, alice, coins } = await scene('pay/deep');
  let [coin] = coins as [Coin];
  for (let hop = 0; hop < HOPS; hop++) {
    const { payment, submit, finalize } = prepared(alice, [coin], [paid(alice.account, [coin])]);
    await submit();
    await finalize();
    coin = coinOf(alice.account, 'vtxo', { txid: payment.arkTxid, vout: 0 }, coin.amount);
  }
  const ask = async (query: object) => {
    const begun = performance.now();
    const params = { txid: coin.outpoint.txid, vout: 0 };
    const { chain } = await w.transport.call({ route: INDEXER_ROUTES.vtxoChain, params, query: { ...query } });
    return { chain: chain as { type: string }[], ms: performance.now() - begun };
  };
  const { chain, ms } = await ask({});
  // Two entries a hop, the leaf of the batch and its commitment.
  assert.equal(chain.length, 2 * HOPS + 2);
  assert.ok(ms < 2_000, `it took ${ms} ms`);
  assert.equal((await ask({ 'page.size': 100, 'page.index': 3 })).chain.length, 100);
  await w.settle(alice);
});

test('huge, deep and crowded requests are refused quickly, and the server serves on', async () => {
  const { w, alice } = await scene('pay/huge');
  const raw = (path: string, body: string) =>
    w.server.publicApp.request(path, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  const deep = '['.repeat(10_000) + ']'.repeat(10_000);
  const deepObject = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`;
  const long = 'A'.repeat(1 << 20);
  for (const { method, path } of Object.values(ARK_ROUTES)) {
    if (method !== 'POST') continue;
    for (const body of [
      deep,
      deepObject,
      `{"intent":${deepObject}}`,
      `{"intent":{"proof":"${long}","message":"${long}"}}`,
      'null',
      '1',
      '"',
      '',
    ]) {
      const begun = performance.now();
      const response = await raw(path, body);
      const { details } = (await response.json()) as { details: { name: string }[] };
      const isRefused = response.status === 400 || details[0]?.name === 'SIGNING_SESSION_TIMED_OUT';
      assert.ok(isRefused, `${path}: ${response.status} for ${body.slice(0, 20)}`);
      assert.ok(performance.now() - begun < 1_000);
    }
  }
  const scripts = Array.from({ length: 10_001 }, (_, i) => `5120${i.toString(16).padStart(64, '0')}`);
  const crowded = { route: INDEXER_ROUTES.vtxos, query: { scripts } };
  assert.equal(await refusal(w.transport.call(crowded)), 'HTTP_400');
  const topics = { route: ARK_ROUTES.batchEvents, query: { topics: scripts } };
  assert.equal(await refusal(w.transport.open(topics)), 'HTTP_400');
  const many = { route: INDEXER_ROUTES.subscribe, body: { scripts } };
  assert.equal(await refusal(w.transport.call(many)), 'HTTP_429');
  const txids = Array(20_001).fill('00'.repeat(32)).join();
  assert.equal(await refusal(w.transport.call({ route: INDEXER_ROUTES.virtualTxs, params: { txids } })), 'HTTP_400');
  await w.settle(alice);
});

test('a coin too many payments away from its batch can only be settled', async () => {
  const { w, alice, coins } = await scene('pay/depth');
  await w.db.write((tx) => tx.run('update ark_vtxo set depth = 10000 where spent_by is null'));
  assert.equal(await refusal(prepared(alice, coins, [paid(alice.account, coins)]).submit()), 'OFFCHAIN_TX_INVALID');
  await w.settle(alice);
  const fresh = await spendableCoins(alice.client, alice.account);
  await w.run(send(alice.client, alice.account, fresh, [paid(alice.account, fresh)]));
});

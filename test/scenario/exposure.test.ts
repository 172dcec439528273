/** Who may read what a VTXO descends from, and what strangers try in order to read it all the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Coin, signedIntent } from '../../src/ark/client/account.ts';
import { send } from '../../src/ark/client/offchain.ts';
import type { Exposure } from '../../src/ark/server/access.ts';
import { parsePsbt } from '../../src/bitcoin/psbt.ts';
import { ADMIN_TOKEN, paid, type User, type World, world } from '../support/world.ts';

interface Answer {
  readonly status: number;
  readonly chain: readonly { readonly txid: string; readonly type: string }[];
  readonly txs: readonly string[];
  readonly authToken: string;
  readonly nextPageToken: string;
  readonly code: number;
  readonly details: readonly { readonly name: string }[];
}

type Query = Readonly<Record<string, string>>;

async function get(ark: World, path: string, query: Query = {}): Promise<Answer> {
  const search = new URLSearchParams(query);
  const response = await ark.server.publicApp.request(`/v1/indexer/${path}?${search}`);
  return { status: response.status, ...((await response.json()) as Omit<Answer, 'status'>) };
}

const chainOf = (ark: World, { outpoint }: Pick<Coin, 'outpoint'>, query: Query = {}): Promise<Answer> =>
  get(ark, `vtxo/${outpoint.txid}/${outpoint.vout}/chain`, query);
const txsOf = (ark: World, txids: readonly string[], query: Query = {}): Promise<Answer> =>
  get(ark, `virtualTx/${txids.join(',')}`, query);

interface Claim {
  readonly type?: string;
  /** Unix seconds. */
  readonly expireAt?: number;
}

/** A proof of ownership as query parameters. */
function proofOf(ark: World, user: User, coins: readonly Coin[], { type = 'get-data', expireAt }: Claim = {}): Query {
  const until = expireAt ?? Math.floor(ark.clock.now() / 1000) + 60;
  const { proof, message } = signedIntent(
    user.client,
    user.account,
    { type: type as 'get-data', expireAt: until },
    coins,
  );
  return { 'intent.proof': proof, 'intent.message': message };
}

/** Alice paid Bob; both hold something whose chain goes through that payment. */
async function scene(exposure: Exposure) {
  const ark = await world({ seed: `exposure-${exposure}`, limits: { exposure } });
  const [alice, bob] = [await ark.user('alice'), await ark.user('bob')];
  await ark.note(alice, 50_000);
  await ark.note(bob, 20_000);
  await ark.settle(alice, bob);
  const { coins } = await ark.everything(alice);
  const [toBob, change] = [paid(bob.account, coins, 30_000n), paid(alice.account, coins, 20_000n)];
  await ark.run(send(alice.client, alice.account, coins, [toBob, change]));
  const of = async (user: User): Promise<Coin[]> => [...(await ark.everything(user)).coins];
  const bobs = await of(bob);
  return {
    ark,
    alice,
    bob,
    alices: await of(alice),
    /** What Alice paid, and what Bob settled himself. */
    received: bobs.find((coin) => coin.amount === 30_000n)!,
    settled: bobs.find((coin) => coin.amount === 20_000n)!,
  };
}

const isComplete = (psbt: string): boolean =>
  parsePsbt(psbt).inputs.every((input) => input.tapKeySig !== undefined || input.tapScriptSigs.length === 2);

test('in public everybody reads everything, with a proof or without', async () => {
  const { ark, bob, received } = await scene('public');
  const { status, chain, authToken } = await chainOf(ark, received);
  assert.deepEqual([status, authToken, chain[0]!.type], [200, '', 'INDEXER_CHAINED_TX_TYPE_ARK']);
  const proven = await chainOf(ark, received, proofOf(ark, bob, [received]));
  assert.deepEqual(proven.chain, chain);
  const txids = chain.filter(({ type }) => !type.endsWith('COMMITMENT')).map(({ txid }) => txid);
  const { txs } = await txsOf(ark, txids);
  assert.equal(txs.length, txids.length);
  assert.ok(txs.every(isComplete));
});

test('in private an owner proves once and reads on by the token', async () => {
  const { ark, bob, received } = await scene('private');
  const first = await chainOf(ark, received, proofOf(ark, bob, [received]));
  assert.equal(first.status, 200);
  const token = { token: first.authToken };
  assert.deepEqual((await chainOf(ark, received, token)).chain, first.chain);
  const txids = first.chain.filter(({ type }) => !type.endsWith('COMMITMENT')).map(({ txid }) => txid);
  const { status, txs } = await txsOf(ark, txids, token);
  assert.deepEqual([status, txs.length, txs.every(isComplete)], [200, txids.length, true]);
  const direct = await get(ark, 'virtualTx/-', proofOf(ark, bob, [received]));
  assert.deepEqual([direct.txs.length, direct.authToken], [1, first.authToken]);
});

test('in private a stranger learns nothing, not even what exists', async () => {
  const { ark, alice, alices, received, settled } = await scene('private');
  const missing = { outpoint: { ...received.outpoint, vout: 7 } };
  const nowhere = { outpoint: { txid: 'ab'.repeat(32) as typeof received.outpoint.txid, vout: 0 } };
  for (const coin of [received, missing, nowhere]) {
    const { status, code } = await chainOf(ark, coin);
    assert.deepEqual([status, code], [401, 16]);
  }
  assert.equal((await txsOf(ark, [received.outpoint.txid])).status, 401);
  assert.equal((await txsOf(ark, [nowhere.outpoint.txid])).status, 401);
  // Alice made the payment, so its transaction is hers to read too; what Bob settled himself is not.
  const { authToken: token } = await chainOf(ark, alices[0]!, proofOf(ark, alice, [alices[0]!]));
  for (const coin of [settled, nowhere]) assert.equal((await chainOf(ark, coin, { token })).status, 403);
  assert.equal((await txsOf(ark, [alices[0]!.outpoint.txid, settled.outpoint.txid], { token })).status, 403);
  for (const bad of ['x', 'A'.repeat(44), `${token.slice(1)}A`]) {
    assert.equal((await chainOf(ark, alices[0]!, { token: bad })).status, 401);
  }
});

test("nobody proves to own another's VTXO, nor one that is not there", async () => {
  const { ark, alice, alices, received } = await scene('private');
  const own = alices[0]!;
  const borrowed = { ...own, outpoint: received.outpoint };
  const invented = { ...own, outpoint: { ...own.outpoint, vout: 99 } };
  const refusals = [];
  for (const coins of [[borrowed], [invented], [own, borrowed]]) {
    const { status, details } = await chainOf(ark, received, proofOf(ark, alice, coins));
    refusals.push([status, details[0]!.name]);
  }
  assert.deepEqual(refusals, Array(3).fill([400, 'INVALID_INTENT_PROOF']));
});

test('a proof is good once, for a while, and for this alone', async () => {
  const { ark, bob, received } = await scene('private');
  const attempt = async (query: Query): Promise<unknown> => {
    const { status, details } = await chainOf(ark, received, query);
    return status === 200 ? 'read' : details[0]?.name;
  };
  const now = Math.floor(ark.clock.now() / 1000);
  const proof = proofOf(ark, bob, [received]);
  assert.equal(await attempt(proof), 'read');
  assert.equal(await attempt(proof), 'INVALID_INTENT_PROOF');
  assert.equal((await get(ark, 'virtualTx/-', proof)).details[0]!.name, 'INVALID_INTENT_PROOF');
  for (const expireAt of [now - 1, 0, now + 86_400]) {
    assert.equal(await attempt(proofOf(ark, bob, [received], { expireAt })), 'INVALID_INTENT_TIMERANGE');
  }
  for (const type of ['delete', 'get-pending-tx', 'get-intent']) {
    assert.equal(await attempt(proofOf(ark, bob, [received], { type })), 'INVALID_INTENT_MESSAGE');
  }
});

test('a token is over after its life, at once when the operator says so, and with the process', async () => {
  const { ark, bob, received } = await scene('private');
  const issue = async () => ({ token: (await chainOf(ark, received, proofOf(ark, bob, [received]))).authToken });
  const first = await issue();
  await ark.advance(299_000);
  assert.equal((await chainOf(ark, received, first)).status, 200);
  await ark.advance(1_000);
  assert.equal((await chainOf(ark, received, first)).status, 401);

  const second = await issue();
  const admin = async (path: string, body: object): Promise<Record<string, unknown>> => {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    return (await ark.server.adminApp.request(`/v1/admin/tokens${path}`, init)).json() as Promise<
      Record<string, unknown>
    >;
  };
  const { txid, vout } = received.outpoint;
  const { tokens } = (await admin('', { txid })) as { tokens: { outpoints: string[] }[] };
  assert.deepEqual(
    tokens.map(({ outpoints }) => outpoints),
    [[`${txid}:${vout}`]],
  );
  assert.equal((await admin('/revoke', { outpoint: `${txid}:${vout}` })).revokedCount, 1);
  assert.equal((await chainOf(ark, received, second)).status, 401);
  assert.equal((await admin('/revoke', {})).code, 3);

  const third = await issue();
  await ark.restart();
  assert.equal((await chainOf(ark, received, third)).status, 401);
});

test('withheld, a stranger follows the transactions and cannot broadcast one', async () => {
  const { ark, alice, bob, received } = await scene('withheld');
  const { status, chain } = await chainOf(ark, received);
  assert.equal(status, 200);
  const txids = chain.filter(({ type }) => !type.endsWith('COMMITMENT')).map(({ txid }) => txid);
  const { txs } = await txsOf(ark, txids);
  assert.equal(txs.length, txids.length);
  for (const psbt of txs) {
    const { inputs } = parsePsbt(psbt);
    assert.ok(inputs.every((input) => input.tapKeySig === undefined && input.tapScriptSigs.length < 2));
  }
  const { authToken: token } = await chainOf(ark, received, proofOf(ark, bob, [received]));
  assert.ok((await txsOf(ark, txids, { token })).txs.every(isComplete));
  assert.equal((await txsOf(ark, txids, { token: 'x' })).status, 401);
  assert.ok(alice);
});

test('what everybody is told of a payment shows as much as what everybody may read', async () => {
  for (const exposure of ['public', 'withheld', 'private'] as const) {
    const { ark, alice, alices, bob } = await scene(exposure);
    const response = await ark.server.publicApp.request('/v1/txs');
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    await ark.run(send(alice.client, alice.account, alices, [paid(bob.account, alices)]));
    const { value } = await reader.read();
    await reader.cancel();
    const { arkTx } = JSON.parse(value!.slice('data: '.length)) as {
      arkTx: { tx: string; checkpointTxs: Record<string, { tx: string }>; spendableVtxos: object[] };
    };
    const psbts = [arkTx.tx, ...Object.values(arkTx.checkpointTxs).map(({ tx }) => tx)];
    assert.equal(arkTx.spendableVtxos.length, 1);
    if (exposure === 'private') assert.deepEqual(psbts, ['']);
    else
      assert.deepEqual(
        psbts.map(isComplete),
        psbts.map(() => exposure === 'public'),
      );
  }
});

test('a long chain is read page by page, by number or by token, and is the same', async () => {
  const ark = await world({ seed: 'pages' });
  const alice = await ark.user('alice');
  await ark.note(alice, 10_000);
  await ark.settle(alice);
  for (let hop = 0; hop < 6; hop++) {
    const { coins } = await ark.everything(alice);
    await ark.run(send(alice.client, alice.account, coins, [paid(alice.account, coins)]));
  }
  const [coin] = (await ark.everything(alice)).coins as [Coin];
  const { chain: whole, nextPageToken } = await chainOf(ark, coin);
  assert.deepEqual([whole.length, nextPageToken], [14, '']);
  const numbered = [];
  for (const index of ['1', '2', '3']) {
    numbered.push(...(await chainOf(ark, coin, { 'page.index': index, 'page.size': '5' })).chain);
  }
  assert.deepEqual(numbered, whole);
  const first = await chainOf(ark, coin, { 'page.size': '5' });
  const read = [...first.chain];
  for (let pageToken = first.nextPageToken; pageToken !== ''; ) {
    const next = await chainOf(ark, coin, { pageToken, 'page.size': '4' });
    read.push(...next.chain);
    pageToken = next.nextPageToken;
  }
  assert.deepEqual(read, whole);
  const elsewhere = { outpoint: { txid: whole[2]!.txid as typeof coin.outpoint.txid, vout: 0 } };
  for (const [at, pageToken] of [
    [elsewhere, first.nextPageToken],
    [coin, 'x'],
    [coin, '%'],
  ] as const) {
    const { status, code } = await chainOf(ark, at, { pageToken });
    assert.deepEqual([status, code], [400, 3]);
  }
});

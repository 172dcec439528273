/** Threats 8 and 33: intents over coins of others, replayed, tampered with, doubled; boarding coins that move. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Coin, signedIntent } from '../../src/ark/client/account.ts';
import { deleteIntent, registerIntent, settle } from '../../src/ark/client/batch.ts';
import type { BatchOrder } from '../../src/ark/client/batch-session.ts';
import { buildPayment } from '../../src/ark/client/offchain.ts';
import { createCosignerKey } from '../../src/ark/client/tree-cosigning.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import type { IntentMessage } from '../../src/ark/protocol/intent-message.ts';
import { finalize, leafOfVtxo, signLeaves } from '../../src/ark/protocol/leaf-spend.ts';
import { ARK_ROUTES } from '../../src/ark/wire/routes.ts';
import { toHex } from '../../src/base/bytes.ts';
import { createPsbt, EMPTY_INPUT, parsePsbt, psbtBase64 } from '../../src/bitcoin/psbt.ts';
import { p2tr } from '../../src/bitcoin/script.ts';
import { txIn } from '../../src/bitcoin/tx.ts';
import { type Body, crimes, lying, memory, refusal, sending } from '../support/adversary.ts';
import { paid, secp, type User, type World, world } from '../support/world.ts';

async function scene(seed: string) {
  const w = await world({ seed });
  const [alice, mallory] = [await w.user('alice'), await w.user('mallory')];
  for (const user of [alice, mallory]) await w.note(user, 50_000);
  await w.settle(alice, mallory);
  const coinsOf = ({ client, account }: User) => spendableCoins(client, account);
  return { w, alice, mallory, coinsOf };
}

const register = (user: User, order: Partial<BatchOrder>): Promise<string> =>
  registerIntent(
    user.client,
    user.account,
    { coins: [], receivers: [], onchain: [], ...order },
    createCosignerKey(secp, user.client.random),
  );

/** What `work` is refused with; nothing the server remembers may have changed. */
async function refusedUnchanged(w: World, work: () => Promise<unknown>): Promise<string> {
  const before = await memory(w);
  const code = await refusal(work());
  assert.deepEqual(await memory(w), before);
  return code;
}

test('a coin is registered by its owner alone, as it is', async () => {
  const { w, alice, mallory, coinsOf } = await scene('forge/coins');
  const [hers] = (await coinsOf(alice)) as [Coin];
  const [own] = (await coinsOf(mallory)) as [Coin];
  const receivers = [paid(mallory.account, [], 50_000n)];
  const attempt = (coins: Coin[]) => refusedUnchanged(w, () => register(mallory, { coins, receivers }));
  assert.equal(await attempt([hers]), 'INVALID_INTENT_PROOF');
  assert.equal(await attempt([own, hers]), 'INVALID_INTENT_PROOF');
  assert.equal(await attempt([{ ...own, outpoint: hers.outpoint }]), 'INVALID_INTENT_PROOF');
  assert.equal(await attempt([{ ...own, amount: 60_000n }]), 'INVALID_INTENT_PROOF');
  assert.equal(await attempt([{ ...own, outpoint: { ...own.outpoint, vout: 9 } }]), 'VTXO_NOT_FOUND');
  const exit = mallory.account.vtxo.scripts[1]!;
  assert.equal(await attempt([{ ...own, leaf: leafOfVtxo(mallory.account.vtxo, exit)! }]), 'INVALID_INTENT_PROOF');
});

test('an intent pays no more than its coins, nothing above the limits, nobody without a cosigner', async () => {
  const { w, mallory, coinsOf } = await scene('forge/value');
  const coins = await coinsOf(mallory);
  const attempt = (order: Partial<BatchOrder>) => refusedUnchanged(w, () => register(mallory, { coins, ...order }));
  const out = (value: bigint) => ({ value, script: mallory.account.vtxo.script });
  assert.equal(await attempt({ receivers: [out(50_001n)] }), 'INTENT_INSUFFICIENT_FEE');
  assert.equal(await attempt({ receivers: [out(2n ** 63n - 1n)] }), 'INVALID_INTENT_PROOF');
  assert.equal(await attempt({ receivers: [out(-1n)] }), 'INVALID_INTENT_PROOF');
  assert.equal(await attempt({ receivers: [out(329n)] }), 'AMOUNT_TOO_LOW');
  assert.equal(await attempt({ receivers: [] }), 'INVALID_INTENT_PROOF');
  assert.equal(await attempt({ onchain: [{ value: 1_000n, script: Uint8Array.of(0x6a) }] }), 'INVALID_PKSCRIPT');
  assert.equal(await attempt({ receivers: [{ value: 1_000n, script: Uint8Array.of(0x51) }] }), 'INVALID_PKSCRIPT');
  const text = '{"type":"register","onchain_output_indexes":[],"valid_at":0,"expire_at":0,"cosigners_public_keys":[]}';
  const intent = { proof: psbtBase64(createPsbt({ version: 2, inputs: [], outputs: [], locktime: 0 })), message: text };
  const bare = () => w.transport.call({ route: ARK_ROUTES.registerIntent, body: { intent } });
  assert.equal(await refusedUnchanged(w, bare), 'INVALID_INTENT_PSBT');
});

test('a proof over another message, or one changed on its way, proves nothing', async () => {
  const { w, alice, mallory, coinsOf } = await scene('forge/message');
  const coins = await coinsOf(alice);
  const receivers = [paid(alice.account, coins)];
  const cosigner = createCosignerKey(secp, mallory.client.random).id;
  const message: IntentMessage = {
    type: 'register',
    onchainOutputIndexes: [],
    validAt: 0,
    expireAt: 0,
    cosignersPublicKeys: [cosigner],
  };
  const { proof, message: text } = signedIntent(alice.client, alice.account, message, coins, receivers);
  const post = (intent: object) =>
    refusedUnchanged(w, () => w.transport.call({ route: ARK_ROUTES.registerIntent, body: { intent } }));
  const other = createCosignerKey(secp, mallory.client.random).id;
  assert.equal(await post({ proof, message: text.replace(cosigner, other) }), 'INVALID_INTENT_PROOF');
  assert.equal(await post({ proof, message: `${text} ` }), 'INVALID_INTENT_PROOF');
  const psbt = parsePsbt(proof);
  const stolen = { ...psbt, tx: { ...psbt.tx, outputs: [paid(mallory.account, coins)] } };
  assert.equal(await post({ proof: psbtBase64(stolen), message: text }), 'INVALID_INTENT_PROOF');
  const bare = { ...psbt, inputs: psbt.inputs.map((map) => ({ ...map, tapScriptSigs: [] })) };
  assert.equal(await post({ proof: psbtBase64(bare), message: text }), 'INVALID_INTENT_PROOF');
  const removal = signedIntent(alice.client, alice.account, { type: 'delete', expireAt: 0 }, coins);
  assert.equal(await post(removal), 'INVALID_INTENT_MESSAGE');
});

test('times of an intent hold: not before, not after', async () => {
  const { w, alice, coinsOf } = await scene('forge/time');
  const coins = await coinsOf(alice);
  const now = Math.floor(w.clock.now() / 1000);
  const cosignersPublicKeys = [createCosignerKey(secp, alice.client.random).id];
  const attempt = (bounds: { validAt: number; expireAt: number }) => {
    const message = { type: 'register', onchainOutputIndexes: [], cosignersPublicKeys, ...bounds } as const;
    const intent = signedIntent(alice.client, alice.account, message, coins, [paid(alice.account, coins)]);
    return refusedUnchanged(w, () => w.transport.call({ route: ARK_ROUTES.registerIntent, body: { intent } }));
  };
  assert.equal(await attempt({ validAt: now + 10, expireAt: 0 }), 'INVALID_INTENT_TIMERANGE');
  assert.equal(await attempt({ validAt: 0, expireAt: now - 10 }), 'INVALID_INTENT_TIMERANGE');
});

test('one coin stands in one intent, however fast the second comes, and no note is redeemed twice', async () => {
  const { w, alice, coinsOf } = await scene('forge/twice');
  const coins = await coinsOf(alice);
  const note = await w.note(alice, 7_000);
  for (const input of [coins[0]!, note]) {
    const order = { coins: [input], receivers: [paid(alice.account, [input])] };
    const tries = await Promise.allSettled([register(alice, order), register(alice, order), register(alice, order)]);
    const refused = tries.filter((one) => one.status === 'rejected');
    assert.deepEqual(
      refused.map(({ reason }) => reason.code),
      ['INTERNAL_ERROR', 'INTERNAL_ERROR'],
    );
    // The very words by which clients know that they should delete the older intent.
    for (const { reason } of refused)
      assert.match(reason.message, /duplicated input.*already registered by another intent/);
    await deleteIntent(alice.client, alice.account, [input]);
  }
  assert.deepEqual(await w.db.read('select * from ark_intent_input'), []);
  await w.settle(alice);
  const spent = { coins: [note], receivers: [paid(alice.account, [note])] };
  assert.equal(await refusal(register(alice, spent)), 'VTXO_ALREADY_SPENT');
});

test('an intent is deleted by an owner of its coins alone; the proof may come again and then finds nothing', async () => {
  const { w, alice, mallory, coinsOf } = await scene('forge/delete');
  const [coins, hers] = [await coinsOf(alice), await coinsOf(mallory)];
  await register(alice, { coins, receivers: [paid(alice.account, coins)] });
  const attempt = (work: () => Promise<unknown>) => refusedUnchanged(w, work);
  assert.equal(await attempt(() => deleteIntent(mallory.client, mallory.account, coins)), 'INVALID_INTENT_PROOF');
  assert.equal(await attempt(() => deleteIntent(mallory.client, mallory.account, hers)), 'INVALID_INTENT_PROOF');
  const forged = { ...hers[0]!, outpoint: coins[0]!.outpoint };
  assert.equal(await attempt(() => deleteIntent(mallory.client, mallory.account, [forged])), 'INVALID_INTENT_PROOF');
  const intent = signedIntent(alice.client, alice.account, { type: 'delete', expireAt: 0 }, coins);
  const remove = () => w.transport.call({ route: ARK_ROUTES.deleteIntent, body: { intent } });
  await remove();
  assert.equal(await attempt(remove), 'INVALID_INTENT_PROOF');
});

test('a coin is either in an intent or in a payment', async () => {
  const { w, alice, coinsOf } = await scene('forge/race');
  for (let round = 0; round < 4; round++) {
    const coins = await coinsOf(alice);
    const outputs = [paid(alice.account, coins)];
    const payment = buildPayment(alice.client, alice.account, coins, outputs);
    const body = { signedArkTx: psbtBase64(payment.arkTx), checkpointTxs: payment.checkpoints.map(psbtBase64) };
    const submit = () => w.transport.call({ route: ARK_ROUTES.submitTx, body });
    const enroll = () => register(alice, { coins, receivers: outputs });
    const order = round % 2 === 0 ? [submit, enroll] : [enroll, submit];
    const tries = await Promise.allSettled(order.map((work) => work()));
    const refused = tries.filter((one) => one.status === 'rejected').map(({ reason }) => reason.code);
    assert.equal(refused.length, 1);
    assert.match(refused[0], /^VTXO_ALREADY_(SPENT|REGISTERED)$/);
    await w.rest();
    await w.audit.check();
    if (refused[0] === 'VTXO_ALREADY_SPENT') return;
    await deleteIntent(alice.client, alice.account, coins);
  }
});

test('a coin that was settled is in no intent any more', async () => {
  const { alice, w, coinsOf } = await scene('forge/spent');
  const coins = await coinsOf(alice);
  await w.settle(alice);
  assert.equal(
    await refusal(register(alice, { coins, receivers: [paid(alice.account, coins)] })),
    'VTXO_ALREADY_SPENT',
  );
});

/** The boarding coin's owner takes it back alone, which its exit delay allows from 40 confirmations on. */
async function takeBack(w: World, user: User, coin: Coin): Promise<void> {
  const script = user.account.boarding.scripts[1]!;
  const leaf = leafOfVtxo(user.account.boarding, script)!;
  const tx = {
    version: 2,
    inputs: [txIn(coin.outpoint, 40)],
    outputs: [{ value: coin.amount - 500n, script: p2tr(user.account.publicKey) }],
    locktime: 0,
  };
  const input = { ...EMPTY_INPUT, witnessUtxo: { value: coin.amount, script: coin.script } };
  const leafField = { tapLeafScripts: [{ script, controlBlock: leaf.controlBlock, version: 0xc0 }] };
  const psbt = createPsbt(tx, [{ ...input, ...leafField }]);
  await w.chain.broadcast(finalize(signLeaves(secp, psbt, user.account.secret, new Uint8Array(32))));
}

test('boarding needs a confirmed, unspent, young coin', async () => {
  const { w, alice } = await scene('board/register');
  const order = (coin: Coin) => ({ coins: [coin], receivers: [paid(alice.account, [coin])] });
  const coin = await w.board(alice, 30_000);
  await w.reorg(1);
  assert.equal(await refusedUnchanged(w, () => register(alice, order(coin))), 'INVALID_INTENT_PROOF');
  await w.mine(40);
  assert.equal(await refusedUnchanged(w, () => register(alice, order(coin))), 'INVALID_INTENT_PROOF');
  await takeBack(w, alice, coin);
  assert.equal(await refusedUnchanged(w, () => register(alice, order(coin))), 'VTXO_ALREADY_SPENT');
  const invented = { ...coin, outpoint: { ...coin.outpoint, vout: 77 } };
  assert.equal(await refusedUnchanged(w, () => register(alice, order(invented))), 'VTXO_NOT_FOUND');
  const exit = {
    coins: [await w.board(alice, 9_000)],
    onchain: [{ value: 1_000n, script: p2tr(alice.account.publicKey) }],
  };
  assert.equal(await refusedUnchanged(w, () => register(alice, exit)), 'INVALID_INTENT_PROOF');
});

test('a boarding coin that is taken back, reorganized away or too old by the time of the batch drops its intent only', async () => {
  const { w, alice, mallory } = await scene('board/moves');
  const moves: ((coin: Coin) => Promise<void>)[] = [
    () => w.reorg(1),
    () => w.mine(39),
    async (coin) => {
      await w.mine(39);
      await takeBack(w, mallory, coin);
    },
  ];
  for (const move of moves) {
    const coin = await w.board(mallory, 30_000);
    const order = { coins: [coin], receivers: [paid(mallory.account, [coin])], onchain: [] };
    const leave = new AbortController();
    const lost = refusal(settle(mallory.client, mallory.account, order, leave.signal));
    await w.rest();
    await move(coin);
    await w.settle(alice);
    leave.abort();
    assert.equal(await lost, 'STREAM_ENDED');
    assert.deepEqual(await w.db.read('select * from ark_intent'), []);
    await w.mine(1);
  }
  // Only its owner can have taken it back.
  assert.deepEqual(await crimes(w), { [toHex(mallory.account.boarding.script)]: ['DOUBLE_SPEND'] });
});

const boardingCrimes: readonly [name: string, change: (body: Body) => Body, fate: string][] = [
  ['no', (body) => ({ ...body, signedCommitmentTx: '' }), 'STREAM_ENDED'],
  [
    'a wrong',
    (body) => {
      const psbt = parsePsbt(body.signedCommitmentTx);
      const inputs = psbt.inputs.map((map) => ({
        ...map,
        tapScriptSigs: map.tapScriptSigs.map((sig) => ({
          ...sig,
          signature: sig.signature.map((byte, i) => (i === 9 ? byte ^ 1 : byte)),
        })),
      }));
      return { ...body, signedCommitmentTx: psbtBase64({ ...psbt, inputs }) };
    },
    'INVALID_BOARDING_INPUT_SIG',
  ],
  [
    'another transaction’s',
    (body) => {
      const psbt = parsePsbt(body.signedCommitmentTx);
      return { ...body, signedCommitmentTx: psbtBase64({ ...psbt, tx: { ...psbt.tx, locktime: 5 } }) };
    },
    'INVALID_BOARDING_INPUT_SIG',
  ],
];

for (const [name, change, fate] of boardingCrimes) {
  test(`${name} boarding signature: written down under the boarding script, the coin stays on chain`, async () => {
    const w = await world({ seed: `board/${name}` });
    const alice = await w.user('alice');
    const mallory = await w.user('mallory', lying({ submitForfeitTxs: sending(change) }));
    await w.note(alice, 50_000);
    const coin = await w.board(mallory, 30_000);
    const leave = new AbortController();
    const order = await w.everything(mallory);
    const lost = refusal(settle(mallory.client, mallory.account, order, leave.signal));
    await w.settle(alice);
    leave.abort();
    assert.equal(await w.run(lost), fate);
    assert.deepEqual(Object.values(await crimes(w)), [['BOARDING_SIGNATURE']]);
    assert.equal((await w.chain.output(coin.outpoint))?.spentBy, undefined);
  });
}

/** Assets under attack: made from nothing, taken from others, sent where they are lost, or grown without their control asset. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Coin, coinOf, signedIntent } from '../../src/ark/client/account.ts';
import { assetPacket, assetsOf, packetOutput } from '../../src/ark/client/assets.ts';
import { settle } from '../../src/ark/client/batch.ts';
import { buildPayment, send } from '../../src/ark/client/offchain.ts';
import { vtxosOf } from '../../src/ark/client/vtxos.ts';
import { type AssetGroup, type AssetId, type AssetPacket, assetIdOf } from '../../src/ark/protocol/asset-packet.ts';
import { ARK_ROUTES } from '../../src/ark/wire/routes.ts';
import type { Txid } from '../../src/base/bytes.ts';
import { psbtBase64 } from '../../src/bitcoin/psbt.ts';
import type { TxOut } from '../../src/bitcoin/tx.ts';
import { memory, refusal } from '../support/adversary.ts';
import { changed, coinsOf, issue, pay, supplyOf, toSelf, unitsOf } from '../support/assets.ts';
import { unroll } from '../support/unroll.ts';
import { paid, type User, type World, world } from '../support/world.ts';

/** Alice has issued gold, which a key controls; Mallory has 10 of its 500 units and the only unit of lead. */
async function scene(seed: string) {
  const w = await world({ seed });
  const [alice, mallory] = [await w.user('alice'), await w.user('mallory')];
  for (const user of [alice, mallory]) await w.note(user, 50_000);
  await w.settle(alice, mallory);
  const key = await issue(w, alice, 1n);
  const gold = await issue(w, alice, 500n, key);
  const lead = await issue(w, mallory, 1n);
  await pay(w, alice, mallory, 1_000n, gold, 10n);
  await toSelf(w, mallory, { outputs: [assetsOf(await coinsOf(mallory))] });
  const [coin] = (await coinsOf(mallory)) as [Coin];
  return { w, alice, mallory, key, gold, lead, coin };
}

const moves = (assetId: AssetId, inputs: AssetGroup['inputs'], outputs: AssetGroup['outputs']): AssetGroup => ({
  assetId,
  metadata: [],
  inputs,
  outputs,
});

/** What the server says to a payment of all that `user` has to itself with this packet; nothing may have changed. */
async function refusedPayment(w: World, user: User, packet: AssetPacket | undefined, outputs?: TxOut[]) {
  const coins = await coinsOf(user);
  const payment = buildPayment(user.client, user.account, coins, outputs ?? [paid(user.account, coins)], packet);
  const body = { signedArkTx: psbtBase64(payment.arkTx), checkpointTxs: payment.checkpoints.map(psbtBase64) };
  const before = await memory(w);
  const code = await refusal(user.client.transport.call({ route: ARK_ROUTES.submitTx, body }));
  assert.deepEqual(await memory(w), before);
  return code;
}

/** The same for an intent with these outputs, the packet last. */
async function refusedIntent(w: World, user: User, outputs: readonly TxOut[], packet: AssetPacket, onchain: number[]) {
  const message = {
    type: 'register',
    onchainOutputIndexes: onchain,
    validAt: 0,
    expireAt: 0,
    cosignersPublicKeys: [`02${'79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'}`],
  } as const;
  const all = packet.length > 0 ? [...outputs, packetOutput(packet)] : outputs;
  const intent = signedIntent(user.client, user.account, message, await coinsOf(user), all);
  const before = await memory(w);
  const code = await refusal(user.client.transport.call({ route: ARK_ROUTES.registerIntent, body: { intent } }));
  assert.deepEqual(await memory(w), before);
  return code;
}

test('no payment makes assets, takes those of others, or loses its own', async () => {
  const { w, mallory, key, gold, lead } = await scene('asset-attacks/payment');
  const attempt = (...packet: AssetGroup[]) => refusedPayment(w, mallory, packet);
  const ownLead = moves(lead, [{ vin: 0, amount: 1n }], [{ vout: 0, amount: 1n }]);
  const ownGold = [{ vin: 0, amount: 10n }];
  const to = (vout: number, amount = 10n) => [{ vout, amount }];
  assert.equal(await refusedPayment(w, mallory, undefined), 'ASSET_VALIDATION_FAILED');
  assert.equal(await attempt(ownLead), 'ASSET_NOT_FOUND');
  assert.equal(await attempt(ownLead, moves(gold, ownGold, to(0, 11n))), 'ASSET_NOT_FOUND', 'it lacks the key');
  const grown = moves(gold, ownGold, to(0, 11n));
  assert.equal(await attempt(ownLead, grown, moves(key, [{ vin: 0, amount: 1n }], to(0, 1n))), 'ASSET_INPUT_INVALID');
  assert.equal(await attempt(ownLead, grown, moves(key, [], to(0, 1n))), 'CONTROL_ASSET_NOT_FOUND');
  assert.equal(await attempt(moves(lead, [{ vin: 0, amount: 1n }], to(0, 2n)), grown), 'CONTROL_ASSET_INVALID');
  assert.equal(await attempt(ownLead, moves(gold, [{ vin: 0, amount: 500n }], to(0, 500n))), 'ASSET_INPUT_INVALID');
  assert.equal(await attempt(ownLead, moves(gold, [...ownGold, { vin: 1, amount: 5n }], to(0))), 'ASSET_INPUT_INVALID');
  assert.equal(await attempt(ownLead, moves(gold, [], [])), 'ASSET_PACKET_INVALID');
  for (const vout of [1, 2, 3, 0xffff]) {
    assert.equal(await attempt(ownLead, moves(gold, ownGold, to(vout))), 'ASSET_OUTPUT_INVALID', `output ${vout}`);
  }
  assert.deepEqual([await unitsOf(mallory, gold), await supplyOf(mallory, gold)], [10n, 500n]);
});

test('a taken id is issued no second time, and no group hides behind another', async () => {
  const { w, mallory, gold, lead } = await scene('asset-attacks/ids');
  const attempt = (...packet: AssetGroup[]) => refusedPayment(w, mallory, packet);
  const own = [
    moves(lead, [{ vin: 0, amount: 1n }], [{ vout: 0, amount: 1n }]),
    moves(gold, [{ vin: 0, amount: 10n }], [{ vout: 0, amount: 10n }]),
  ];
  const issuing = (more: Partial<AssetGroup>): AssetGroup => ({
    metadata: [],
    inputs: [],
    outputs: [{ vout: 0, amount: 1n }],
    ...more,
  });
  assert.equal(await attempt(...own, issuing({ assetId: gold })), 'ASSET_PACKET_INVALID');
  assert.equal(await attempt(...own, own[0]!), 'ASSET_PACKET_INVALID');
  assert.equal(await attempt(...own, issuing({ control: { kind: 'group', index: 3 } })), 'ASSET_PACKET_INVALID');
  assert.equal(await attempt(...own, issuing({ control: { kind: 'group', index: 0xffff } })), 'ASSET_PACKET_INVALID');
  assert.equal(await attempt(...own, issuing({ control: { kind: 'group', index: 1 } })), 'ASSET_VALIDATION_FAILED');
  assert.equal(await attempt(...own, issuing({ control: { kind: 'group', index: 2 } })), 'CONTROL_ASSET_INVALID');
  const unknown = assetIdOf('77'.repeat(32) as Txid, 0);
  assert.equal(await attempt(...own, issuing({ assetId: unknown })), 'ASSET_VALIDATION_FAILED');
  const ofUnknown = issuing({ control: { kind: 'id', assetId: unknown } });
  assert.equal(await attempt(...own, ofUnknown), 'ASSET_VALIDATION_FAILED');
});

test('a VTXO cannot be filled with more assets than could leave it again', async () => {
  const { w, alice } = await scene('asset-attacks/crowd');
  const one: AssetGroup = { metadata: [], inputs: [], outputs: [{ vout: 0, amount: 1n }] };
  const own = assetPacket(await coinsOf(alice), { outputs: [assetsOf(await coinsOf(alice))] })!;
  const crowd = Array.from({ length: 109 }, () => one);
  assert.equal(await refusedPayment(w, alice, [...own, ...crowd]), 'VTXO_WITH_TOO_MANY_ASSETS');
  const coins = await coinsOf(alice);
  const issues = crowd.slice(1).map(({ outputs }) => ({ outputs }));
  const plan = { outputs: [assetsOf(coins)], issues };
  await w.run(send(alice.client, alice.account, coins, [paid(alice.account, coins)], plan));
  assert.equal(assetsOf(await coinsOf(alice)).length, 110);
  await w.settle(alice);
  assert.equal(assetsOf(await coinsOf(alice)).length, 110);
});

test('no intent makes assets, takes those of others, or loses its own', async () => {
  const { w, mallory, gold, lead, coin } = await scene('asset-attacks/intent');
  const own = paid(mallory.account, [coin]);
  const onchain = { value: 1_000n, script: mallory.account.boarding.script };
  const rest = { ...own, value: own.value - onchain.value };
  const ownLead = moves(lead, [{ vin: 1, amount: 1n }], [{ vout: 0, amount: 1n }]);
  const toOutput = (vout: number) => moves(gold, [{ vin: 1, amount: 10n }], [{ vout, amount: 10n }]);
  const attempt = (...packet: AssetGroup[]) => refusedIntent(w, mallory, [own], packet, []);
  assert.equal(await attempt(), 'ASSET_VALIDATION_FAILED');
  assert.equal(await attempt(ownLead), 'ASSET_NOT_FOUND');
  assert.equal(await attempt(ownLead, toOutput(1)), 'ASSET_OUTPUT_INVALID', 'the packet');
  assert.equal(await attempt(ownLead, toOutput(2)), 'ASSET_OUTPUT_INVALID', 'where the leaf has its anchor');
  const byProofInput = moves(gold, [{ vin: 0, amount: 10n }], [{ vout: 0, amount: 10n }]);
  assert.equal(await attempt(ownLead, byProofInput), 'ASSET_INPUT_INVALID');
  const ofLeaf = { ...toOutput(0), inputs: [{ vin: 1, amount: 10n, intentTxid: '77'.repeat(32) as Txid }] };
  assert.equal(await attempt(ownLead, ofLeaf), 'ASSET_INPUT_INVALID');
  const issuing: AssetGroup = { metadata: [], inputs: [], outputs: [{ vout: 0, amount: 1n }] };
  assert.equal(await attempt(ownLead, toOutput(0), issuing), 'INVALID_INTENT_PROOF');
  const grown = moves(gold, [{ vin: 1, amount: 10n }], [{ vout: 0, amount: 11n }]);
  assert.equal(await attempt(ownLead, grown), 'ASSET_NOT_FOUND');

  const exit = (outputs: TxOut[], index: number, ...packet: AssetGroup[]) =>
    refusedIntent(w, mallory, outputs, packet, [index]);
  assert.equal(await exit([rest, onchain], 1, ownLead, toOutput(1)), 'ASSET_OUTPUT_INVALID', 'an on-chain output');
  const toSecond = { ...ownLead, outputs: [{ vout: 1, amount: 1n }] };
  // The leaf would have the receiver first, and the assets where its packet is.
  assert.equal(await exit([onchain, rest], 0, toSecond, toOutput(1)), 'ASSET_OUTPUT_INVALID', 'another place');
});

test('of two payments with one control asset one is signed', async () => {
  const { w, alice, gold } = await scene('asset-attacks/race');
  const coins = await coinsOf(alice);
  const submit = (amount: bigint) => {
    const packet = assetPacket(coins, { outputs: [changed(assetsOf(coins), gold, amount)] });
    const payment = buildPayment(alice.client, alice.account, coins, [paid(alice.account, coins)], packet);
    const body = { signedArkTx: psbtBase64(payment.arkTx), checkpointTxs: payment.checkpoints.map(psbtBase64) };
    return alice.client.transport.call({ route: ARK_ROUTES.submitTx, body });
  };
  const tries = await Promise.allSettled([submit(5n), submit(6n), submit(7n)]);
  assert.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1);
  // Until it is final there is no more of it.
  assert.equal(await supplyOf(alice, gold), 500n);
  await w.audit.check();
});

test('assets of a VTXO that went on chain come back with it, whole or not at all', async () => {
  const { w, alice, gold } = await scene('asset-attacks/unroll');
  const [{ branch }] = (await w.settle(alice)) as [Awaited<ReturnType<typeof settle>>];
  await w.mine(1);
  await unroll(w, branch);
  const unrolled = (await vtxosOf(alice.client, alice.account)).find(({ isUnrolled }) => isUnrolled)!;
  const bare: Coin = { ...coinOf(alice.account, 'vtxo', unrolled.outpoint, unrolled.amount), kind: 'boarding' };
  const order = (coin: Coin) => ({ coins: [coin], receivers: [paid(alice.account, [coin])], onchain: [] });
  assert.equal(await refusal(settle(alice.client, alice.account, order(bare))), 'ASSET_VALIDATION_FAILED');
  const settled = settle(alice.client, alice.account, order({ ...bare, assets: unrolled.assets }));
  await w.advance(4_000);
  await settled;
  assert.equal(await unitsOf(alice, gold), 490n);
});

test('no intent gets a leaf that is too heavy to leave', async () => {
  const { w, mallory, gold, lead, coin } = await scene('asset-attacks/heavy');
  const metadata = [{ key: Uint8Array.of(1), value: new Uint8Array(9_800) }];
  const packet = [
    { ...moves(gold, [{ vin: 1, amount: 10n }], [{ vout: 0, amount: 10n }]), metadata },
    moves(lead, [{ vin: 1, amount: 1n }], [{ vout: 0, amount: 1n }]),
  ];
  assert.equal(await refusedIntent(w, mallory, [paid(mallory.account, [coin])], packet, []), 'TX_TOO_LARGE');
});

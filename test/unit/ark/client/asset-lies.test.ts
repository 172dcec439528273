/** Threat 7 with assets: an honest client against a server that drops, changes or adds assets in the batch's leaf. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Coin } from '../../../../src/ark/client/account.ts';
import { assetPacket, packetOutput } from '../../../../src/ark/client/assets.ts';
import { leafPacketOutput, proofOutputs } from '../../../../src/ark/client/batch-order.ts';
import type { BatchOrder } from '../../../../src/ark/client/batch-session.ts';
import {
  type AssetGroup,
  type AssetPacket,
  assetIdOf,
  assetPacketOf,
} from '../../../../src/ark/protocol/asset-packet.ts';
import { parseExtension, printExtension } from '../../../../src/ark/protocol/extension.ts';
import { fromHex, type Txid } from '../../../../src/base/bytes.ts';
import type { TxOut } from '../../../../src/bitcoin/tx.ts';
import { codeOf } from '../protocol/support.ts';
import { anyTxid, mine, ORDER, play, vtxoCoin } from './support.ts';

const [GOLD, SILVER] = ['a1', 'a2'].map((byte) => assetIdOf(byte.repeat(32) as Txid, 0)) as [never, never];
const coin: Coin = {
  ...vtxoCoin,
  assets: [
    { assetId: GOLD, amount: 10n },
    { assetId: SILVER, amount: 3n },
  ],
};
const order: BatchOrder = {
  ...ORDER,
  coins: [coin, ...ORDER.coins.slice(1)],
  assets: [[{ assetId: GOLD, amount: 4n }], [{ assetId: GOLD, amount: 6n }]],
};

/** The leaf's outputs as a liar makes them of the honest ones. */
const withOutputs = (asked: BatchOrder, change: (outputs: readonly TxOut[]) => readonly TxOut[]) =>
  codeOf(() => play(asked, { leaves: ([own, other]) => [{ ...own!, outputs: change(own!.outputs) }, other!] }));

/** The leaf with another packet in place of the honest one. */
const withPacket = (change: (packet: AssetPacket) => AssetPacket) =>
  withOutputs(order, (outputs) => [
    ...outputs.slice(0, -1),
    packetOutput(change(assetPacketOf(parseExtension(outputs.at(-1)!.script))!)),
  ]);
const inGold = (change: (group: AssetGroup) => AssetGroup) =>
  withPacket((packet) => packet.map((group) => (group.assetId === GOLD ? change(group) : group)));

test('a leaf with the assets as ordered is signed, and what is left out of the order is burned', () => {
  const { session } = play(order);
  assert.equal(session.outcome()!.vtxos.length, 2);
  const [gold, silver] = assetPacketOf(parseExtension(proofOutputs(order).at(-1)!.script))!;
  assert.deepEqual(gold!.inputs, [{ vin: 1, amount: 10n }]);
  assert.deepEqual(silver!.outputs, []);
});

test('by default the first receiver gets all assets', () => {
  const { assets: _, ...unsaid } = order;
  play(unsaid);
  const packet = assetPacketOf(parseExtension(proofOutputs(unsaid).at(-1)!.script))!;
  assert.deepEqual(
    packet.map(({ outputs }) => outputs),
    [[{ vout: 0, amount: 10n }], [{ vout: 0, amount: 3n }]],
  );
});

test('a leaf that lost the packet, or has another, is not signed', () => {
  assert.equal(
    withOutputs(order, (outputs) => outputs.slice(0, -1)),
    'LEAF_CHANGED',
  );
  assert.equal(
    withPacket((packet) => packet.slice(1)),
    'LEAF_CHANGED',
  );
  assert.equal(
    inGold((gold) => ({ ...gold, outputs: [{ vout: 0, amount: 5n }, gold.outputs[1]!] })),
    'LEAF_CHANGED',
  );
  assert.equal(
    inGold((gold) => ({
      ...gold,
      outputs: [
        { vout: 0, amount: 6n },
        { vout: 1, amount: 4n },
      ],
    })),
    'LEAF_CHANGED',
  );
  assert.equal(
    inGold((gold) => ({ ...gold, assetId: assetIdOf(anyTxid, 0) })),
    'LEAF_CHANGED',
  );
  assert.equal(
    inGold((gold) => ({ ...gold, inputs: [{ intentTxid: anyTxid, vin: 0, amount: 0n }] })),
    'LEAF_CHANGED',
  );
  assert.equal(
    inGold((gold) => ({ ...gold, inputs: [{ vin: 0, amount: 10n }] })),
    'LEAF_CHANGED',
  );
});

test('nothing is slipped into a leaf: no packet where none was ordered, no other packet, no further output', () => {
  const gift = packetOutput(assetPacket([], { outputs: [], issues: [{ outputs: [{ vout: 0, amount: 1n }] }] })!);
  assert.equal(
    withOutputs(ORDER, (outputs) => [...outputs, gift]),
    'LEAF_CHANGED',
  );
  const also = { type: 7, data: fromHex('00') };
  const withOther = ({ script }: TxOut): TxOut => ({
    value: 0n,
    script: printExtension([...parseExtension(script), also]),
  });
  assert.equal(
    withOutputs(order, (outputs) => [...outputs.slice(0, -1), withOther(outputs.at(-1)!)]),
    'LEAF_CHANGED',
  );
  assert.equal(
    withOutputs(order, (outputs) => [...outputs, mine(0n)]),
    'LEAF_CHANGED',
  );
});

test('assets with nowhere to go are burned on their owner’s word alone', () => {
  const leaving: BatchOrder = { ...ORDER, coins: [coin], receivers: [] };
  assert.throws(() => proofOutputs(leaving), RangeError);
  const packet = assetPacketOf(parseExtension(proofOutputs({ ...leaving, assets: [] }).at(-1)!.script))!;
  assert.ok(packet.every(({ outputs }) => outputs.length === 0));
  assert.equal(leafPacketOutput(ORDER, anyTxid), undefined);
});

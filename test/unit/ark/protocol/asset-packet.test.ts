import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asset as sdk } from '@arkade-os/sdk';
import fc from 'fast-check';
import {
  type AssetGroup,
  type AssetPacket,
  assetExtension,
  assetIdOf,
  assetPacketOf,
  leafExtension,
  parseAssetId,
  parseAssetPacket,
  parseMetadata,
  printAssetPacket,
  printMetadata,
} from '../../../../src/ark/protocol/asset-packet.ts';
import { printExtension } from '../../../../src/ark/protocol/extension.ts';
import { concat, fromHex, type Txid, toHex, utf8 } from '../../../../src/base/bytes.ts';
import { DecodeError } from '../../../../src/bitcoin/reader.ts';
import { assetPacket } from '../../../support/asset-packets.ts';
import { codeOf } from './support.ts';

const TXID = 'ab'.repeat(32) as Txid;
const ID = assetIdOf(TXID, 0x0102);

const sdkGroup = ({ assetId, control, metadata, inputs, outputs }: AssetGroup): sdk.AssetGroup => {
  const controlRef = () =>
    control!.kind === 'id'
      ? sdk.AssetRef.fromId(sdk.AssetId.fromString(control!.assetId))
      : sdk.AssetRef.fromGroupIndex(control!.index);
  return sdk.AssetGroup.create(
    assetId ? sdk.AssetId.fromString(assetId) : null,
    control ? controlRef() : null,
    inputs.map(({ vin, amount, intentTxid }) =>
      intentTxid ? sdk.AssetInput.createIntent(intentTxid, vin, amount) : sdk.AssetInput.create(vin, amount),
    ),
    outputs.map(({ vout, amount }) => sdk.AssetOutput.create(vout, amount)),
    metadata.map(({ key, value }) => sdk.Metadata.create(key, value)),
  );
};
const sdkPacket = (packet: AssetPacket): sdk.Packet => sdk.Packet.create(packet.map(sdkGroup));

test('asset packets print as in the SDK and come back', () => {
  fc.assert(
    fc.property(assetPacket, (packet) => {
      const bytes = printAssetPacket(packet);
      assert.equal(toHex(bytes), sdkPacket(packet).toString());
      assert.deepEqual(parseAssetPacket(bytes), packet);
    }),
  );
});

test('the SDK turns an intent’s packet into the same leaf packet, whatever other packets are beside it', () => {
  fc.assert(
    fc.property(assetPacket, (packet) => {
      const other = { type: 7, data: fromHex('0102') };
      const [assets, rest, ...more] = leafExtension([...assetExtension(packet), other], TXID);
      assert.equal(toHex(assets!.data), sdkPacket(packet).leafTxPacket(fromHex(TXID)).toString());
      assert.deepEqual([rest, more], [other, []]);
    }),
  );
});

test('an issuance with a name is the one that the protocol’s notes have', () => {
  const packet: AssetPacket = [
    {
      metadata: [{ key: utf8('name'), value: utf8('X') }],
      inputs: [],
      outputs: [{ vout: 0, amount: 500n }],
    },
  ];
  assert.equal(toHex(printExtension(assetExtension(packet))), '6a1641524b0011010401046e616d6501580001010000f403');
});

test('an asset id is a txid in display order and a little-endian index, as in the SDK', () => {
  assert.equal(ID, `${TXID}0201`);
  assert.equal(ID, sdk.AssetId.create(TXID, 0x0102).toString());
  assert.equal(parseAssetId(ID.toUpperCase()), ID);
  for (const text of ['', TXID, `${ID}00`, ID.slice(1), `${TXID}xy00`]) {
    assert.throws(() => parseAssetId(text), TypeError, text);
  }
});

test('metadata comes back and keeps its order', () => {
  const metadata = ['b', 'a'].map((name) => ({ key: utf8(name), value: utf8(name) }));
  const bytes = printMetadata(metadata);
  assert.deepEqual(parseMetadata(bytes), metadata);
  assert.equal(toHex(bytes), sdkMetadata(metadata));
  for (const hex of ['', '01', '010161', '0101610162ff', '01000161', '01016100']) {
    assert.throws(() => parseMetadata(fromHex(hex)), DecodeError, hex);
  }
});

const sdkMetadata = (metadata: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]): string =>
  toHex(new sdk.MetadataList(metadata.map(({ key, value }) => sdk.Metadata.create(key, value))).serialize());

const group = (more: Partial<AssetGroup> = {}): AssetGroup => ({
  assetId: ID,
  metadata: [],
  inputs: [{ vin: 0, amount: 5n }],
  outputs: [{ vout: 0, amount: 5n }],
  ...more,
});
const issuing = (more: Partial<AssetGroup> = {}): AssetGroup => {
  const { assetId: _, ...rest } = group({ inputs: [], ...more });
  return rest;
};

test('a packet that makes no sense is malformed', () => {
  const control = { kind: 'id', assetId: ID } as const;
  const nonsense: Record<string, AssetPacket> = {
    'no group': [],
    'two groups of one asset': [group(), group()],
    'an empty group': [group({ inputs: [], outputs: [] })],
    'an empty issuance': [issuing({ outputs: [] })],
    'an issuance with inputs': [issuing({ inputs: [{ vin: 0, amount: 5n }] })],
    'a control asset where nothing is issued': [group({ control })],
    'a control asset in the group after the last': [issuing({ control: { kind: 'group', index: 1 } })],
    'a control asset in the last group there could be': [issuing({ control: { kind: 'group', index: 0xffff } })],
    'an input twice': [
      group({
        inputs: [
          { vin: 1, amount: 2n },
          { vin: 1, amount: 3n },
        ],
      }),
    ],
    'inputs of two kinds': [
      group({
        inputs: [
          { vin: 1, amount: 2n },
          { vin: 2, amount: 3n, intentTxid: TXID },
        ],
      }),
    ],
    'an output twice': [
      group({
        outputs: [
          { vout: 1, amount: 2n },
          { vout: 1, amount: 3n },
        ],
      }),
    ],
    'an output of nothing': [group({ outputs: [{ vout: 0, amount: 0n }] })],
    'an asset of no transaction': [group({ assetId: assetIdOf('00'.repeat(32) as Txid, 0) })],
    'an intent of no transaction': [group({ inputs: [{ vin: 0, amount: 0n, intentTxid: '00'.repeat(32) as Txid }] })],
    'metadata without a key': [group({ metadata: [{ key: utf8(''), value: utf8('x') }] })],
    'metadata without a value': [group({ metadata: [{ key: utf8('x'), value: utf8('') }] })],
    'more than 64 bits': [group({ outputs: [{ vout: 0, amount: 2n ** 64n }] })],
    'too many outputs': [group({ outputs: Array.from({ length: 1_001 }, (_, vout) => ({ vout, amount: 1n })) })],
  };
  parseAssetPacket(printAssetPacket([group(), issuing(), issuing({ control: { kind: 'group', index: 1 } })]));
  for (const [name, packet] of Object.entries(nonsense)) {
    const data = printAssetPacket(packet);
    assert.throws(() => parseAssetPacket(data), DecodeError, name);
    const code = codeOf(() => assetPacketOf([{ type: 0, data }]));
    assert.equal(code, 'ASSET_PACKET_INVALID', name);
  }
  assert.equal(assetPacketOf([{ type: 1, data: fromHex('ff') }]), undefined);
  assert.equal(assetPacketOf(undefined), undefined);
});

test('a packet that another way of writing would give is malformed', () => {
  const sound = printAssetPacket([group()]);
  const spelled = {
    'a byte too many': concat(sound, fromHex('00')),
    'a byte too few': sound.subarray(0, -1),
    'a padded count': concat(fromHex('8100'), sound.subarray(1)),
    'a bit that stands for nothing': concat(sound.subarray(0, 1), fromHex('09'), sound.subarray(2)),
    'metadata announced and not there': concat(fromHex('0105'), fromHex(ID), fromHex('00'), sound.subarray(36)),
    'a padded amount': concat(sound.subarray(0, -1), fromHex('8500')),
    'an output of another kind': concat(sound.subarray(0, -4), fromHex('02'), sound.subarray(-3)),
    'an input of another kind': concat(sound.subarray(0, -9), fromHex('03'), sound.subarray(-8)),
    'a count far beyond what is there': fromHex('ffffffffffffffffff01'),
  };
  for (const [name, bytes] of Object.entries(spelled)) {
    assert.throws(() => parseAssetPacket(bytes), DecodeError, name);
  }
});

test('no bytes throw anything but a decoding error', () => {
  const mangled = fc.tuple(assetPacket.map(printAssetPacket), fc.nat(), fc.nat(255)).map(([bytes, at, value]) => {
    const copy = Uint8Array.from(bytes);
    copy[at % copy.length] = value;
    return copy;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 120 }), mangled), (bytes) => {
      try {
        assert.deepEqual(printAssetPacket(parseAssetPacket(bytes)), bytes);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
      }
    }),
  );
});

/** Asset packets at random, all of them sound. */
import fc from 'fast-check';
import { type AssetGroup, type AssetPacket, assetIdOf } from '../../src/ark/protocol/asset-packet.ts';
import { type Txid, toHex } from '../../src/base/bytes.ts';

const txid = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => {
  bytes[0]! |= 1;
  return toHex(bytes) as Txid;
});
const index = fc.integer({ min: 0, max: 0xffff });
const units = fc.oneof(fc.bigInt({ min: 1n, max: 300n }), fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }));
const assetId = fc.tuple(txid, index).map(([id, group]) => assetIdOf(id, group));
const blob = fc.uint8Array({ minLength: 1, maxLength: 20 });
const plain = { noNullPrototype: true } as const;
const metadata = fc.array(fc.record({ key: blob, value: blob }, plain), { maxLength: 3 });
const outputs = (minLength: number) =>
  fc.uniqueArray(fc.record({ vout: index, amount: units }, plain), {
    minLength,
    maxLength: 4,
    selector: ({ vout }) => vout,
  });
const inputs = fc.uniqueArray(fc.record({ vin: index, amount: units }, plain), {
  minLength: 1,
  maxLength: 4,
  selector: ({ vin }) => vin,
});
const intentInput = txid.map((intentTxid) => [{ intentTxid, vin: 0, amount: 0n }]);

const moved: fc.Arbitrary<AssetGroup> = fc.record(
  { assetId, metadata, inputs: fc.oneof(inputs, intentInput), outputs: outputs(0) },
  plain,
);
const issued: fc.Arbitrary<AssetGroup> = fc.record({ metadata, inputs: fc.constant([]), outputs: outputs(1) }, plain);
const reissuable: fc.Arbitrary<AssetGroup> = fc.record(
  {
    control: fc.oneof(
      assetId.map((id) => ({ kind: 'id', assetId: id }) as const),
      fc.constant({ kind: 'group', index: 0 } as const),
    ),
    metadata,
    inputs: fc.constant([]),
    outputs: outputs(1),
  },
  plain,
);

let unnamed = 0;
export const assetPacket: fc.Arbitrary<AssetPacket> = fc.uniqueArray(fc.oneof(moved, issued, reissuable), {
  minLength: 1,
  maxLength: 5,
  selector: (group) => group.assetId ?? unnamed++,
});

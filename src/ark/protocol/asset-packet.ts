/**
 * Asset packets: the packet of an extension that says which assets a transaction's inputs bring and which of its outputs
 * carry them on. One group an asset; a group without an id issues a new one, which gets its id from the transaction.
 */
import { type Bytes, concat, equal, fromHex, isTxid, join, parseTxid, type Txid, toHex } from '../../base/bytes.ts';
import { DecodeError, Reader, u16le } from '../../bitcoin/reader.ts';
import { reading } from './errors.ts';
import { ASSET_PACKET, type Extension, readUvarint, readVarSlice, uvarint } from './extension.ts';

/** 68 hex digits: txid (display order) of the transaction that issued it, and the group's index there (u16 LE). */
export type AssetId = string & { readonly __brand: 'AssetId' };

/** So many units of an asset: 1 … 2^64 - 1. */
export interface AssetAmount {
  readonly assetId: AssetId;
  readonly amount: bigint;
}

/** Neither key nor value is empty. */
export interface Metadata {
  readonly key: Bytes;
  readonly value: Bytes;
}

/** Whoever spends the control asset may issue more: one that exists, or one issued by a group of the same packet. */
export type ControlRef =
  | { readonly kind: 'id'; readonly assetId: AssetId }
  | { readonly kind: 'group'; readonly index: number };

export interface AssetInput {
  readonly vin: number;
  readonly amount: bigint;
  /** In a batch leaf: the intent whose inputs these are. Elsewhere they are the transaction's own. */
  readonly intentTxid?: Txid;
}

export interface AssetOutput {
  readonly vout: number;
  /** At least 1. */
  readonly amount: bigint;
}

export interface AssetGroup {
  /** `undefined` issues a new asset. */
  readonly assetId?: AssetId;
  /** Only where an asset is issued. */
  readonly control?: ControlRef;
  readonly metadata: readonly Metadata[];
  /** Each vin once, all of them of an intent or none. */
  readonly inputs: readonly AssetInput[];
  /** Each vout once. */
  readonly outputs: readonly AssetOutput[];
}

/** At least one group, no asset in two. */
export type AssetPacket = readonly AssetGroup[];

const HAS = { assetId: 1, control: 2, metadata: 4 } as const;
const CONTROL = { id: 1, group: 2 } as const;
const INPUT = { local: 1, intent: 2 } as const;
const LOCAL_OUTPUT = 1;
/** Of groups, inputs, outputs and metadata alike. */
const MAX_ENTRIES = 1000;
const TXID_LENGTH = 32;
const NO_TXID = '00'.repeat(TXID_LENGTH);

export const assetIdOf = (txid: Txid, groupIndex: number): AssetId => `${txid}${toHex(u16le(groupIndex))}` as AssetId;

/** Throws `TypeError` unless `text` is 68 hex digits. */
export function parseAssetId(text: string): AssetId {
  const lower = text.toLowerCase();
  const [txid, index] = [lower.slice(0, -4), lower.slice(-4)];
  if (!isTxid(txid) || !/^[0-9a-f]{4}$/.test(index)) throw new TypeError(`not an asset id: ${text.slice(0, 80)}`);
  return lower as AssetId;
}

const printList = <T>(list: readonly T[], print: (item: T) => Bytes): Bytes =>
  join([uvarint(list.length), ...list.map(print)]);

function readList<T>(reader: Reader, read: (reader: Reader) => T): readonly T[] {
  const count = readUvarint(reader);
  if (count > MAX_ENTRIES) throw new DecodeError(`${count} entries, at most ${MAX_ENTRIES}`);
  return Array.from({ length: Number(count) }, () => read(reader));
}

function readTxid(reader: Reader): Txid {
  const txid = parseTxid(toHex(reader.bytes(TXID_LENGTH)));
  if (txid === NO_TXID) throw new DecodeError('an empty txid');
  return txid;
}

const readAssetId = (reader: Reader): AssetId => assetIdOf(readTxid(reader), reader.u16());

const varSlice = (bytes: Bytes): Bytes => concat(uvarint(bytes.length), bytes);

/** As the indexer tells it: the list of an issuing group. */
export const printMetadata = (metadata: readonly Metadata[]): Bytes =>
  printList(metadata, ({ key, value }) => concat(varSlice(key), varSlice(value)));

function readMetadata(reader: Reader): Metadata {
  const [key, value] = [readVarSlice(reader), readVarSlice(reader)];
  if (key.length === 0 || value.length === 0) throw new DecodeError('metadata without key or value');
  return { key, value };
}

/** Reads what {@link printMetadata} writes. Throws {@link DecodeError}. */
export function parseMetadata(bytes: Bytes): readonly Metadata[] {
  const reader = new Reader(bytes);
  const metadata = readList(reader, readMetadata);
  reader.end();
  return metadata;
}

const printControl = (control: ControlRef): Bytes =>
  control.kind === 'id'
    ? concat(Uint8Array.of(CONTROL.id), fromHex(control.assetId))
    : concat(Uint8Array.of(CONTROL.group), u16le(control.index));

function readControl(reader: Reader): ControlRef {
  const type = reader.u8();
  if (type === CONTROL.id) return { kind: 'id', assetId: readAssetId(reader) };
  if (type === CONTROL.group) return { kind: 'group', index: reader.u16() };
  throw new DecodeError(`no reference to a control asset is of type ${type}`);
}

const printInput = ({ vin, amount, intentTxid }: AssetInput): Bytes =>
  intentTxid
    ? concat(Uint8Array.of(INPUT.intent), fromHex(intentTxid), u16le(vin), uvarint(amount))
    : concat(Uint8Array.of(INPUT.local), u16le(vin), uvarint(amount));

function readInput(reader: Reader): AssetInput {
  const type = reader.u8();
  if (type !== INPUT.local && type !== INPUT.intent) throw new DecodeError(`no asset input is of type ${type}`);
  const source = type === INPUT.intent ? { intentTxid: readTxid(reader) } : {};
  return { ...source, vin: reader.u16(), amount: readUvarint(reader) };
}

const printOutput = ({ vout, amount }: AssetOutput): Bytes =>
  concat(Uint8Array.of(LOCAL_OUTPUT), u16le(vout), uvarint(amount));

function readOutput(reader: Reader): AssetOutput {
  const type = reader.u8();
  if (type !== LOCAL_OUTPUT) throw new DecodeError(`no asset output is of type ${type}`);
  return { vout: reader.u16(), amount: readUvarint(reader) };
}

function printGroup({ assetId, control, metadata, inputs, outputs }: AssetGroup): Bytes {
  const presence = (assetId ? HAS.assetId : 0) | (control ? HAS.control : 0) | (metadata.length > 0 ? HAS.metadata : 0);
  return join([
    Uint8Array.of(presence),
    ...(assetId ? [fromHex(assetId)] : []),
    ...(control ? [printControl(control)] : []),
    ...(metadata.length > 0 ? [printMetadata(metadata)] : []),
    printList(inputs, printInput),
    printList(outputs, printOutput),
  ]);
}

function readGroup(reader: Reader): AssetGroup {
  const presence = reader.u8();
  const assetId = presence & HAS.assetId ? { assetId: readAssetId(reader) } : {};
  const control = presence & HAS.control ? { control: readControl(reader) } : {};
  const metadata = presence & HAS.metadata ? readList(reader, readMetadata) : [];
  const [inputs, outputs] = [readList(reader, readInput), readList(reader, readOutput)];
  return { ...assetId, ...control, metadata, inputs, outputs };
}

const areDistinct = (list: readonly (string | number)[]): boolean => new Set(list).size === list.length;

/** Why no transaction may carry the packet, whatever it spends; `undefined` when one may. */
function flawOf(packet: AssetPacket): string | undefined {
  if (packet.length === 0) return 'a packet without a group';
  if (!areDistinct(packet.flatMap(({ assetId }) => assetId ?? []))) return 'two groups of one asset';
  for (const { assetId, control, inputs, outputs } of packet) {
    if (inputs.length + outputs.length === 0) return 'an empty group';
    if (!assetId && inputs.length > 0) return 'an issuance with inputs';
    if (assetId && control) return 'a control asset where nothing is issued';
    if (control?.kind === 'group' && control.index >= packet.length) return 'a control asset in no group';
    if (new Set(inputs.map(({ intentTxid }) => intentTxid)).size > 1) return 'inputs of several transactions';
    if (!areDistinct(inputs.map(({ vin }) => vin))) return 'an input twice';
    if (!areDistinct(outputs.map(({ vout }) => vout))) return 'an output twice';
    if (outputs.some(({ amount }) => amount === 0n)) return 'an output of nothing';
  }
  return undefined;
}

export const printAssetPacket = (packet: AssetPacket): Bytes => printList(packet, printGroup);

/** Throws {@link DecodeError} on anything that {@link printAssetPacket} would write differently, or that makes no sense. */
export function parseAssetPacket(bytes: Bytes): AssetPacket {
  const reader = new Reader(bytes);
  const packet = readList(reader, readGroup);
  reader.end();
  const flaw = flawOf(packet);
  if (flaw) throw new DecodeError(flaw);
  if (!equal(printAssetPacket(packet), bytes)) throw new DecodeError('an asset packet has one way to be written');
  return packet;
}

/** The asset packet of an extension, if there is one. Throws `ASSET_PACKET_INVALID`. */
export function assetPacketOf(extension: Extension | undefined): AssetPacket | undefined {
  const packet = extension?.find(({ type }) => type === ASSET_PACKET);
  return packet && reading('ASSET_PACKET_INVALID', {}, () => parseAssetPacket(packet.data));
}

/** The packet as part of an extension. */
export const assetExtension = (packet: AssetPacket): Extension => [
  { type: ASSET_PACKET, data: printAssetPacket(packet) },
];

/**
 * What the leaf that settles an intent carries of the intent's extension: everything, but that each group's inputs
 * become the one reference to the intent, whose proof has `intentTxid`. Throws `ASSET_PACKET_INVALID`.
 */
export const leafExtension = (extension: Extension, intentTxid: Txid): Extension =>
  extension.map((packet) => {
    if (packet.type !== ASSET_PACKET) return packet;
    const groups = reading('ASSET_PACKET_INVALID', {}, () => parseAssetPacket(packet.data));
    const inputs: readonly AssetInput[] = [{ intentTxid, vin: 0, amount: 0n }];
    return { type: ASSET_PACKET, data: printAssetPacket(groups.map((group) => ({ ...group, inputs }))) };
  });

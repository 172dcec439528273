/** The extension: an OP_RETURN output whose single push is `ARK` and a list of typed packets. */
import { type Bytes, concat, equal, utf8 } from '../../base/bytes.ts';
import { DecodeError, Reader } from '../../bitcoin/reader.ts';
import { instructions, OP, push, script } from '../../bitcoin/script.ts';

export interface Packet {
  /** 0 … 255. */
  readonly type: number;
  readonly data: Bytes;
}

/** At least one packet, no type twice. */
export type Extension = readonly Packet[];

export const ASSET_PACKET = 0;

const MAGIC = utf8('ARK');

/** LEB128, unsigned, without superfluous groups. */
export function uvarint(value: number | bigint): Bytes {
  const groups: number[] = [];
  for (let rest = BigInt(value); ; rest >>= 7n) {
    groups.push(Number(rest & 0x7fn) | (rest < 128n ? 0 : 0x80));
    if (rest < 128n) return Uint8Array.from(groups);
  }
}

/** Reads what {@link uvarint} writes, up to 64 bits. Throws {@link DecodeError}. */
export function readUvarint(reader: Reader): bigint {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const group = reader.u8();
    value |= BigInt(group & 0x7f) << shift;
    if (group >= 0x80) continue;
    if (value >= 1n << 64n || (group === 0 && shift > 0n)) break;
    return value;
  }
  throw new DecodeError('not a LEB128 number of 64 bits');
}

/** Bytes after their length as a {@link uvarint}. Throws {@link DecodeError}. */
export function readVarSlice(reader: Reader): Bytes {
  const length = readUvarint(reader);
  if (length > reader.left) throw new DecodeError('unexpected end of data');
  return reader.bytes(Number(length));
}

export const printExtension = (packets: Extension): Bytes =>
  script(
    OP.RETURN,
    push(concat(MAGIC, ...packets.map(({ type, data }) => concat(Uint8Array.of(type), uvarint(data.length), data)))),
  );

/** The first push after OP_RETURN, if the script begins so. */
function payloadOf(output: Bytes): Bytes | undefined {
  if (output[0] !== OP.RETURN) return undefined;
  try {
    const [, first] = instructions(output);
    return first?.data;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** True when an output script claims to be an extension; {@link parseExtension} says whether it is a sound one. */
export const isExtension = (output: Bytes): boolean => {
  const payload = payloadOf(output);
  return payload !== undefined && equal(payload.subarray(0, MAGIC.length), MAGIC);
};

/** Throws {@link DecodeError} on anything that {@link printExtension} would write differently. */
export function parseExtension(output: Bytes): Extension {
  const payload = payloadOf(output);
  if (!payload || !isExtension(output)) throw new DecodeError('not an extension');
  const reader = new Reader(payload.subarray(MAGIC.length));
  const packets: Packet[] = [];
  while (reader.left > 0) packets.push({ type: reader.u8(), data: readVarSlice(reader) });
  if (packets.length === 0) throw new DecodeError('an extension needs a packet');
  if (new Set(packets.map(({ type }) => type)).size !== packets.length) throw new DecodeError('a packet type twice');
  if (!equal(printExtension(packets), output)) throw new DecodeError('an extension is one push and nothing else');
  return packets;
}

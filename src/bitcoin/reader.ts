/** Cursor over Bitcoin's little-endian serialization, and the writer that mirrors it. */
import { type Bytes, concat } from '../base/bytes.ts';

/** Thrown on truncated or malformed serialization. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

export class Reader {
  readonly #bytes: Bytes;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get at(): number {
    return this.#at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  #take(length: number): number {
    if (length > this.left) throw new DecodeError('unexpected end of data');
    const at = this.#at;
    this.#at += length;
    return at;
  }

  bytes(length: number): Bytes {
    const at = this.#take(length);
    return this.#bytes.slice(at, at + length);
  }

  peek(offset = 0): number | undefined {
    return this.#bytes[this.#at + offset];
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true);
  }

  /** CompactSize; a longer form than needed is refused, as bitcoind does. */
  compactSize(): number {
    const first = this.u8();
    if (first < 0xfd) return first;
    const value = first === 0xfd ? this.u16() : first === 0xfe ? this.u32() : Number(this.u64());
    if (value < (first === 0xfd ? 0xfd : first === 0xfe ? 0x10000 : 0x100000000)) {
      throw new DecodeError('non-canonical compact size');
    }
    if (value > 0x02000000) throw new DecodeError('size too large');
    return value;
  }

  /** CompactSize-prefixed bytes. */
  blob(): Bytes {
    return this.bytes(this.compactSize());
  }

  end(): void {
    if (this.left !== 0) throw new DecodeError(`${this.left} bytes too many`);
  }
}

const sized = (length: number, fill: (view: DataView) => void): Bytes => {
  const bytes = new Uint8Array(length);
  fill(new DataView(bytes.buffer));
  return bytes;
};

export const u16le = (value: number): Bytes => sized(2, (view) => view.setUint16(0, value, true));
export const u32le = (value: number): Bytes => sized(4, (view) => view.setUint32(0, value, true));
export const i32le = (value: number): Bytes => sized(4, (view) => view.setInt32(0, value, true));
export const u64le = (value: bigint): Bytes => sized(8, (view) => view.setBigInt64(0, value, true));

export function compactSize(value: number): Bytes {
  if (value < 0xfd) return Uint8Array.of(value);
  if (value <= 0xffff) return concat(Uint8Array.of(0xfd), u16le(value));
  if (value <= 0xffffffff) return concat(Uint8Array.of(0xfe), u32le(value));
  return concat(Uint8Array.of(0xff), u64le(BigInt(value)));
}

export const blob = (bytes: Bytes): Bytes => concat(compactSize(bytes.length), bytes);

/**
 * The append-only file under an embedded chain: a magic, then records of length, CRC-32 and payload. What has been
 * appended survives the end of the process at any moment; a record that was being written then is cut off.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { type Bytes, concat, equal, utf8 } from '../../base/bytes.ts';
import { u32le } from '../../bitcoin/reader.ts';

/** Where a chain keeps what it must not forget: payloads, in the order appended. */
export interface BlockStore {
  /** Call once, before the first {@link BlockStore.append}. */
  read(): readonly Bytes[];
  append(payload: Bytes): void;
  close(): void;
}

const MAGIC = utf8('CWCHAIN1');
const HEAD = 8;
/** Longer than any record: a block has at most 4 MB. */
const MAX_PAYLOAD = 16_000_000;

export type BlockFileErrorCode = 'NOT_A_BLOCK_FILE' | 'BLOCK_FILE_DAMAGED';

/** The file is not ours or is damaged before its end; it is left as it is. */
export class BlockFileError extends Error {
  override readonly name = 'BlockFileError';
  readonly code: BlockFileErrorCode;

  constructor(code: BlockFileErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

interface Scan {
  readonly payloads: readonly Bytes[];
  /** Offset after the last whole record. */
  readonly end: number;
}

function scan(bytes: Bytes, path: string): Scan {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const payloads: Bytes[] = [];
  let at = MAGIC.length;
  while (at < bytes.length) {
    // A process that ended while writing leaves a record that the file's end cuts off.
    if (bytes.length - at < HEAD) break;
    const length = view.getUint32(at, true);
    const end = at + HEAD + length;
    if (length <= MAX_PAYLOAD && end > bytes.length) break;
    const payload = bytes.subarray(at + HEAD, end);
    if (length > MAX_PAYLOAD || crc32(payload) !== view.getUint32(at + 4, true)) {
      if (end === bytes.length) break;
      throw new BlockFileError('BLOCK_FILE_DAMAGED', `${path} is damaged at byte ${at} of ${bytes.length}`);
    }
    payloads.push(payload);
    at = end;
  }
  return { payloads, end: at };
}

/**
 * Opens or creates the file at `path` (its folder must exist). `onTruncate` hears how many bytes of a torn last
 * record were cut off. Throws {@link BlockFileError}, or the system's error when it cannot be read or written.
 */
export function openBlockFile(path: string, onTruncate: (bytes: number) => void = () => {}): BlockStore {
  const file = openSync(path, 'a+', 0o600);
  let broken: unknown;

  function write(bytes: Bytes): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  }

  return {
    read() {
      const bytes = new Uint8Array(readFileSync(file));
      const isWhole = bytes.length >= MAGIC.length;
      if (!equal(bytes.subarray(0, MAGIC.length), MAGIC.subarray(0, isWhole ? MAGIC.length : bytes.length))) {
        throw new BlockFileError('NOT_A_BLOCK_FILE', `${path} is not a chain of this program`);
      }
      if (!isWhole) {
        ftruncateSync(file, 0);
        write(MAGIC);
        return [];
      }
      const { payloads, end } = scan(bytes, path);
      if (end < bytes.length) {
        ftruncateSync(file, end);
        onTruncate(bytes.length - end);
      }
      return payloads;
    },
    append(payload) {
      // After a failed write the file may end in half a record, and one appended to it would be lost with it.
      if (broken) throw broken;
      try {
        write(concat(u32le(payload.length), u32le(crc32(payload)), payload));
      } catch (error) {
        broken = error;
        throw error;
      }
    },
    close: () => closeSync(file),
  };
}

/** Forgets everything when the process ends. */
export const memoryStore = (): BlockStore => ({ read: () => [], append: () => {}, close: () => {} });

/** What the embedded chain writes down: every change of its state, from which a restart rebuilds it. */
import { type Bytes, concat, type Txid } from '../../base/bytes.ts';
import { compactSize, DecodeError, Reader, u32le } from '../../bitcoin/reader.ts';
import { readTx, serializeTx, type Tx, txidBytes, txidFromBytes } from '../../bitcoin/tx.ts';

export type JournalEntry =
  /** A block was connected to the tip; `raw` is its serialization. */
  | { readonly type: 'connected'; readonly raw: Bytes }
  /** The `count` topmost blocks were taken off together. */
  | { readonly type: 'disconnected'; readonly count: number }
  /** One transaction, or a parent with its child, entered the mempool at `time` (unix seconds) and evicted others. */
  | {
      readonly type: 'accepted';
      readonly time: number;
      readonly txs: readonly Tx[];
      readonly replaced: readonly Txid[];
    }
  /** Blocks to come are stamped `seconds` later than the clock. */
  | { readonly type: 'shifted'; readonly seconds: number };

const TYPE = { connected: 1, disconnected: 2, accepted: 3, shifted: 4 } as const;

function body(entry: JournalEntry): readonly Bytes[] {
  switch (entry.type) {
    case 'connected':
      return [entry.raw];
    case 'disconnected':
      return [u32le(entry.count)];
    case 'accepted':
      return [
        u32le(entry.time),
        compactSize(entry.txs.length),
        ...entry.txs.map((tx) => serializeTx(tx)),
        compactSize(entry.replaced.length),
        ...entry.replaced.map(txidBytes),
      ];
    case 'shifted':
      return [u32le(entry.seconds)];
  }
}

export const encodeEntry = (entry: JournalEntry): Bytes => concat(Uint8Array.of(TYPE[entry.type]), ...body(entry));

function list<T>(reader: Reader, read: () => T): T[] {
  const items: T[] = [];
  for (let count = reader.compactSize(); count > 0; count--) items.push(read());
  return items;
}

/** Inverse of {@link encodeEntry}. Throws {@link DecodeError}. */
export function decodeEntry(bytes: Bytes): JournalEntry {
  const reader = new Reader(bytes);
  const type = reader.u8();
  switch (type) {
    case TYPE.connected:
      return { type: 'connected', raw: reader.bytes(reader.left) };
    case TYPE.disconnected:
      return { type: 'disconnected', count: reader.u32() };
    case TYPE.accepted:
      return {
        type: 'accepted',
        time: reader.u32(),
        txs: list(reader, () => readTx(reader)),
        replaced: list(reader, () => txidFromBytes(reader.bytes(32))),
      };
    case TYPE.shifted:
      return { type: 'shifted', seconds: reader.i32() };
    default:
      throw new DecodeError(`unknown journal entry ${type}`);
  }
}

/** Ark notes: bearer money of the server's making, redeemed in a batch by whoever knows the preimage. */
import { base58 } from '@scure/base';
import { type Bytes, concat, type Outpoint } from '../../base/bytes.ts';
import { type Sats, sats } from '../../base/units.ts';
import { OP, p2tr, push, script } from '../../bitcoin/script.ts';
import { controlBlock, leafHash, NUMS_KEY, outputKey } from '../../bitcoin/taproot.ts';
import { txidFromBytes } from '../../bitcoin/tx.ts';
import { sha256 } from '../../crypto/hash.ts';
import type { Secp } from '../../crypto/secp.ts';
import { demand } from './errors.ts';

export interface Note {
  /** 32 bytes. */
  readonly preimage: Bytes;
  /** Below 2^32. */
  readonly value: Sats;
}

const PREFIX = 'arknote';
/** The prefix and base58 of 36 bytes. */
const NOTE = /^arknote([1-9A-HJ-NP-Za-km-z]{36,50})$/;

export function printNote({ preimage, value }: Note): string {
  const amount = new Uint8Array(4);
  new DataView(amount.buffer).setUint32(0, Number(value));
  return PREFIX + base58.encode(concat(preimage, amount));
}

/** Throws `INVALID_VTXO_SCRIPT`. */
export function parseNote(text: string): Note {
  const match = NOTE.exec(text.trim());
  demand(match, 'INVALID_VTXO_SCRIPT', 'not an Ark note');
  const bytes = base58.decode(match[1]!);
  demand(bytes.length === 36, 'INVALID_VTXO_SCRIPT', `an Ark note has 36 bytes, not ${bytes.length}`);
  return { preimage: bytes.slice(0, 32), value: sats(new DataView(bytes.buffer, bytes.byteOffset).getUint32(32)) };
}

/** `SHA256 <hash> EQUAL`: the only leaf of a note. */
export const noteLeaf = (preimageHash: Bytes): Bytes => script(OP.SHA256, push(preimageHash), OP.EQUAL);

/** The hash that a note's leaf asks the preimage of; `undefined` when the script is no such leaf. */
export const noteHash = (leaf: Bytes): Bytes | undefined =>
  leaf.length === 35 && leaf[0] === OP.SHA256 && leaf[1] === 32 && leaf[34] === OP.EQUAL
    ? leaf.slice(2, 34)
    : undefined;

export interface NoteVtxo {
  /** No transaction has this id; its bytes are the preimage's hash. */
  readonly outpoint: Outpoint;
  readonly value: Sats;
  /** P2TR. */
  readonly script: Bytes;
  /** x-only. */
  readonly outputKey: Bytes;
  readonly leaf: Bytes;
  readonly controlBlock: Bytes;
}

/** The VTXO that a note stands for. */
export function noteVtxo(secp: Secp, { preimage, value }: Note): NoteVtxo {
  const hash = sha256(preimage);
  const leaf = noteLeaf(hash);
  const { xonly, parity } = outputKey(secp, NUMS_KEY, leafHash(leaf));
  return {
    outpoint: { txid: txidFromBytes(hash), vout: 0 },
    value,
    script: p2tr(xonly),
    outputKey: xonly,
    leaf,
    controlBlock: controlBlock(NUMS_KEY, parity, []),
  };
}

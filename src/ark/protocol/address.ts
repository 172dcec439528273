/** Ark addresses: bech32m over version, server key and VTXO key. */
import { bech32m } from '@scure/base';
import { type Bytes, concat } from '../../base/bytes.ts';
import { demand } from './errors.ts';

/** `ark` on mainnet, `tark` elsewhere. */
export type ArkPrefix = 'ark' | 'tark';

export interface ArkAddress {
  readonly prefix: ArkPrefix;
  /** x-only key of the server that the receiver trusts. */
  readonly signer: Bytes;
  /** x-only output key of the VTXO. */
  readonly outputKey: Bytes;
}

const VERSION = 0;
const MAX_LENGTH = 1023;

export const printArkAddress = ({ prefix, signer, outputKey }: ArkAddress): string =>
  bech32m.encode(prefix, bech32m.toWords(concat(Uint8Array.of(VERSION), signer, outputKey)), MAX_LENGTH);

/** Throws `INVALID_PKSCRIPT` on anything but a version 0 address. */
export function parseArkAddress(text: string): ArkAddress {
  const decoded = bech32m.decodeUnsafe(text, MAX_LENGTH);
  const payload = decoded && bech32m.fromWordsUnsafe(decoded.words);
  const prefix = decoded?.prefix;
  demand(
    (prefix === 'ark' || prefix === 'tark') && payload?.length === 65 && payload[0] === VERSION,
    'INVALID_PKSCRIPT',
    `not an Ark address: ${text.slice(0, 130)}`,
  );
  return { prefix, signer: payload.slice(1, 33), outputKey: payload.slice(33) };
}

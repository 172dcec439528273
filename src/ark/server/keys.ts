/** The server's keys, all derived from one seed (BIP32), each for one purpose only. */
import { HDKey } from '@scure/bip32';
import { type Bytes, toHex } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import type { Signer } from '../../runtime/signer.ts';
import type { ArkPublicKeys } from '../protocol/settings.ts';

/** Keys that stay the same for the life of the server. */
export type ArkKeyName = 'forfeit' | 'operator' | 'wallet' | 'connector' | 'reserve';

export interface ArkKeys {
  readonly fixed: Readonly<Record<ArkKeyName, Bytes>>;
  /** The signer key of a generation: 0 to begin with, one more at each rotation. */
  signer(generation: number): Bytes;
  /** Seals the signer keys that an operator brings along. */
  readonly vault: Bytes;
  /** Of the delegator service, a client like any other. */
  readonly delegate: Bytes;
}

/** Hardened throughout: one leaked key tells nothing about its siblings. */
const PATHS = {
  forfeit: "m/7070'/0'/1'",
  operator: "m/7070'/0'/2'",
  wallet: "m/7070'/0'/3'",
  connector: "m/7070'/0'/4'",
  vault: "m/7070'/0'/5'",
  delegate: "m/7070'/0'/6'",
  reserve: "m/7070'/0'/7'",
} as const;

const signerPath = (generation: number): string => (generation === 0 ? "m/7070'/0'/0'" : `m/7070'/1'/${generation}'`);

/** Secret keys from a seed of 16 to 64 bytes. */
export function deriveArkKeys(seed: Bytes): ArkKeys {
  const root = HDKey.fromMasterSeed(seed);
  const derive = (path: string): Bytes => {
    const key = root.derive(path).privateKey;
    invariant(key, 'a derived key has a secret');
    return key;
  };
  return {
    fixed: {
      forfeit: derive(PATHS.forfeit),
      operator: derive(PATHS.operator),
      wallet: derive(PATHS.wallet),
      connector: derive(PATHS.connector),
      reserve: derive(PATHS.reserve),
    },
    signer: (generation) => derive(signerPath(generation)),
    vault: derive(PATHS.vault),
    delegate: derive(PATHS.delegate),
  };
}

export const publicKeysOf = (signer: Signer<ArkKeyName>): ArkPublicKeys => ({
  forfeit: toHex(signer.publicKey('forfeit')),
  operator: toHex(signer.publicKey('operator')),
});

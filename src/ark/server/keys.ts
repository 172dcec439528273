/** The server's keys, all derived from one seed (BIP32), each for one purpose only. */
import { HDKey } from '@scure/bip32';
import { type Bytes, toHex } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import type { Signer } from '../../runtime/signer.ts';
import type { ArkPublicKeys } from '../protocol/settings.ts';

export type ArkKeyName = 'signer' | 'forfeit' | 'operator' | 'wallet' | 'connector';

/** Hardened throughout: one leaked key tells nothing about its siblings. */
const PATHS: Readonly<Record<ArkKeyName, string>> = {
  signer: "m/7070'/0'/0'",
  forfeit: "m/7070'/0'/1'",
  operator: "m/7070'/0'/2'",
  wallet: "m/7070'/0'/3'",
  connector: "m/7070'/0'/4'",
};

/** Secret keys from a seed of 16 to 64 bytes. */
export function deriveArkKeys(seed: Bytes): Readonly<Record<ArkKeyName, Bytes>> {
  const root = HDKey.fromMasterSeed(seed);
  const derive = (name: ArkKeyName): Bytes => {
    const key = root.derive(PATHS[name]).privateKey;
    invariant(key, 'a derived key has a secret');
    return key;
  };
  return {
    signer: derive('signer'),
    forfeit: derive('forfeit'),
    operator: derive('operator'),
    wallet: derive('wallet'),
    connector: derive('connector'),
  };
}

export const publicKeysOf = (signer: Signer<ArkKeyName>): ArkPublicKeys => ({
  signer: toHex(signer.publicKey('signer')),
  forfeit: toHex(signer.publicKey('forfeit')),
  operator: toHex(signer.publicKey('operator')),
});

/** The wallet that the demo phrase opens in a client: BIP86, first account, first key, test networks. */
import { HDKey } from '@scure/bip32';
import { mnemonicToSeedSync } from '@scure/bip39';
import type { Bytes } from '../base/bytes.ts';
import { invariant } from '../base/errors.ts';
import type { Network } from '../bitcoin/address.ts';

/**
 * The wallet phrase of demos, known to the whole world. Its coins are for playing on regtest and for nothing else.
 */
export const DEMO_MNEMONIC = 'test test test test test test test test test test test junk';

const FIRST_KEY = "m/86'/1'/0'/0/0";

/** x-only key of the demo wallet's owner. Everybody has its secret, so it exists on regtest only. */
export function demoKey(network: Network): Bytes {
  invariant(network === 'regtest', 'the demo wallet is for regtest');
  const { publicKey } = HDKey.fromMasterSeed(mnemonicToSeedSync(DEMO_MNEMONIC)).derive(FIRST_KEY);
  invariant(publicKey, 'a derived key has a public key');
  return publicKey.slice(1);
}

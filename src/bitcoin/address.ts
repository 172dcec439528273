/** On-chain addresses (base58check, BIP173, BIP350) over `@scure/btc-signer`. */
import { Address, NETWORK, OutScript, TEST_NETWORK } from '@scure/btc-signer';
import type { Bytes } from '../base/bytes.ts';

export type Network = 'mainnet' | 'testnet' | 'signet' | 'regtest';

const PARAMETERS = {
  mainnet: NETWORK,
  testnet: TEST_NETWORK,
  signet: TEST_NETWORK,
  regtest: { ...TEST_NETWORK, bech32: 'bcrt' },
} as const;

/** Output script of an address. Throws `TypeError` when it is malformed or of another network. */
export function parseAddress(network: Network, address: string): Bytes {
  try {
    return OutScript.encode(Address(PARAMETERS[network]).decode(address));
  } catch {
    throw new TypeError(`not a ${network} address: ${address.slice(0, 100)}`);
  }
}

/** The address of an output script, or `undefined` when it has none. */
export function addressOf(network: Network, script: Bytes): string | undefined {
  try {
    return Address(PARAMETERS[network]).encode(OutScript.decode(script));
  } catch {
    return undefined;
  }
}

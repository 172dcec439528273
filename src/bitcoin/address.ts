/** On-chain addresses (base58check, BIP173, BIP350) over `@scure/btc-signer`. */
import { bech32m } from '@scure/base';
import { Address, NETWORK, OutScript, TEST_NETWORK } from '@scure/btc-signer';
import type { Bytes } from '../base/bytes.ts';
import { OP, push, script, witnessProgram } from './script.ts';

export type Network = 'mainnet' | 'testnet' | 'signet' | 'regtest';

const PARAMETERS = {
  mainnet: NETWORK,
  testnet: TEST_NETWORK,
  signet: TEST_NETWORK,
  regtest: { ...TEST_NETWORK, bech32: 'bcrt' },
} as const;

/** BIP350: a program of a version above 0, whatever it may mean one day; `undefined` when the address is none. */
function parseProgram(network: Network, address: string): Bytes | undefined {
  const decoded = bech32m.decodeUnsafe(address);
  if (!decoded || decoded.prefix !== PARAMETERS[network].bech32) return undefined;
  const [version = 0, ...words] = decoded.words;
  const program = bech32m.fromWordsUnsafe(words);
  if (!program || version < 1 || version > 16) return undefined;
  const output = script(OP.ONE - 1 + version, push(program));
  return witnessProgram(output) && output;
}

/** Output script of an address. Throws `TypeError` when it is malformed or of another network. */
export function parseAddress(network: Network, address: string): Bytes {
  try {
    return parseProgram(network, address) ?? OutScript.encode(Address(PARAMETERS[network]).decode(address));
  } catch {
    throw new TypeError(`not a ${network} address: ${address.slice(0, 100)}`);
  }
}

/** The address of an output script, or `undefined` when it has none. */
export function addressOf(network: Network, output: Bytes): string | undefined {
  const witness = witnessProgram(output);
  if (witness && witness.version > 0) {
    return bech32m.encode(PARAMETERS[network].bech32, [witness.version, ...bech32m.toWords(witness.program)]);
  }
  try {
    return Address(PARAMETERS[network]).encode(OutScript.decode(output));
  } catch {
    return undefined;
  }
}

/** A server's terms (`GET /v1/info`) as far as a client acts on them. */
import { type Bytes, equal, fromHex } from '../../base/bytes.ts';
import { parseSats, type Sats } from '../../base/units.ts';
import { type Network, parseAddress } from '../../bitcoin/address.ts';
import { parseClosure } from '../../bitcoin/closure.ts';
import { type RelativeTimelock, relativeTimelock } from '../../bitcoin/timelock.ts';
import type { Secp } from '../../crypto/secp.ts';
import { asFields, type Fields, requiredText, whole } from '../wire/request.ts';
import { insist, reading } from './errors.ts';

export interface ServerTerms {
  readonly network: Network;
  /** Sent along with every call, so that a server whose terms have changed refuses it. */
  readonly digest: string;
  /** x-only. */
  readonly signer: Bytes;
  /** x-only: every key that the server may have signed with, the current one and those it has retired. */
  readonly signers: readonly Bytes[];
  /** x-only: the key of every batch's sweep leaf. */
  readonly forfeitKey: Bytes;
  readonly forfeitScript: Bytes;
  readonly checkpointTapscript: Bytes;
  readonly unilateralExitDelay: RelativeTimelock;
  readonly boardingExitDelay: RelativeTimelock;
  readonly dust: Sats;
}

const NETWORKS: Readonly<Record<string, Network>> = {
  bitcoin: 'mainnet',
  testnet: 'testnet',
  signet: 'signet',
  mutinynet: 'signet',
  regtest: 'regtest',
};

/** Throws `TERMS_INVALID` or `MALFORMED_ANSWER`. */
export function parseTerms(secp: Secp, info: Fields): ServerTerms {
  return reading(() => {
    const network = NETWORKS[requiredText(info, 'network')];
    insist(network, 'TERMS_INVALID', 'an unknown network');
    const key = (name: string, fields: Fields = info): Bytes => {
      const compressed = fromHex(requiredText(fields, name));
      insist(secp.isPublicKey(compressed), 'TERMS_INVALID', `${name} is no public key`);
      return compressed.slice(1);
    };
    const retired = Array.isArray(info.deprecatedSigners) ? info.deprecatedSigners : [];
    const signer = key('signerPubkey');
    const delay = (name: string): RelativeTimelock => relativeTimelock(whole(info[name], name));
    const forfeitKey = key('forfeitPubkey');
    const checkpointTapscript = fromHex(requiredText(info, 'checkpointTapscript'));
    const exit = parseClosure(checkpointTapscript);
    const isServers = exit?.kind === 'csv' && exit.keys.length === 1 && equal(exit.keys[0]!, forfeitKey);
    insist(isServers, 'TERMS_INVALID', "the checkpoints' exit is not the server's after a delay");
    return {
      network,
      digest: requiredText(info, 'digest'),
      signer,
      signers: [signer, ...retired.map((each) => key('pubkey', asFields(each)))],
      forfeitKey,
      forfeitScript: parseAddress(network, requiredText(info, 'forfeitAddress')),
      checkpointTapscript,
      unilateralExitDelay: delay('unilateralExitDelay'),
      boardingExitDelay: delay('boardingExitDelay'),
      dust: parseSats(requiredText(info, 'dust')),
    };
  });
}

/** `GET /v1/info` and its digest. */
import { toHex, utf8 } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/hash.ts';
import { type ArkPublicKeys, type ArkSettings, wireDelay } from '../protocol/settings.ts';

export interface InfoSource {
  readonly version: string;
  readonly settings: ArkSettings;
  readonly publicKeys: ArkPublicKeys;
  readonly forfeitAddress: string;
  /** Hex. */
  readonly checkpointTapscript: string;
}

/** The names that Ark clients have for networks. */
const NETWORK_NAMES = { mainnet: 'bitcoin', testnet: 'testnet', signet: 'signet', regtest: 'regtest' } as const;

const limit = (amount: bigint | undefined): string => (amount === undefined ? '-1' : `${amount}`);

/** All numbers of 64 bits are decimal strings. The digest changes when anything else here does. */
export function printInfo({ version, settings, publicKeys, forfeitAddress, checkpointTapscript }: InfoSource) {
  const info = {
    version,
    signerPubkey: publicKeys.signer,
    forfeitPubkey: publicKeys.forfeit,
    forfeitAddress,
    checkpointTapscript,
    network: NETWORK_NAMES[settings.network],
    sessionDuration: `${settings.sessionDuration}`,
    unilateralExitDelay: `${wireDelay(settings.unilateralExitDelay)}`,
    boardingExitDelay: `${wireDelay(settings.boardingExitDelay)}`,
    utxoMinAmount: `${settings.utxoMinAmount}`,
    utxoMaxAmount: limit(settings.utxoMaxAmount),
    vtxoMinAmount: `${settings.vtxoMinAmount}`,
    vtxoMaxAmount: limit(settings.vtxoMaxAmount),
    dust: `${settings.dust}`,
    fees: { intentFee: settings.intentFee, txFeeRate: '0' },
    scheduledSession: null,
    deprecatedSigners: [],
    serviceStatus: {},
    maxTxWeight: `${settings.maxTxWeight}`,
    maxOpReturnOutputs: `${settings.maxOpReturnOutputs}`,
  };
  return { ...info, digest: toHex(sha256(utf8(JSON.stringify(info)))) };
}

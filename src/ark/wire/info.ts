/** `GET /v1/info` and its digest. */
import { toHex, utf8 } from '../../base/bytes.ts';
import type { UnixSeconds } from '../../base/units.ts';
import { sha256 } from '../../crypto/hash.ts';
import { nextWindow, type ScheduledSession, withSession } from '../protocol/scheduled-session.ts';
import { type ArkPublicKeys, type ArkSettings, type DeprecatedSigner, wireDelay } from '../protocol/settings.ts';
import { printFeeInfo, printSession } from './settings.ts';

export interface InfoSource {
  readonly version: string;
  /** In force now. */
  readonly settings: ArkSettings;
  readonly session: ScheduledSession | undefined;
  readonly now: UnixSeconds;
  readonly publicKeys: ArkPublicKeys;
  /** Compressed, hex. In every new VTXO and boarding script. */
  readonly signer: string;
  readonly deprecatedSigners: readonly DeprecatedSigner[];
  readonly forfeitAddress: string;
  /** Hex. */
  readonly checkpointTapscript: string;
}

/** The names that Ark clients have for networks. */
const NETWORK_NAMES = { mainnet: 'bitcoin', testnet: 'testnet', signet: 'signet', regtest: 'regtest' } as const;

const limit = (amount: bigint | undefined): string => (amount === undefined ? '-1' : `${amount}`);

function printWindow(session: ScheduledSession, settings: ArkSettings, now: UnixSeconds) {
  const { start, end } = nextWindow(session, now);
  const { period, duration } = printSession(session);
  const fees = printFeeInfo(withSession(settings, session).intentFee);
  return { nextStartTime: `${start}`, nextEndTime: `${end}`, period, duration, fees };
}

/**
 * All numbers of 64 bits are decimal strings. The digest changes when anything else here does, but for the dates of the
 * next window: that time goes by is no change of terms.
 */
export function printInfo(source: InfoSource) {
  const { version, settings, session, now, publicKeys, forfeitAddress, checkpointTapscript } = source;
  const terms = {
    version,
    signerPubkey: source.signer,
    forfeitPubkey: publicKeys.forfeit,
    forfeitAddress,
    checkpointTapscript,
    network: NETWORK_NAMES[settings.network],
    sessionDuration: `${settings.sessionDuration}`,
    unilateralExitDelay: `${wireDelay(settings.publicUnilateralExitDelay)}`,
    boardingExitDelay: `${wireDelay(settings.boardingExitDelay)}`,
    utxoMinAmount: `${settings.utxoMinAmount}`,
    utxoMaxAmount: limit(settings.utxoMaxAmount),
    vtxoMinAmount: `${settings.vtxoMinAmount}`,
    vtxoMaxAmount: limit(settings.vtxoMaxAmount),
    dust: `${settings.dust}`,
    fees: printFeeInfo(settings.intentFee),
    scheduledSession: session ? printSession(session) : null,
    deprecatedSigners: source.deprecatedSigners.map(({ publicKey, cutoff }) => ({
      pubkey: publicKey,
      cutoffDate: `${cutoff}`,
    })),
    serviceStatus: {},
    maxTxWeight: `${settings.maxTxWeight}`,
    maxOpReturnOutputs: `${settings.maxOpReturnOutputs}`,
  };
  return {
    ...terms,
    scheduledSession: session ? printWindow(session, settings, now) : null,
    digest: toHex(sha256(utf8(JSON.stringify(terms)))),
  };
}

export type InfoAnswer = ReturnType<typeof printInfo>;

/** An Ark server's public terms: what `GET /v1/info` states and every check compares with. */
import { type Blocks, type Sats, sats } from '../../base/units.ts';
import type { Network } from '../../bitcoin/address.ts';
import type { RelativeTimelock } from '../../bitcoin/timelock.ts';

/** CEL programs that price an intent; an empty text is free of charge. */
export interface IntentFeePrograms {
  readonly offchainInput: string;
  readonly offchainOutput: string;
  readonly onchainInput: string;
  readonly onchainOutput: string;
}

export interface ArkSettings {
  readonly network: Network;
  /** Seconds a batch may take from the first intent to its commitment transaction. */
  readonly sessionDuration: number;
  /** Life of a batch output, from the confirmation of its commitment transaction on. */
  readonly batchExpiry: RelativeTimelock;
  /** The shortest that a VTXO may have. */
  readonly unilateralExitDelay: RelativeTimelock;
  /** What new VTXOs are told to have; never shorter than {@link unilateralExitDelay}. */
  readonly publicUnilateralExitDelay: RelativeTimelock;
  readonly boardingExitDelay: RelativeTimelock;
  readonly checkpointExitDelay: RelativeTimelock;
  /** Limits for on-chain inputs and outputs of an intent; `undefined` is no limit. */
  readonly utxoMinAmount: Sats;
  readonly utxoMaxAmount: Sats | undefined;
  readonly vtxoMinAmount: Sats;
  readonly vtxoMaxAmount: Sats | undefined;
  /** Below this an output cannot stand on chain. */
  readonly dust: Sats;
  readonly maxTxWeight: number;
  readonly maxOpReturnOutputs: number;
  readonly minParticipants: number;
  readonly maxParticipants: number;
  /** Convictions within {@link banDuration} that get an input script banned. */
  readonly banThreshold: number;
  /** Seconds. */
  readonly banDuration: number;
  /** Confirmations a boarding output needs. */
  readonly boardingConfirmations: Blocks;
  /** Seconds that an unrolled VTXO must still be locked when it is settled, so that its batch can finish before. */
  readonly unrolledMinMargin: number;
  /** Coins that the wallet keeps apart at most, to pay for answers to fraud. */
  readonly reserveCoins: number;
  /** Seconds before its expiry from which on a VTXO is settled; 0 for always. */
  readonly settlementGap: number;
  readonly intentFee: IntentFeePrograms;
  /** CEL program that decides whether a batch may start; empty for always. */
  readonly batchTrigger: string;
  /** The oldest build of a client that is served, such as `0.9.9`; empty for any. */
  readonly minBuildVersion: string;
  /** Refuses clients that do not tell their build version. */
  readonly buildVersionRequired: boolean;
  /** Refuses clients that do not tell the digest of the terms they know. */
  readonly digestRequired: boolean;
  /** Seconds of silence after which a stream is sent a heartbeat. */
  readonly heartbeatInterval: number;
  /** Written before each note as `prefix://`; empty for none. */
  readonly noteUriPrefix: string;
}

/** The public keys of the server that stay the same, as its clients know them. */
export interface ArkPublicKeys {
  /** Compressed. In the sweep leaf and in the checkpoints' exit leaf; receives forfeits. */
  readonly forfeit: string;
  /** Compressed. The server's cosigner in every batch tree. */
  readonly operator: string;
}

/** The relay policy's dust limit of a taproot output. */
export const TAPROOT_DUST: Sats = sats(330);

/** A block holds four million weight units (BIP141). */
const MAX_BLOCK_WEIGHT = 4_000_000;
/** A second goes by while intents are gathered; the rest of a batch needs one, too. */
const MIN_SESSION_SECONDS = 2;

/** Why these settings make no sense; `undefined` when they do. */
export function troubleWith(settings: ArkSettings): string | undefined {
  const { unilateralExitDelay: exit, publicUnilateralExitDelay: shown, boardingExitDelay: boarding } = settings;
  const { vtxoMinAmount, vtxoMaxAmount, utxoMinAmount, utxoMaxAmount, batchExpiry } = settings;
  const rules: readonly (readonly [sound: boolean, trouble: string])[] = [
    [settings.sessionDuration >= MIN_SESSION_SECONDS, `a session takes at least ${MIN_SESSION_SECONDS} seconds`],
    [
      exit.value !== boarding.value,
      'unilateral and boarding exit delay must differ, or their addresses would coincide',
    ],
    [
      shown.type === exit.type && shown.value >= exit.value,
      'the public unilateral exit delay must not be shorter than the unilateral exit delay',
    ],
    // On regtest people let batches expire within minutes, to watch what happens then.
    [
      settings.network === 'regtest' || exit.type !== batchExpiry.type || exit.value < batchExpiry.value,
      'the unilateral exit delay must be shorter than the life of a batch, or no exit could finish',
    ],
    [settings.minParticipants >= 1, 'a batch has at least one participant'],
    [settings.minParticipants <= settings.maxParticipants, 'a batch must not need more participants than it may have'],
    [vtxoMinAmount > 0n && utxoMinAmount > 0n, 'the smallest amount is at least 1 sat'],
    [isRange(vtxoMinAmount, vtxoMaxAmount), 'the largest VTXO must not be below the smallest'],
    [isRange(utxoMinAmount, utxoMaxAmount), 'the largest on-chain amount must not be below the smallest'],
    [settings.maxTxWeight >= 1_000, 'a transaction weighs more than 1000 units'],
    [settings.maxTxWeight <= MAX_BLOCK_WEIGHT, `no transaction weighs more than ${MAX_BLOCK_WEIGHT} units`],
    [settings.banDuration >= 1, 'a ban lasts at least a second'],
    [settings.heartbeatInterval >= 1, 'a heartbeat comes once a second at most'],
    [
      settings.unrolledMinMargin >= settings.sessionDuration,
      'an unrolled VTXO must stay locked for longer than a session takes',
    ],
    [!settings.buildVersionRequired || settings.minBuildVersion !== '', 'no build version is named to be required'],
  ];
  return rules.find(([sound]) => !sound)?.[1];
}

/** No upper bound is fine, and 0 lets nothing pass on purpose. */
const isRange = (least: Sats, most: Sats | undefined): boolean => most === undefined || most === 0n || most >= least;

/** A signer key that was replaced: the server cosigns with it until `cutoff` (unix seconds, 0 for no end in sight). */
export interface DeprecatedSigner {
  /** Compressed, hex. */
  readonly publicKey: string;
  readonly cutoff: number;
}

/** Ark's wire writes a delay as one number: below 512 blocks, else seconds. */
export const wireDelay = (delay: RelativeTimelock): number => delay.value;

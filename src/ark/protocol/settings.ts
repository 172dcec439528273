/** An Ark server's public terms: what `GET /v1/info` states and every check compares with. */
import type { Blocks, Sats } from '../../base/units.ts';
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
  readonly unilateralExitDelay: RelativeTimelock;
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
  readonly intentFee: IntentFeePrograms;
}

/** The server's public keys, as its clients know them. */
export interface ArkPublicKeys {
  /** Compressed. In every VTXO and boarding script. */
  readonly signer: string;
  /** Compressed. In the sweep leaf and in the checkpoints' exit leaf; receives forfeits. */
  readonly forfeit: string;
  /** Compressed. The server's cosigner in every batch tree. */
  readonly operator: string;
}

/** Ark's wire writes a delay as one number: below 512 blocks, else seconds. */
export const wireDelay = (delay: RelativeTimelock): number => delay.value;

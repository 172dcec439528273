/** An Ark server's terms on regtest: what the options say, and for the rest the defaults of a server for everybody. */

import type { ArkSettings } from '../ark/protocol/settings.ts';
import { type Blocks, blocks, type Sats, sats } from '../base/units.ts';
import type { UpConfig } from './options.ts';

/** The relay policy's dust limit of a taproot output. */
const TAPROOT_DUST: Sats = sats(330);
const ONE_CONFIRMATION: Blocks = blocks(1);

export const arkSettings = (config: UpConfig): ArkSettings => ({
  network: config.network,
  sessionDuration: config.sessionDuration,
  batchExpiry: config.batchExpiry,
  unilateralExitDelay: config.unilateralExitDelay,
  boardingExitDelay: config.boardingExitDelay,
  checkpointExitDelay: config.checkpointExitDelay,
  utxoMinAmount: TAPROOT_DUST,
  utxoMaxAmount: undefined,
  vtxoMinAmount: sats(1),
  vtxoMaxAmount: undefined,
  dust: TAPROOT_DUST,
  maxTxWeight: 40_000,
  maxOpReturnOutputs: 3,
  minParticipants: 1,
  maxParticipants: 128,
  banThreshold: 3,
  banDuration: 300,
  boardingConfirmations: ONE_CONFIRMATION,
  intentFee: { offchainInput: '0.0', offchainOutput: '0.0', onchainInput: '0.0', onchainOutput: '0.0' },
});

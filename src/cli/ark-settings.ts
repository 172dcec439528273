/** An Ark server's terms, as the options state them. */
import { type ArkSettings, TAPROOT_DUST } from '../ark/protocol/settings.ts';
import type { ArkLimits } from '../ark/server/server.ts';
import type { UpConfig } from './options.ts';

const PERCENT = 100;

export const arkLimits = (config: UpConfig): ArkLimits => ({
  rateFactor: config.rateLimit / PERCENT,
  mostStreams: config.maxStreams,
  mostStreamsPerPeer: config.maxStreamsPerAddress,
  exposure: config.indexerExposure,
  tokenLife: config.indexerTokenLife,
});

export const arkSettings = (config: UpConfig): ArkSettings => ({
  network: config.network,
  sessionDuration: config.sessionDuration,
  batchExpiry: config.batchExpiry,
  unilateralExitDelay: config.unilateralExitDelay,
  publicUnilateralExitDelay: config.publicUnilateralExitDelay ?? config.unilateralExitDelay,
  boardingExitDelay: config.boardingExitDelay,
  checkpointExitDelay: config.checkpointExitDelay,
  utxoMinAmount: config.utxoMinAmount,
  utxoMaxAmount: config.utxoMaxAmount,
  vtxoMinAmount: config.vtxoMinAmount,
  vtxoMaxAmount: config.vtxoMaxAmount,
  dust: TAPROOT_DUST,
  maxTxWeight: config.maxTxWeight,
  maxOpReturnOutputs: config.maxOpReturnOutputs,
  minParticipants: config.minParticipants,
  maxParticipants: config.maxParticipants,
  banThreshold: config.banThreshold,
  banDuration: config.banDuration,
  boardingConfirmations: config.boardingConfirmations,
  unrolledMinMargin: config.unrolledMinMargin ?? Math.max(config.sessionDuration, DEFAULT_MARGIN),
  reserveCoins: config.reserveCoins,
  settlementGap: config.settlementGap,
  intentFee: {
    offchainInput: config.offchainInputFee,
    offchainOutput: config.offchainOutputFee,
    onchainInput: config.onchainInputFee,
    onchainOutput: config.onchainOutputFee,
  },
  batchTrigger: config.batchTrigger,
  minBuildVersion: config.minBuildVersion,
  buildVersionRequired: config.buildVersionRequired,
  digestRequired: config.digestRequired,
  heartbeatInterval: config.heartbeatInterval,
  noteUriPrefix: config.noteUriPrefix,
});

/** Seconds. */
const DEFAULT_MARGIN = 300;

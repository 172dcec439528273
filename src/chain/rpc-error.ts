/** bitcoind's error numbers: what its JSON-RPC tells, and what a door in its likeness has to tell. */
import type { BroadcastErrorCode } from './chain.ts';

export const RPC_ERROR = {
  misc: -1,
  type: -3,
  /** An address, block or transaction that is malformed or not there. */
  notFound: -5,
  insufficientFunds: -6,
  invalidParameter: -8,
  decode: -22,
  verify: -25,
  rejected: -26,
  alreadyInChain: -27,
  inWarmup: -28,
  invalidRequest: -32600,
  methodNotFound: -32601,
  internal: -32603,
  parse: -32700,
} as const;

export type RpcErrorKind = keyof typeof RPC_ERROR;

/** How bitcoind numbers the refusals of a broadcast. */
export const BROADCAST_ERROR: Readonly<Record<BroadcastErrorCode, RpcErrorKind>> = {
  TX_DECODE_FAILED: 'decode',
  TX_MISSING_INPUTS: 'verify',
  TX_REJECTED: 'rejected',
  TX_ALREADY_IN_CHAIN: 'alreadyInChain',
};

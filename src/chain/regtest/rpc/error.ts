/** bitcoind's error numbers, and the refusal that carries one. */

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
  invalidRequest: -32600,
  methodNotFound: -32601,
  internal: -32603,
  parse: -32700,
} as const;

export type RpcErrorCode = (typeof RPC_ERROR)[keyof typeof RPC_ERROR];

export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: RpcErrorCode;

  constructor(kind: keyof typeof RPC_ERROR, message: string) {
    super(message);
    this.code = RPC_ERROR[kind];
  }
}

export function demand(condition: unknown, kind: keyof typeof RPC_ERROR, message: string): asserts condition {
  if (!condition) throw new RpcError(kind, message);
}

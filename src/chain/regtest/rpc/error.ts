/** The refusal that carries one of bitcoind's error numbers. */
import { RPC_ERROR, type RpcErrorKind } from '../../rpc-error.ts';

export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: number;

  constructor(kind: RpcErrorKind, message: string) {
    super(message);
    this.code = RPC_ERROR[kind];
  }
}

export function demand(condition: unknown, kind: RpcErrorKind, message: string): asserts condition {
  if (!condition) throw new RpcError(kind, message);
}

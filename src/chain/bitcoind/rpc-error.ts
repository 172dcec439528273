/** bitcoind's refusal of one call; `code` is its own number. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** bitcoind's numbers for the refusals that are told apart. */
export const RPC = {
  MISC: -1,
  DESERIALIZATION: -22,
  VERIFY: -25,
  VERIFY_REJECTED: -26,
  ALREADY_IN_UTXO_SET: -27,
  IN_WARMUP: -28,
} as const;

/** How a refusal looks on Ark's wire: its number, its gRPC and HTTP status, and the JSON body that clients read. */
import type { ErrorData } from '../../base/errors.ts';
import type { ArkError, ArkErrorCode } from '../protocol/errors.ts';

interface WireError {
  readonly code: number;
  readonly grpc: number;
  readonly http: number;
}

/** gRPC statuses with the HTTP status that gateways give them. */
const INVALID = { grpc: 3, http: 400 } as const;
const NOT_FOUND = { grpc: 5, http: 404 } as const;
const EXISTS = { grpc: 6, http: 409 } as const;
const PRECONDITION = { grpc: 9, http: 400 } as const;
const INTERNAL = { grpc: 13, http: 500 } as const;

export const ARK_ERRORS = {
  INTERNAL_ERROR: { code: 0, ...INTERNAL },
  INVALID_ARK_PSBT: { code: 1, ...INVALID },
  INVALID_CHECKPOINT_PSBT: { code: 2, ...INVALID },
  INVALID_PSBT_MISSING_INPUT: { code: 3, ...INVALID },
  VTXO_ALREADY_REGISTERED: { code: 4, ...EXISTS },
  INVALID_PSBT_INPUT: { code: 5, ...INVALID },
  VTXO_ALREADY_SPENT: { code: 6, ...INVALID },
  VTXO_ALREADY_UNROLLED: { code: 7, ...INVALID },
  VTXO_RECOVERABLE: { code: 8, ...INVALID },
  OFFCHAIN_TX_SPENDING_NOTE: { code: 9, ...INVALID },
  INVALID_VTXO_SCRIPT: { code: 10, ...INVALID },
  FORFEIT_CLOSURE_LOCKED: { code: 11, ...PRECONDITION },
  ARK_TX_INPUT_NOT_SIGNED: { code: 12, ...INVALID },
  MALFORMED_ARK_TX: { code: 13, ...INVALID },
  AMOUNT_TOO_HIGH: { code: 14, ...INVALID },
  AMOUNT_TOO_LOW: { code: 15, ...INVALID },
  CHECKPOINT_MISMATCH: { code: 16, ...INVALID },
  ARK_TX_MISMATCH: { code: 17, ...INVALID },
  INVALID_SIGNATURE: { code: 18, ...INVALID },
  TX_NOT_FOUND: { code: 19, ...NOT_FOUND },
  INVALID_INTENT_TIMERANGE: { code: 20, ...INVALID },
  INVALID_INTENT_MESSAGE: { code: 21, ...INVALID },
  INVALID_INTENT_PSBT: { code: 22, ...INVALID },
  INVALID_INTENT_PROOF: { code: 23, ...INVALID },
  INVALID_PKSCRIPT: { code: 24, ...INVALID },
  CONFIRMATION_SESSION_NOT_STARTED: { code: 25, ...INVALID },
  INVALID_FORFEIT_TXS: { code: 26, ...INVALID },
  INVALID_BOARDING_INPUT_SIG: { code: 27, ...INVALID },
  SIGNING_SESSION_TIMED_OUT: { code: 28, ...INTERNAL },
  VTXO_BANNED: { code: 29, ...INVALID },
  VTXO_NOT_FOUND: { code: 30, ...NOT_FOUND },
  INTENT_INSUFFICIENT_FEE: { code: 31, ...INVALID },
  OFFCHAIN_TX_INSUFFICIENT_FEE: { code: 32, ...INVALID },
  ASSET_VALIDATION_FAILED: { code: 33, ...INVALID },
  ASSET_NOT_FOUND: { code: 34, ...NOT_FOUND },
  ASSET_INPUT_INVALID: { code: 35, ...INVALID },
  ASSET_OUTPUT_INVALID: { code: 36, ...INVALID },
  CONTROL_ASSET_INVALID: { code: 37, ...INVALID },
  CONTROL_ASSET_NOT_FOUND: { code: 38, ...NOT_FOUND },
  INTENT_ASSET_VALIDATION_FAILED: { code: 39, ...INVALID },
  CHECKPOINT_TX_INVALID: { code: 40, ...INVALID },
  CHECKPOINT_TX_NOT_FOUND: { code: 41, ...NOT_FOUND },
  OFFCHAIN_TX_INVALID: { code: 42, ...INVALID },
  ASSET_PACKET_INVALID: { code: 43, ...INVALID },
  INTENT_FEE_EVALUATION_FAILED: { code: 44, ...INTERNAL },
  INTENT_NOT_FOUND: { code: 45, ...NOT_FOUND },
  TX_TOO_LARGE: { code: 46, ...INVALID },
  VTXO_WITH_TOO_MANY_ASSETS: { code: 47, ...INVALID },
  BUILD_VERSION_TOO_OLD: { code: 48, ...PRECONDITION },
  DIGEST_MISMATCH: { code: 49, ...PRECONDITION },
  SUBSCRIPTION_NOT_FOUND: { code: 50, ...NOT_FOUND },
  TX_FILTERS_LIMIT_EXCEEDED: { code: 51, ...INVALID },
  INVALID_TX_FILTER: { code: 52, ...INVALID },
} as const satisfies Record<ArkErrorCode, WireError>;

const DETAILS_TYPE = 'type.googleapis.com/ark.v1.ErrorDetails';

export interface ArkErrorDetail {
  readonly '@type': typeof DETAILS_TYPE;
  readonly code: number;
  readonly name: ArkErrorCode;
  readonly message: string;
  readonly metadata: ErrorData;
}

/** google.rpc.Status in JSON. */
export interface ErrorBody {
  /** gRPC status. */
  readonly code: number;
  readonly message: string;
  /** Empty where the request could not even be read. */
  readonly details: readonly ArkErrorDetail[];
}

/** HTTP status and JSON body of a refusal; the client reads `details[0]`, or else the sentence `NAME (n): cause`. */
export function printArkError(error: ArkError): { readonly status: number; readonly body: ErrorBody } {
  const { code, grpc, http } = ARK_ERRORS[error.code];
  const message = `${error.code} (${code}): ${error.message}`;
  const detail = { '@type': DETAILS_TYPE, code, name: error.code, message, metadata: error.data } as const;
  return { status: http, body: { code: grpc, message, details: [detail] } };
}

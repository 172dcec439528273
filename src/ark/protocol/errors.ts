/** Ark's refusals by name. Their numbers and statuses are the wire's business (`wire/errors.ts`). */
import { type ErrorData, messageOf, ProtocolError } from '../../base/errors.ts';
import { DecodeError } from '../../bitcoin/reader.ts';

export type ArkErrorCode =
  | 'INTERNAL_ERROR'
  | 'INVALID_ARK_PSBT'
  | 'INVALID_CHECKPOINT_PSBT'
  | 'INVALID_PSBT_MISSING_INPUT'
  | 'VTXO_ALREADY_REGISTERED'
  | 'INVALID_PSBT_INPUT'
  | 'VTXO_ALREADY_SPENT'
  | 'VTXO_ALREADY_UNROLLED'
  | 'VTXO_RECOVERABLE'
  | 'OFFCHAIN_TX_SPENDING_NOTE'
  | 'INVALID_VTXO_SCRIPT'
  | 'FORFEIT_CLOSURE_LOCKED'
  | 'ARK_TX_INPUT_NOT_SIGNED'
  | 'MALFORMED_ARK_TX'
  | 'AMOUNT_TOO_HIGH'
  | 'AMOUNT_TOO_LOW'
  | 'CHECKPOINT_MISMATCH'
  | 'ARK_TX_MISMATCH'
  | 'INVALID_SIGNATURE'
  | 'TX_NOT_FOUND'
  | 'INVALID_INTENT_TIMERANGE'
  | 'INVALID_INTENT_MESSAGE'
  | 'INVALID_INTENT_PSBT'
  | 'INVALID_INTENT_PROOF'
  | 'INVALID_PKSCRIPT'
  | 'CONFIRMATION_SESSION_NOT_STARTED'
  | 'INVALID_FORFEIT_TXS'
  | 'INVALID_BOARDING_INPUT_SIG'
  | 'SIGNING_SESSION_TIMED_OUT'
  | 'VTXO_BANNED'
  | 'VTXO_NOT_FOUND'
  | 'INTENT_INSUFFICIENT_FEE'
  | 'OFFCHAIN_TX_INSUFFICIENT_FEE'
  | 'ASSET_VALIDATION_FAILED'
  | 'ASSET_NOT_FOUND'
  | 'ASSET_INPUT_INVALID'
  | 'ASSET_OUTPUT_INVALID'
  | 'CONTROL_ASSET_INVALID'
  | 'CONTROL_ASSET_NOT_FOUND'
  | 'INTENT_ASSET_VALIDATION_FAILED'
  | 'CHECKPOINT_TX_INVALID'
  | 'CHECKPOINT_TX_NOT_FOUND'
  | 'OFFCHAIN_TX_INVALID'
  | 'ASSET_PACKET_INVALID'
  | 'INTENT_FEE_EVALUATION_FAILED'
  | 'INTENT_NOT_FOUND'
  | 'TX_TOO_LARGE'
  | 'VTXO_WITH_TOO_MANY_ASSETS'
  | 'BUILD_VERSION_TOO_OLD'
  | 'DIGEST_MISMATCH'
  | 'SUBSCRIPTION_NOT_FOUND'
  | 'TX_FILTERS_LIMIT_EXCEEDED'
  | 'INVALID_TX_FILTER';

export type ArkError = ProtocolError<ArkErrorCode>;

export const arkError = (code: ArkErrorCode, message: string, data?: ErrorData): ArkError =>
  new ProtocolError(code, message, data);

/** Throws {@link arkError} unless `condition` holds. */
export function demand(condition: unknown, code: ArkErrorCode, message: string, data?: ErrorData): asserts condition {
  if (!condition) throw arkError(code, message, data);
}

/** Runs a parser of foreign bytes; what it cannot read becomes a refusal with `code`. */
export function reading<T>(code: ArkErrorCode, data: ErrorData, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof DecodeError || error instanceof TypeError || error instanceof RangeError) {
      throw arkError(code, messageOf(error), data);
    }
    throw error;
  }
}

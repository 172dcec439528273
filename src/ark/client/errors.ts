/** Why a client walks away: mostly a server that says one thing and does another. */
import { type ErrorData, messageOf, ProtocolError } from '../../base/errors.ts';
import { DecodeError } from '../../bitcoin/reader.ts';

export type ClientErrorCode =
  /** Not what the API promises: a missing field, bytes that do not parse, a step out of turn. */
  | 'MALFORMED_ANSWER'
  /** The server's terms contradict themselves. */
  | 'TERMS_INVALID'
  /** The stream of batch events ended before the batch did. */
  | 'STREAM_ENDED'
  /** The server gave the batch up as often as the client was willing to try. */
  | 'BATCH_FAILED'
  /** The batch would live too short to leave it in time. */
  | 'EXPIRY_TOO_SOON'
  /** The commitment transaction lacks what was agreed, or is not the one agreed on. */
  | 'COMMITMENT_INVALID'
  | 'COMMITMENT_CHANGED'
  /** The VTXO tree does not hang together; `data.flaw` says where. */
  | 'TREE_FLAWED'
  /** An output on the way can be spent otherwise than by its cosigners or, expired, by the server. */
  | 'HIDDEN_SPEND_PATH'
  | 'OWN_LEAF_MISSING'
  /** The own leaf pays as asked, but carries other assets, or something else besides. */
  | 'LEAF_CHANGED'
  /** A node on the way is not cosigned by the owner, or not by one and the same operator. */
  | 'COSIGNER_MISSING'
  | 'NONCES_INVALID'
  | 'SIGNATURE_INVALID'
  /** The connectors do not hang below this commitment; `data.flaw` says where. */
  | 'CONNECTORS_FLAWED'
  | 'CONNECTOR_MISSING'
  /** The server answers a payment with other transactions, or without its signatures. */
  | 'PAYMENT_CHANGED'
  /** The explorer does not answer, or not with what was asked for. */
  | 'CHAIN_SOURCE_FAILED'
  /** The network does not take a transaction. */
  | 'BROADCAST_REFUSED'
  /** The owner has no way out of a VTXO alone. */
  | 'EXIT_IMPOSSIBLE'
  /** The owner has no exit data of a VTXO. */
  | 'NOT_KEPT'
  | 'COINS_INSUFFICIENT';

export type ClientError = ProtocolError<ClientErrorCode>;

/** Throws a {@link ClientError} unless `condition` holds. */
export function insist(
  condition: unknown,
  code: ClientErrorCode,
  message: string,
  data?: ErrorData,
): asserts condition {
  if (!condition) throw new ProtocolError(code, message, data);
}

/** Runs a parser of a server's bytes; what it cannot read is a `MALFORMED_ANSWER`. */
export function reading<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const isOfWire = error instanceof ProtocolError && error.code === 'MALFORMED_REQUEST';
    const unreadable =
      isOfWire || error instanceof DecodeError || error instanceof TypeError || error instanceof RangeError;
    if (!unreadable) throw error;
    throw new ProtocolError<ClientErrorCode>('MALFORMED_ANSWER', messageOf(error));
  }
}

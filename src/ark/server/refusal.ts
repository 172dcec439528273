/** How an error is told to a client: the same status, sentence and details on either wire. */
import { ProtocolError } from '../../base/errors.ts';
import { NodeError } from '../../chain/node-error.ts';
import { isOverLimit } from '../../runtime/over-limit.ts';
import { StoreError } from '../../store/db.ts';
import type { ArkError } from '../protocol/errors.ts';
import { ARK_ERRORS, type ErrorBody, printArkError } from '../wire/errors.ts';
import { isStatusError, STATUSES } from '../wire/status.ts';
import { isAccessError } from './access.ts';
import type { ArkContext } from './context.ts';

export interface Refusal {
  /** HTTP. */
  readonly status: number;
  readonly body: ErrorBody;
  /** Seconds after which the call may be worth another try. */
  readonly retryAfter?: string;
}

/** Turns what a call threw into its refusal. `what` names the call for the log. */
export type Refuse = (error: unknown, what: string) => Refusal;

const GRPC_STATUS = {
  invalidArgument: 3,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

const bare = (status: number, code: keyof typeof GRPC_STATUS, message: string): Refusal => ({
  status,
  body: { code: GRPC_STATUS[code], message, details: [] },
});

export const noSuchCall = (path: string): Refusal => bare(404, 'notFound', `no such call: ${path}`);

const isArkError = (error: unknown): error is ArkError => error instanceof ProtocolError && error.code in ARK_ERRORS;

/** An unknown error is told as an id to look up in the log, and nothing else. */
export function createRefuse({ log, newId, metrics }: Pick<ArkContext, 'log' | 'newId' | 'metrics'>): Refuse {
  return (error, what) => {
    if (isArkError(error)) {
      metrics.refusals.add({ code: error.code });
      return printArkError(error);
    }
    if (error instanceof ProtocolError && error.code === 'MALFORMED_REQUEST') {
      metrics.refusals.add({ code: 'MALFORMED_REQUEST' });
      return bare(400, 'invalidArgument', error.message);
    }
    if (isAccessError(error)) {
      metrics.refusals.add({ code: error.code });
      return error.code === 'UNAUTHENTICATED'
        ? bare(401, 'unauthenticated', error.message)
        : bare(403, 'permissionDenied', error.message);
    }
    if (isStatusError(error)) {
      const { grpc, http } = STATUSES[error.code];
      metrics.refusals.add({ code: error.code });
      return { status: http, body: { code: grpc, message: error.message, details: [] } };
    }
    if (isOverLimit(error)) {
      metrics.refusals.add({ code: error.code });
      const refusal =
        error.code === 'RATE_LIMITED'
          ? bare(429, 'resourceExhausted', error.message)
          : bare(503, 'unavailable', error.message);
      return { ...refusal, retryAfter: error.data.retry_after! };
    }
    if (error instanceof NodeError || error instanceof StoreError) {
      metrics.refusals.add({ code: 'UNAVAILABLE' });
      const part = error instanceof NodeError ? 'chain' : 'database';
      const message = `INTERNAL_ERROR (0): the ${part} cannot be asked at the moment: ${error.code}`;
      return bare(503, 'unavailable', message);
    }
    metrics.refusals.add({ code: 'UNEXPECTED' });
    const id = newId();
    log.error({ err: error, id, call: what }, 'a request failed');
    return bare(500, 'internal', `INTERNAL_ERROR (0): internal error ${id}`);
  };
}

/** Refusals that have no code of Ark's, only a status of gRPC: those of the admin API. */
import { ProtocolError } from '../../base/errors.ts';

export const STATUSES = {
  NOT_FOUND: { grpc: 5, http: 404 },
  ALREADY_EXISTS: { grpc: 6, http: 409 },
  FAILED_PRECONDITION: { grpc: 9, http: 400 },
  UNAVAILABLE: { grpc: 14, http: 503 },
} as const;

export type StatusCode = keyof typeof STATUSES;
export const STATUS_CODES = Object.keys(STATUSES) as StatusCode[];

export const refused = (code: StatusCode, message: string): ProtocolError<StatusCode> =>
  new ProtocolError(code, message);

export const isStatusError = (error: unknown): error is ProtocolError<StatusCode> =>
  error instanceof ProtocolError && Object.hasOwn(STATUSES, error.code);

/** Refusals of who asks for too much, and of anybody while there is no room. */
import { ProtocolError } from '../base/errors.ts';

export type OverLimitCode =
  /** This peer asks for more than its share; others are served. */
  | 'RATE_LIMITED'
  /** There is no room for anybody now. */
  | 'UNAVAILABLE';

export type OverLimit = ProtocolError<OverLimitCode>;

/** `retryAfter`: seconds after which it may be worth another try. */
export const overLimit = (code: OverLimitCode, message: string, retryAfter: number): OverLimit =>
  new ProtocolError(code, message, { retry_after: `${Math.max(1, Math.ceil(retryAfter))}` });

export const isOverLimit = (error: unknown): error is OverLimit =>
  error instanceof ProtocolError && (error.code === 'RATE_LIMITED' || error.code === 'UNAVAILABLE');

/** The delegator's door, as its clients call it: `GET /v1/delegator/info`, `POST /v1/delegate`. */
import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import { ProtocolError } from '../../../base/errors.ts';
import type { Clock } from '../../../runtime/clock.ts';
import type { Log } from '../../../runtime/log.ts';
import { isOverLimit } from '../../../runtime/over-limit.ts';
import { peerOf } from '../../../runtime/peer.ts';
import { type Budget, createRateLimiter } from '../../../runtime/rate-limiter.ts';
import { createSlots } from '../../../runtime/slots.ts';
import type { ArkError } from '../../protocol/errors.ts';
import { ARK_ERRORS, printArkError } from '../../wire/errors.ts';
import { malformed, message, requiredText, texts } from '../../wire/request.ts';
import { bodyOf } from '../rest.ts';
import type { DelegationErrorCode } from './admission.ts';
import type { Delegator } from './delegator.ts';

const STATUS = {
  DELEGATION_EXISTS: 409,
  DELEGATION_UNDER_WAY: 409,
  DELEGATOR_FULL: 503,
} as const satisfies Record<DelegationErrorCode, number>;

/** Calls a second and at once that an address may make. */
const BUDGETS = {
  read: { perSecond: 50, burst: 500 },
  delegation: { perSecond: 5, burst: 100 },
} as const;
/** Delegations that are verified at once, that wait for it, and for how long. */
const SLOTS = { mostRunning: 16, mostWaiting: 512, patienceMs: 10_000 };

const isArkError = (error: ProtocolError): error is ArkError => error.code in ARK_ERRORS;
const isOwn = (code: string): code is DelegationErrorCode => Object.hasOwn(STATUS, code);

/** An error of ours or of the Ark server's is told as nothing but that. */
function refuse(c: Context, log: Log, error: unknown): Response {
  if (error instanceof ProtocolError && isArkError(error)) {
    const { status, body } = printArkError(error);
    return c.json(body, status as 400);
  }
  if (error instanceof ProtocolError && isOwn(error.code)) {
    return c.json({ code: error.code, message: error.message }, STATUS[error.code]);
  }
  if (isOverLimit(error)) {
    c.header('retry-after', error.data.retry_after!);
    return c.json({ code: error.code, message: error.message }, error.code === 'RATE_LIMITED' ? 429 : 503);
  }
  if (error instanceof ProtocolError && error.code === 'MALFORMED_REQUEST') {
    return c.json({ code: error.code, message: error.message }, 400);
  }
  log.error({ err: error, path: c.req.path }, 'a request to the delegator failed');
  return c.json({ code: 'UNAVAILABLE', message: 'the delegator cannot do this at the moment' }, 503);
}

function flagOf(value: unknown, name: string): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value !== 'boolean') throw malformed(`${name} must be true or false`);
  return value;
}

export interface DelegatorAppParts {
  readonly clock: Clock;
  readonly log: Log;
  /** How much of the usual budgets an address has: 1 for all of it, 0 for no limit. */
  readonly rateFactor: number;
}

export function createDelegatorApp(delegator: Delegator, { clock, log, rateFactor }: DelegatorAppParts): Hono {
  const app = new Hono();
  const scaled = ({ perSecond, burst }: Budget): Budget => ({
    perSecond: perSecond * rateFactor,
    burst: burst * rateFactor,
  });
  const limiter = createRateLimiter(clock, { read: scaled(BUDGETS.read), delegation: scaled(BUDGETS.delegation) });
  const slots = createSlots(clock, SLOTS);
  const spend = (c: Context, kind: keyof typeof BUDGETS): void => {
    if (rateFactor > 0) limiter.spend(peerOf(c), kind);
  };
  app.use('*', cors({ origin: '*', allowHeaders: ['*'], allowMethods: ['*'] }));
  app.onError((error, c) => refuse(c, log, error));
  app.notFound((c) => c.json({ code: 'NOT_FOUND', message: `no such call: ${c.req.path}` }, 404));
  app.get('/healthz', (c) => c.json({ status: 'SERVING' }));
  app.get('/v1/delegator/info', async (c) => {
    spend(c, 'read');
    const { publicKey, fee, address } = await delegator.info();
    // Clients know the address by either name.
    return c.json({ pubkey: publicKey, fee: `${fee}`, delegatorAddress: address, delegateAddress: address });
  });
  app.post('/v1/delegate', async (c) => {
    spend(c, 'delegation');
    const body = await bodyOf(c);
    const intent = message(body, 'intent');
    const request = {
      message: requiredText(intent, 'message'),
      proof: requiredText(intent, 'proof'),
      forfeits: texts(body, 'forfeit_txs'),
    };
    const rejectReplace = flagOf(body.reject_replace, 'reject_replace');
    const leave = await slots.take();
    try {
      return c.json({ id: await delegator.delegate(request, rejectReplace) });
    } finally {
      leave();
    }
  });
  return app;
}

/** What the public and the admin API share: mounting routes, reading bodies, and turning errors into answers. */
import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import { ProtocolError } from '../../base/errors.ts';
import { NodeError } from '../../chain/node-error.ts';
import { StoreError } from '../../store/db.ts';
import type { ArkError } from '../protocol/errors.ts';
import { ARK_ERRORS, printArkError } from '../wire/errors.ts';
import { asFields, type Fields, malformed } from '../wire/request.ts';
import type { Route } from '../wire/routes.ts';
import type { ArkContext } from './context.ts';

export type Handler = (c: Context) => Promise<object> | object;

export interface Door {
  readonly app: Hono;
  /** Answers `route` with the JSON of what `handler` returns, or with the `Response` itself. */
  on(route: Route, handler: Handler): void;
}

type DoorParts = Pick<ArkContext, 'log' | 'newId' | 'metrics'>;

const GRPC_STATUS = { invalidArgument: 3, notFound: 5, internal: 13, unavailable: 14 } as const;

const isArkError = (error: unknown): error is ArkError => error instanceof ProtocolError && error.code in ARK_ERRORS;

/** An unknown error is told as an id to look up in the log, and nothing else. */
function answerError(c: Context, { log, newId, metrics }: DoorParts, error: unknown): Response {
  if (isArkError(error)) {
    metrics.refusals.add({ code: error.code });
    const { status, body } = printArkError(error);
    return c.json(body, status as 400);
  }
  if (error instanceof ProtocolError && error.code === 'MALFORMED_REQUEST') {
    metrics.refusals.add({ code: 'MALFORMED_REQUEST' });
    return c.json({ code: GRPC_STATUS.invalidArgument, message: error.message, details: [] }, 400);
  }
  if (error instanceof NodeError || error instanceof StoreError) {
    metrics.refusals.add({ code: 'UNAVAILABLE' });
    const part = error instanceof NodeError ? 'chain' : 'database';
    const message = `INTERNAL_ERROR (0): the ${part} cannot be asked at the moment: ${error.code}`;
    return c.json({ code: GRPC_STATUS.unavailable, message, details: [] }, 503);
  }
  metrics.refusals.add({ code: 'UNEXPECTED' });
  const id = newId();
  log.error({ err: error, id, path: c.req.path }, 'a request failed');
  return c.json({ code: GRPC_STATUS.internal, message: `INTERNAL_ERROR (0): internal error ${id}`, details: [] }, 500);
}

export function createDoor(parts: DoorParts): Door {
  const app = new Hono();
  app.use('*', cors({ origin: '*', allowHeaders: ['*'], allowMethods: ['*'] }));
  app.onError((error, c) => answerError(c, parts, error));
  app.notFound((c) => c.json({ code: GRPC_STATUS.notFound, message: `no such call: ${c.req.path}`, details: [] }, 404));
  return {
    app,
    on({ method, path }, handler) {
      app.on(method, path, async (c) => {
        const answer = await handler(c);
        return answer instanceof Response ? answer : c.json(answer);
      });
    },
  };
}

/** The JSON object in a request's body; an empty body is an empty object. */
export async function bodyOf(c: Context): Promise<Fields> {
  const raw = await c.req.text();
  if (raw.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    throw malformed('the body is not JSON');
  }
  return asFields(value);
}

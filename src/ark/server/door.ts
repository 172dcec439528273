/** What the public and the admin API share: mounting calls, and turning errors into answers. */
import type { DescService } from '@bufbuild/protobuf';
import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import { peerOf } from '../../runtime/peer.ts';
import type { Streams } from '../../runtime/sse.ts';
import type { AdminToken } from '../../runtime/token.ts';
import type { Route } from '../wire/routes.ts';
import type { Call, Calls, Guard } from './call.ts';
import type { ArkContext } from './context.ts';
import type { Gate } from './gate.ts';
import { badToken, createRefuse, noSuchCall, type Refusal } from './refusal.ts';
import { bindingsOf } from './rest.ts';

export type Handler = (c: Context) => Promise<object> | object;

export interface Door {
  readonly app: Hono;
  /** Answers the calls of a service, where its annotations have them. */
  serve<S extends DescService>(service: S, calls: Partial<Calls<S>>, guard?: Guard): void;
  /** Answers `route`, which no service has, with the JSON of what `handler` returns, or with the `Response` itself. */
  on(route: Route, handler: Handler): void;
}

export interface DoorOptions {
  readonly streams: Streams;
  /** Every call must bring it. */
  readonly token?: AdminToken;
  /** Asked before each call. */
  readonly gate?: Gate;
}

type DoorParts = Pick<ArkContext, 'log' | 'newId' | 'metrics'>;

type Header = Call['header'];

/** Where clients of this API put their token. */
const tokenOf = (header: Header): string =>
  header('authorization')?.replace(/^Bearer /i, '') ?? header('macaroon') ?? header('x-macaroon') ?? '';

type AnyHandler = (request: object, call: object) => Promise<object | undefined> | object | undefined;

export function createDoor(parts: DoorParts, { streams, token, gate }: DoorOptions): Door {
  const app = new Hono();
  const refuse = createRefuse(parts);
  const isAdmitted = (header: Header): boolean => token === undefined || token.matches(tokenOf(header));
  const answer = (c: Context, { status, body, retryAfter }: Refusal): Response => {
    if (retryAfter !== undefined) c.header('retry-after', retryAfter);
    return c.json(body, status as 400);
  };
  app.use('*', cors({ origin: '*', allowHeaders: ['*'], allowMethods: ['*'] }));
  app.onError((error, c) => answer(c, refuse(error, c.req.path)));
  app.use('/v1/*', async (c, next) => {
    if (!isAdmitted((name) => c.req.header(name))) return answer(c, badToken());
    return next();
  });
  app.notFound((c) => answer(c, noSuchCall(c.req.path)));

  const door: Door = {
    app,
    serve(service, calls, guard = () => {}) {
      for (const method of service.methods) {
        const handle = calls[method.localName as keyof typeof calls] as AnyHandler | undefined;
        if (!handle) continue;
        for (const { route, request } of bindingsOf(method)) {
          door.on(route, async (c) => {
            const call: Call = { method, header: (name) => c.req.header(name), peer: peerOf(c) };
            const leave = await gate?.enter(call.peer, method);
            try {
              guard(call);
              if (method.methodKind === 'unary') return (await handle(await request(c), call))!;
              let response: Response | undefined;
              const open = () => {
                const stream = streams.open(c);
                response = stream.response;
                return stream;
              };
              await handle(await request(c), { ...call, open });
              return response!;
            } finally {
              leave?.();
            }
          });
        }
      }
    },
    on({ method, path }, handler) {
      app.on(method, path, async (c) => {
        const answered = await handler(c);
        return answered instanceof Response ? answered : c.json(answered);
      });
    },
  };
  return door;
}

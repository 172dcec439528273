/** What the public and the admin API share: mounting calls on REST and on gRPC, and turning errors into answers. */
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import type { ConnectRouter } from '@connectrpc/connect';
import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import { ProtocolError } from '../../base/errors.ts';
import { Health as HealthService } from '../../runtime/gen/grpc/health/v1/health_pb.ts';
import { createGrpc } from '../../runtime/grpc.ts';
import { mountGrpcHealth } from '../../runtime/grpc-health.ts';
import { mountGrpcReflection } from '../../runtime/grpc-reflection.ts';
import type { GrpcListener } from '../../runtime/http.ts';
import { peerOf } from '../../runtime/peer.ts';
import type { Streams } from '../../runtime/sse.ts';
import type { AdminToken } from '../../runtime/token.ts';
import type { Route } from '../wire/routes.ts';
import type { AccessErrorCode } from './access.ts';
import type { AnyHandler, Call, Calls, Guard } from './call.ts';
import type { ArkContext } from './context.ts';
import type { Gate } from './gate.ts';
import type { Health } from './health.ts';
import { createRefuse, noSuchCall, type Refusal } from './refusal.ts';
import { bindingsOf } from './rest.ts';
import { mountRpc } from './rpc.ts';

export type Handler = (c: Context) => Promise<object> | object;

export interface Door {
  readonly app: Hono;
  /** Answers the calls of a service: over REST where its annotations have them, and over gRPC. */
  serve<S extends DescService>(service: S, calls: Partial<Calls<S>>, guard?: Guard): void;
  /** Answers `route`, which no service has, with the JSON of what `handler` returns, or with the `Response` itself. */
  on(route: Route, handler: Handler): void;
  /** gRPC for all that is served by now. */
  grpc(): GrpcListener;
}

export interface DoorOptions {
  readonly streams: Streams;
  readonly health: Health;
  /** Tells gRPC clients what the services look like. */
  readonly reflection: boolean;
  /** Every call must bring it. */
  readonly token?: AdminToken;
  /** Asked before each call. */
  readonly gate?: Gate;
}

/** A user of a big batch delivers forfeits and the commitment in one call. */
export const MAX_ARK_BODY_BYTES = 4 << 20;

type DoorParts = Pick<ArkContext, 'log' | 'newId' | 'metrics' | 'clock' | 'chain' | 'nowSeconds'>;

type Header = Call['header'];

/** Where clients of this API put their token. */
const tokenOf = (header: Header): string =>
  header('authorization')?.replace(/^Bearer /i, '') ?? header('macaroon') ?? header('x-macaroon') ?? '';

export function createDoor(parts: DoorParts, { streams, health, reflection, token, gate }: DoorOptions): Door {
  const app = new Hono();
  const refuse = createRefuse(parts);
  const served = new Map<DescService, Map<DescMethod, AnyHandler>>();
  const checkToken = (header: Header): void => {
    if (token !== undefined && !token.matches(tokenOf(header))) {
      throw new ProtocolError<AccessErrorCode>('UNAUTHENTICATED', 'the admin token is missing or wrong');
    }
  };
  const answer = (c: Context, { status, body, retryAfter }: Refusal): Response => {
    if (retryAfter !== undefined) c.header('retry-after', retryAfter);
    return c.json(body, status as 400);
  };
  app.use('*', cors({ origin: '*', allowHeaders: ['*'], allowMethods: ['*'] }));
  app.onError((error, c) => answer(c, refuse(error, c.req.path)));
  app.use('/v1/*', (c, next) => {
    checkToken((name) => c.req.header(name));
    return next();
  });
  app.notFound((c) => answer(c, noSuchCall(c.req.path)));

  /** Lets a call in, runs it and lets it out. A stream is let out once it is open. */
  const conductor =
    (guard: Guard) =>
    async <R>(call: Call, run: () => R): Promise<Awaited<R>> => {
      const leave = await gate?.enter(call.peer, call.method);
      try {
        checkToken(call.header);
        guard(call);
        return await run();
      } finally {
        leave?.();
      }
    };
  type Conduct = ReturnType<typeof conductor>;

  function mountRest(method: DescMethod, handle: AnyHandler, conduct: Conduct): void {
    for (const { route, request } of bindingsOf(method)) {
      door.on(route, (c) => {
        const call: Call = { method, header: (name) => c.req.header(name), peer: peerOf(c) };
        return conduct(call, async () => {
          if (method.methodKind === 'unary') return (await handle(await request(c), call))!;
          let response: Response | undefined;
          const open = () => {
            const stream = streams.open(c);
            response = stream.response;
            return stream;
          };
          await handle(await request(c), { ...call, open });
          return response!;
        });
      });
    }
  }

  const door: Door = {
    app,
    serve(service, calls, guard = () => {}) {
      const conduct = conductor(guard);
      const handlers = served.get(service) ?? new Map<DescMethod, AnyHandler>();
      served.set(service, handlers);
      for (const method of service.methods) {
        const handle = calls[method.localName as keyof typeof calls] as AnyHandler | undefined;
        if (!handle) continue;
        handlers.set(method, (request, call) => conduct(call, () => handle(request, call)));
        mountRest(method, handle, conduct);
      }
    },
    on({ method, path }, handler) {
      app.on(method, path, async (c) => {
        const answered = await handler(c);
        return answered instanceof Response ? answered : c.json(answered);
      });
    },
    grpc() {
      const services = [...served.keys()];
      const isServing = async () => (await health.troubles()).length === 0;
      const mount = (router: ConnectRouter): void => {
        for (const [service, handlers] of served) mountRpc(router, service, handlers, { ...parts, streams, refuse });
        mountGrpcHealth(router, { services, isServing, clock: parts.clock });
        if (reflection) mountGrpcReflection(router, [...services, HealthService]);
      };
      return createGrpc(mount, MAX_ARK_BODY_BYTES, (err) => parts.log.error({ err }, 'a gRPC call failed'));
    },
  };
  return door;
}

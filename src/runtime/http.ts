/** The HTTP server under every door: limits, ports and a clean stop, none of which a protocol should know about. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { OperatorError } from './operator-error.ts';
import type { EventStream } from './sse.ts';
import { serveWebSockets, type WebSocketRoute } from './web-socket.ts';

const DEFAULT_MAX_BODY_BYTES = 1 << 20;
/** Bounds the arrival of a request; answers, streams among them, may take as long as they like. */
const REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 30_000;
/** Longer than clients and proxies keep idle connections, so that it is they who close. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** How long answers under way may take to finish once the server stops. */
const STOP_GRACE_MS = 1_000;
const SWEEP_MS = 20;

export interface HttpOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly maxBodyBytes?: number;
  readonly webSocket?: WebSocketRoute;
}

export interface HttpServer {
  /** Resolves with the actual port once connections are accepted. Throws `OperatorError` PORT_TAKEN or LISTEN_FAILED. */
  start(): Promise<number>;
  /** Ends open streams, lets running answers finish and closes every connection, all within two seconds. */
  stop(): Promise<void>;
}

/** What handlers find in `c.env`. */
export interface HttpEnv {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly openStreams: Set<EventStream>;
}

/** The whole body, or `undefined` as soon as it exceeds `limit` bytes. */
async function readBody(incoming: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += (chunk as Buffer).length;
    if (size > limit) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function refuseBody(outgoing: ServerResponse, limit: number): void {
  const message = `the body may have at most ${limit} bytes`;
  outgoing.writeHead(413, { 'content-type': 'application/json', connection: 'close' });
  outgoing.end(JSON.stringify({ code: 'BODY_TOO_LARGE', message }));
}

function listenError(error: NodeJS.ErrnoException, { host, port }: HttpOptions): OperatorError {
  return error.code === 'EADDRINUSE'
    ? new OperatorError('PORT_TAKEN', `port ${port} on ${host} is taken by another program`)
    : new OperatorError('LISTEN_FAILED', `cannot listen on ${host} port ${port}: ${error.code ?? error.message}`);
}

export function createHttpServer(app: Pick<Hono, 'fetch'>, options: HttpOptions): HttpServer {
  const limit = options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
  const openStreams = new Set<EventStream>();
  const answer = getRequestListener((request, env) => app.fetch(request, { ...env, openStreams }));

  async function receive(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    if (Number(incoming.headers['content-length'] ?? 0) > limit) return refuseBody(outgoing, limit);
    if (incoming.headers['transfer-encoding'] !== undefined) {
      const body = await readBody(incoming, limit);
      if (!body) return refuseBody(outgoing, limit);
      // Where the listener looks for a body that somebody has read already.
      Object.assign(incoming, { rawBody: body });
    }
    await answer(incoming, outgoing);
  }

  const server = createServer(
    {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    },
    (incoming, outgoing) => void receive(incoming, outgoing).catch(() => outgoing.destroy()),
  );

  const closeWebSockets = options.webSocket ? serveWebSockets(server, options.webSocket) : () => {};

  return {
    start: () =>
      new Promise((resolve, reject) => {
        // Once listening, an error is a connection that could not be accepted; the next one may be.
        server.on('error', (error) => reject(listenError(error, options)));
        server.listen(options.port, options.host, () => resolve((server.address() as AddressInfo).port));
      }),
    stop: () =>
      new Promise((resolve) => {
        // Connections fall idle one by one, as what they carry ends.
        const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
        const force = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS);
        server.close(() => {
          clearInterval(sweep);
          clearTimeout(force);
          resolve();
        });
        for (const stream of openStreams) stream.end();
        closeWebSockets();
      }),
  };
}

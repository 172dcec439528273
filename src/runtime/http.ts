/**
 * The HTTP server under every door, version 1.1 and 2 on one port: limits, ports and a clean stop, none of which a
 * protocol should know about.
 */
import { createServer, type IncomingMessage, maxHeaderSize, type Server, type ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { serveHttp2 } from './http2.ts';
import type { MessageStream } from './message-stream.ts';
import { OperatorError } from './operator-error.ts';
import { createPeers, type Peer, type Peers } from './peer.ts';
import { serveWebSockets, type WebSocketRoute } from './web-socket.ts';

const DEFAULT_MAX_BODY_BYTES = 1 << 20;
/** Bounds the arrival of a request; answers, streams among them, may take as long as they like. */
const REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 15_000;
/** How often it is looked whether the time is up. */
const TIMEOUT_CHECKS = 4;
const MOST_CONNECTIONS = 50_000;
const MOST_CONNECTIONS_PER_PEER = 1_000;
/** Longer than clients and proxies keep idle connections, so that it is they who close. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** How long answers under way may take to finish once the server stops. */
const STOP_GRACE_MS = 1_000;
const SWEEP_MS = 20;

/** A request of HTTP/1.1 or HTTP/2, and what answers it. */
export type Incoming = IncomingMessage | Http2ServerRequest;
export type Outgoing = ServerResponse | Http2ServerResponse;

/** What handlers may have to know besides. */
export interface Surroundings {
  /** Streams that the server ends when it stops. */
  readonly openStreams: Set<MessageStream>;
  readonly peer: Peer;
}

export type GrpcListener = (incoming: Incoming, outgoing: Outgoing, surroundings: Surroundings) => void;

export interface HttpOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly maxBodyBytes?: number;
  readonly maxHeaderBytes?: number;
  /** Tells who sends requests and holds connections; by default whoever is at the other end. */
  readonly peers?: Peers;
  /** Bounds the arrival of a request's headers, and of all of it. */
  readonly headersTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
  /** Open connections in all, and of one peer. */
  readonly mostConnections?: number;
  readonly mostConnectionsPerPeer?: number;
  readonly webSocket?: WebSocketRoute;
  /** Takes the requests whose content type is gRPC's, or gRPC-web's. It bounds their bodies itself. */
  readonly grpc?: GrpcListener;
}

export interface HttpServer {
  /** Resolves with the actual port once connections are accepted. Throws `OperatorError` PORT_TAKEN or LISTEN_FAILED. */
  start(): Promise<number>;
  /** Ends open streams, lets running answers finish and closes every connection, all within two seconds. */
  stop(): Promise<void>;
}

/** What handlers find in `c.env`. */
export interface HttpEnv extends Surroundings {
  readonly incoming: Incoming;
  readonly outgoing: Outgoing;
}

/** The whole body, or `undefined` as soon as it exceeds `limit` bytes: nothing is read after that. */
function readBody(incoming: Incoming, limit: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) return void chunks.push(chunk);
      incoming.pause();
      resolve(undefined);
    });
    incoming.on('end', () => resolve(Buffer.concat(chunks)));
    incoming.on('error', reject);
    incoming.on('close', () => reject(new Error('the request broke off')));
  });
}

/** Ends the request too: nobody is going to read the rest of it. */
function refuseBody(outgoing: Outgoing, limit: number): void {
  const body = JSON.stringify({ code: 'BODY_TOO_LARGE', message: `the body may have at most ${limit} bytes` });
  const headers = { 'content-type': 'application/json' };
  if ('stream' in outgoing) {
    const { stream } = outgoing;
    stream.respond({ ':status': 413, ...headers });
    stream.end(body);
    stream.close(constants.NGHTTP2_NO_ERROR);
  } else {
    outgoing.writeHead(413, { ...headers, connection: 'close' }).end(body);
  }
}

/** HTTP/2 need not announce a body. */
const mayHaveBody = ({ headers, httpVersionMajor }: Incoming): boolean =>
  httpVersionMajor > 1 || headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

function listenError(error: NodeJS.ErrnoException, { host, port }: HttpOptions): OperatorError {
  return error.code === 'EADDRINUSE'
    ? new OperatorError('PORT_TAKEN', `port ${port} on ${host} is taken by another program`)
    : new OperatorError('LISTEN_FAILED', `cannot listen on ${host} port ${port}: ${error.code ?? error.message}`);
}

/** Closes the connections of a peer that has too many already. */
function limitConnections(server: Server, peers: Peers, most: number): void {
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const peer = peers.connected(socket);
    if (peer === undefined) return;
    const own = (open.get(peer) ?? 0) + 1;
    if (own > most) return void socket.destroy();
    open.set(peer, own);
    socket.once('close', () => {
      const left = open.get(peer)! - 1;
      if (left === 0) open.delete(peer);
      else open.set(peer, left);
    });
  });
}

export function createHttpServer(app: Pick<Hono, 'fetch'>, options: HttpOptions): HttpServer {
  const limit = options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
  const openStreams = new Set<MessageStream>();
  const peers = options.peers ?? createPeers();
  const around = (incoming: Incoming): Surroundings => ({ openStreams, peer: peers.of(incoming) });
  const answer = getRequestListener((request, env) => app.fetch(request, { ...env, ...around(env.incoming) }));

  async function receive(incoming: Incoming, outgoing: Outgoing): Promise<void> {
    if (options.grpc && incoming.headers['content-type']?.startsWith('application/grpc')) {
      return options.grpc(incoming, outgoing, around(incoming));
    }
    if (Number(incoming.headers['content-length'] ?? 0) > limit) return refuseBody(outgoing, limit);
    // Whoever is slow to send holds up nothing but its own connection: a request is taken up once it is here whole.
    if (mayHaveBody(incoming)) {
      const body = await readBody(incoming, limit);
      if (!body) return refuseBody(outgoing, limit);
      // Where the listener looks for a body that somebody has read already.
      Object.assign(incoming, { rawBody: body });
    }
    await answer(incoming, outgoing);
  }

  const listener = (incoming: Incoming, outgoing: Outgoing): void =>
    void receive(incoming, outgoing).catch(() => outgoing.destroy());

  const headersTimeout = options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS;
  const requestTimeout = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
  const server = createServer(
    {
      requestTimeout,
      headersTimeout,
      connectionsCheckingInterval: headersTimeout / TIMEOUT_CHECKS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      ...(options.maxHeaderBytes !== undefined && { maxHeaderSize: options.maxHeaderBytes }),
    },
    listener,
  );

  server.maxConnections = options.mostConnections ?? MOST_CONNECTIONS;
  limitConnections(server, peers, options.mostConnectionsPerPeer ?? MOST_CONNECTIONS_PER_PEER);
  const http2Limits = {
    maxHeaderBytes: options.maxHeaderBytes ?? maxHeaderSize,
    decisionMs: headersTimeout,
    requestMs: requestTimeout,
    idleMs: KEEP_ALIVE_TIMEOUT_MS,
  };
  const http2 = serveHttp2(server, http2Limits, listener);

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
        const force = setTimeout(() => {
          server.closeAllConnections();
          http2.destroy();
        }, STOP_GRACE_MS);
        server.close(() => {
          clearInterval(sweep);
          clearTimeout(force);
          resolve();
        });
        for (const stream of openStreams) stream.end();
        http2.close();
        closeWebSockets();
      }),
  };
}

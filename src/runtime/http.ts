/** The HTTP server under every door: limits, ports and a clean stop, none of which a protocol should know about. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { OperatorError } from './operator-error.ts';
import { createPeers, type Peer, type Peers } from './peer.ts';
import type { EventStream } from './sse.ts';
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
  readonly peer: Peer;
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
  const openStreams = new Set<EventStream>();
  const peers = options.peers ?? createPeers();
  const answer = getRequestListener((request, env) =>
    app.fetch(request, { ...env, openStreams, peer: peers.of(env.incoming as IncomingMessage) }),
  );

  async function receive(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    if (Number(incoming.headers['content-length'] ?? 0) > limit) return refuseBody(outgoing, limit);
    // Whoever is slow to send holds up nothing but its own connection: a request is taken up once it is here whole.
    if (incoming.headers['transfer-encoding'] !== undefined || Number(incoming.headers['content-length'] ?? 0) > 0) {
      const body = await readBody(incoming, limit);
      if (!body) return refuseBody(outgoing, limit);
      // Where the listener looks for a body that somebody has read already.
      Object.assign(incoming, { rawBody: body });
    }
    await answer(incoming, outgoing);
  }

  const headersTimeout = options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS;
  const server = createServer(
    {
      requestTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
      headersTimeout,
      connectionsCheckingInterval: headersTimeout / TIMEOUT_CHECKS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      ...(options.maxHeaderBytes !== undefined && { maxHeaderSize: options.maxHeaderBytes }),
    },
    (incoming, outgoing) => void receive(incoming, outgoing).catch(() => outgoing.destroy()),
  );

  server.maxConnections = options.mostConnections ?? MOST_CONNECTIONS;
  limitConnections(server, peers, options.mostConnectionsPerPeer ?? MOST_CONNECTIONS_PER_PEER);

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

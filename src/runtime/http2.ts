/**
 * HTTP/2 in clear text on the port of an HTTP/1.1 server, with prior knowledge as gRPC clients have it: a connection
 * tells by its first bytes which of the two it speaks.
 */
import type { Server } from 'node:http';
import {
  constants,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { Socket } from 'node:net';

/** RFC 9113, section 3.4. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Per connection: calls and streams under way at once. */
const MAX_STREAMS = 256;
const MAX_HEADERS = 100;
/** Streams that a peer may open and reset right away, at once and per second; more ends the connection. */
const RESETS_AT_ONCE = 500;
const RESETS_PER_SECOND = 50;
/** Frames that make no sense, before the connection ends. */
const MAX_INVALID_FRAMES = 50;
const MAX_REJECTED_STREAMS = 50;
const MAX_SESSION_MEGABYTES = 16;

export interface Http2Limits {
  readonly maxHeaderBytes: number;
  /** For a connection to tell what it speaks. */
  readonly decisionMs: number;
  /** For a request to arrive. */
  readonly requestMs: number;
  /** A connection on which nothing moves for this long takes no more requests and ends with those it has. */
  readonly idleMs: number;
}

export type Http2Listener = (incoming: Http2ServerRequest, outgoing: Http2ServerResponse) => void;

/** Connections of HTTP/2, and those that have not said yet what they are. */
export interface Http2Connections {
  /** Takes no more requests; each connection ends with the last answer under way. */
  close(): void;
  /** Ends what is left. */
  destroy(): void;
}

/** What the first bytes of a connection are: `undefined` while they could still become the preface. */
function speaksHttp2(first: Buffer): boolean | undefined {
  const length = Math.min(first.length, PREFACE.length);
  if (!first.subarray(0, length).equals(PREFACE.subarray(0, length))) return false;
  return length === PREFACE.length ? true : undefined;
}

/** Takes those connections of `server` that speak HTTP/2, and leaves it the others. */
export function serveHttp2(server: Server, limits: Http2Limits, receive: Http2Listener): Http2Connections {
  const undecided = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const http2 = createServer({
    settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: limits.maxHeaderBytes, enablePush: false },
    maxHeaderListPairs: MAX_HEADERS,
    maxSessionMemory: MAX_SESSION_MEGABYTES,
    maxSessionInvalidFrames: MAX_INVALID_FRAMES,
    maxSessionRejectedStreams: MAX_REJECTED_STREAMS,
    streamResetBurst: RESETS_AT_ONCE,
    streamResetRate: RESETS_PER_SECOND,
  });

  http2.setTimeout(limits.idleMs, (session?: ServerHttp2Session) => session?.close());
  http2.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  // A connection that breaks ends, which is all that anybody has to know of it.
  http2.on('sessionError', (_, session) => session.destroy());
  http2.on('request', (incoming, outgoing) => {
    const late = setTimeout(() => incoming.stream.close(constants.NGHTTP2_CANCEL), limits.requestMs);
    const arrived = (): void => clearTimeout(late);
    incoming.once('end', arrived);
    outgoing.once('close', arrived);
    receive(incoming, outgoing);
  });

  const [serveHttp1] = server.listeners('connection') as [(socket: Socket) => void];
  server.removeListener('connection', serveHttp1);
  server.on('connection', (socket) => {
    if (socket.destroyed) return;
    let first: Buffer = Buffer.alloc(0);
    const late = setTimeout(() => socket.destroy(), limits.decisionMs);
    const broken = (): void => void socket.destroy();
    const decided = (): void => {
      clearTimeout(late);
      undecided.delete(socket);
      socket.off('data', look).off('error', broken).off('close', decided);
    };
    function look(chunk: Buffer): void {
      first = first.length === 0 ? chunk : Buffer.concat([first, chunk]);
      const isHttp2 = speaksHttp2(first);
      if (isHttp2 === undefined) return;
      decided();
      socket.pause();
      socket.unshift(first);
      if (isHttp2) {
        // A peer of HTTP/2 that has nothing more to say is gone.
        socket.allowHalfOpen = false;
        http2.emit('connection', socket);
      } else {
        serveHttp1.call(server, socket);
        socket.resume();
      }
    }
    undecided.add(socket);
    socket.on('data', look).on('error', broken).on('close', decided);
  });

  return {
    close() {
      for (const socket of undecided) socket.destroy();
      for (const session of sessions) session.close();
    },
    destroy() {
      for (const session of sessions) session.destroy();
    },
  };
}

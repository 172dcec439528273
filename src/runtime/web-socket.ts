/** WebSockets on an HTTP server: text in, text out, bounded on both sides. */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

/** Nobody needs to say more than this at once. */
const MAX_MESSAGE_BYTES = 1 << 16;
/** A listener that lets this much pile up unread is disconnected. */
const MOST_QUEUED_BYTES = 1 << 20;

/** One connection; sending to one that has closed does nothing. */
export interface TextSocket {
  send(text: string): void;
  onText(listener: (text: string) => void): void;
  onClose(listener: () => void): void;
}

export interface WebSocketRoute {
  readonly path: string;
  accept(socket: TextSocket): void;
}

function textSocket(socket: WebSocket): TextSocket {
  // A broken connection closes, which is all that anybody has to know of it.
  socket.on('error', () => socket.terminate());
  return {
    send(text) {
      if (socket.readyState !== socket.OPEN) return;
      socket.send(text);
      if (socket.bufferedAmount > MOST_QUEUED_BYTES) socket.terminate();
    },
    onText(listener) {
      socket.on('message', (data, isBinary) => {
        if (!isBinary) listener(String(data));
      });
    },
    onClose(listener) {
      socket.on('close', listener);
    },
  };
}

/** Serves `route` on `server`; any other upgrade is refused. Returns what closes every connection. */
export function serveWebSockets(server: Server, route: WebSocketRoute): () => void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', () => stream.destroy());
    const [path] = (request.url ?? '').split('?', 1);
    if (path !== route.path) return stream.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
    sockets.handleUpgrade(request, stream, head, (socket) => route.accept(textSocket(socket)));
  });
  return () => {
    for (const socket of sockets.clients) socket.terminate();
  };
}

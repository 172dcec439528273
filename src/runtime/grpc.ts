/** gRPC and gRPC-web over the HTTP server: services answer, what is none of theirs is refused. */
import { type ConnectRouter, createConnectRouter, createContextKey, createContextValues } from '@connectrpc/connect';
import type { UniversalHandler, UniversalServerResponse } from '@connectrpc/connect/protocol';
import {
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node';
import type { GrpcListener, Outgoing, Surroundings } from './http.ts';

const UNIMPLEMENTED = '12';

/** What a handler may have to know of the connection under its call. */
export interface Connection extends Surroundings {
  /** Ends the call, whatever is still to be written. */
  disconnect(): void;
}

export const CONNECTION = createContextKey<Connection>({ openStreams: new Set(), peer: undefined, disconnect() {} });

/** What a page of another origin may read of an answer. */
const CORS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'grpc-status, grpc-message, grpc-status-details-bin',
};

/** gRPC over HTTP/2, "Percent-Encoded": printable ASCII stays as it is, but for the percent sign. */
const encodeMessage = (message: string): string =>
  message.replace(/[^\x20-\x24\x26-\x7e]+/g, (some) => encodeURIComponent(some));

/** The library encodes more than that. */
async function* withPlainMessage({ body, trailer }: UniversalServerResponse): AsyncGenerator<Uint8Array> {
  if (body) yield* body;
  const message = trailer?.get('grpc-message');
  if (message) trailer!.set('grpc-message', encodeMessage(decodeURIComponent(message)));
}

/** A call that nobody serves: its status comes with the headers, there is no message. */
function refuse(outgoing: Outgoing, contentType: string, path: string): void {
  const message = encodeMessage(`no such call: ${path}`);
  const headers = { 'content-type': contentType, 'grpc-status': UNIMPLEMENTED, 'grpc-message': message };
  for (const [name, value] of Object.entries(headers)) outgoing.setHeader(name, value);
  outgoing.end();
}

/**
 * Serves what `mount` registers. A message may have at most `maxMessageBytes`, compressed or not. `onFault` hears of what
 * went wrong with no handler to blame.
 */
export function createGrpc(
  mount: (router: ConnectRouter) => void,
  maxMessageBytes: number,
  onFault: (error: unknown) => void,
): GrpcListener {
  const router = createConnectRouter({
    connect: false,
    acceptCompression: [compressionGzip],
    readMaxBytes: maxMessageBytes,
  });
  mount(router);
  const handlers = new Map<string, UniversalHandler>(router.handlers.map((each) => [each.requestPath, each]));

  return (incoming, outgoing, surroundings) => {
    const path = (incoming.url ?? '').split('?', 1)[0]!;
    const handler = handlers.get(path);
    for (const [name, value] of Object.entries(CORS)) outgoing.setHeader(name, value);
    if (!handler) return refuse(outgoing, incoming.headers['content-type']!, path);
    const connection: Connection = { ...surroundings, disconnect: () => outgoing.destroy() };
    const values = createContextValues().set(CONNECTION, connection);
    const request = universalRequestFromNodeRequest(incoming, outgoing as never, undefined, values);
    handler(request)
      .then((response) =>
        universalResponseToNodeResponse({ ...response, body: withPlainMessage(response) }, outgoing as never),
      )
      .catch((error) => {
        outgoing.destroy();
        // Peers leave in the middle of a call as they please.
        if (!request.signal.aborted) onFault(error);
      });
  };
}

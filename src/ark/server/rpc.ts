/** gRPC over the same calls as REST: the request becomes its JSON form, the JSON form of the answer its message. */
import {
  type DescMessage,
  type DescMethod,
  type DescService,
  fromJson,
  type Message,
  toJson,
} from '@bufbuild/protobuf';
import { ConnectError, type ConnectRouter, type HandlerContext } from '@connectrpc/connect';
import { CONNECTION } from '../../runtime/grpc.ts';
import type { MessageQueue } from '../../runtime/message-queue.ts';
import type { Streams } from '../../runtime/sse.ts';
import { ErrorDetailsSchema } from '../wire/gen/ark/v1/types_pb.ts';
import type { Fields } from '../wire/request.ts';
import type { AnyHandler, Call } from './call.ts';
import type { Refusal, Refuse } from './refusal.ts';

export interface RpcParts {
  readonly streams: Streams;
  readonly refuse: Refuse;
}

/** Fields that the protobuf does not have are REST's alone. */
const messageOf = (schema: DescMessage, json: object): Message =>
  fromJson(schema, json as never, { ignoreUnknownFields: true });

/** The same event goes to many listeners. */
function remembering(schema: DescMessage): (json: object) => Message {
  const made = new WeakMap<object, Message>();
  return (json) => {
    const message = made.get(json) ?? messageOf(schema, json);
    made.set(json, message);
    return message;
  };
}

/** The details travel as google.rpc.Status. */
function errorOf({ body, retryAfter }: Refusal): ConnectError {
  const details = body.details.map(({ '@type': _, ...value }) => ({ desc: ErrorDetailsSchema, value }));
  return new ConnectError(body.message, body.code, retryAfter ? { 'retry-after': retryAfter } : undefined, details);
}

export function mountRpc(
  router: ConnectRouter,
  service: DescService,
  handlers: ReadonlyMap<DescMethod, AnyHandler>,
  { streams, refuse }: RpcParts,
): void {
  const refused = (error: unknown, method: DescMethod): ConnectError =>
    error instanceof ConnectError ? error : errorOf(refuse(error, `${service.typeName}/${method.name}`));

  const callOf = (method: DescMethod, { requestHeader, values }: HandlerContext): Call => ({
    method,
    header: (name) => requestHeader.get(name) ?? undefined,
    peer: values.get(CONNECTION).peer,
  });
  const requestOf = (method: DescMethod, message: Message): Fields => toJson(method.input, message) as Fields;

  const unary = (method: DescMethod, handle: AnyHandler) => async (message: Message, context: HandlerContext) => {
    try {
      const answer = await handle(requestOf(method, message), callOf(method, context));
      return messageOf(method.output, answer!);
    } catch (error) {
      throw refused(error, method);
    }
  };

  const streaming = (method: DescMethod, handle: AnyHandler) => {
    const printed = remembering(method.output);
    return async function* (message: Message, context: HandlerContext) {
      const { openStreams, peer, disconnect } = context.values.get(CONNECTION);
      let queue: MessageQueue | undefined;
      const open = (): MessageQueue => {
        const opened = streams.openQueue(peer, disconnect);
        openStreams.add(opened);
        void opened.closed.then(() => openStreams.delete(opened));
        context.signal.addEventListener('abort', opened.drop, { once: true });
        if (context.signal.aborted) opened.drop();
        return (queue = opened);
      };
      try {
        await handle(requestOf(method, message), { ...callOf(method, context), open });
        for (let next = await queue!.next(); next; next = await queue!.next()) yield printed(next);
      } catch (error) {
        throw refused(error, method);
      } finally {
        queue?.drop();
      }
    };
  };

  const implementations = [...handlers].map(([method, handle]) => [
    method.localName,
    method.methodKind === 'unary' ? unary(method, handle) : streaming(method, handle),
  ]);
  router.service(service, Object.fromEntries(implementations));
}

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
import { LOCKTIME_THRESHOLD } from '../../bitcoin/timelock.ts';
import { CONNECTION } from '../../runtime/grpc.ts';
import type { MessageQueue } from '../../runtime/message-queue.ts';
import type { Streams } from '../../runtime/sse.ts';
import { SECONDS_PER_BLOCK, secondsUntil } from '../protocol/expiry.ts';
import { ErrorDetailsSchema } from '../wire/gen/ark/v1/types_pb.ts';
import type { Fields } from '../wire/request.ts';
import type { AnyHandler, Call } from './call.ts';
import type { ArkContext } from './context.ts';
import type { Refusal, Refuse } from './refusal.ts';

export interface RpcParts extends Pick<ArkContext, 'chain' | 'nowSeconds'> {
  readonly streams: Streams;
  readonly refuse: Refuse;
}

/** Fields that the protobuf does not have are REST's alone. */
const messageOf = (schema: DescMessage, json: object): Message =>
  fromJson(schema, json as never, { ignoreUnknownFields: true });

/** Messages, anywhere in `value`, that expire at a height. */
function expiringAtHeight(value: object, found: { expiresAt: bigint }[] = []): { expiresAt: bigint }[] {
  const { expiresAt } = value as { readonly expiresAt?: unknown };
  const isHeight = typeof expiresAt === 'bigint' && expiresAt > 0n && expiresAt < LOCKTIME_THRESHOLD;
  if (isHeight) found.push(value as { expiresAt: bigint });
  for (const each of Object.values(value)) if (typeof each === 'object' && each) expiringAtHeight(each, found);
  return found;
}

/** The same event goes to many listeners. */
function remembering(print: (json: object) => Promise<Message>): (json: object) => Promise<Message> {
  const made = new WeakMap<object, Promise<Message>>();
  return (json) => {
    const message = made.get(json) ?? print(json);
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
  { streams, refuse, chain, nowSeconds }: RpcParts,
): void {
  const refused = (error: unknown, method: DescMethod): ConnectError =>
    error instanceof ConnectError ? error : errorOf(refuse(error, `${service.typeName}/${method.name}`));

  const callOf = (method: DescMethod, { requestHeader, values }: HandlerContext): Call => ({
    method,
    header: (name) => requestHeader.get(name) ?? undefined,
    peer: values.get(CONNECTION).peer,
  });
  /**
   * Clients that speak gRPC take every expiry for a time, and sign no forfeit for what they take for expired. A height is
   * told them as a guess that lies ahead: what has expired they see by its being swept.
   */
  async function answerOf({ output }: DescMethod, json: object): Promise<Message> {
    const message = messageOf(output, json);
    const atHeight = expiringAtHeight(message);
    if (atHeight.length === 0) return message;
    const [tip, now] = [await chain.tip(), nowSeconds()];
    for (const each of atHeight) {
      const ahead = Math.max(SECONDS_PER_BLOCK, secondsUntil(Number(each.expiresAt), tip, now));
      each.expiresAt = BigInt(now + ahead);
    }
    return message;
  }
  const requestOf = (method: DescMethod, message: Message): Fields => toJson(method.input, message) as Fields;

  const unary = (method: DescMethod, handle: AnyHandler) => async (message: Message, context: HandlerContext) => {
    try {
      const answer = await handle(requestOf(method, message), callOf(method, context));
      return await answerOf(method, answer!);
    } catch (error) {
      throw refused(error, method);
    }
  };

  const streaming = (method: DescMethod, handle: AnyHandler) => {
    const printed = remembering((json) => answerOf(method, json));
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
        for (let next = await queue!.next(); next; next = await queue!.next()) yield await printed(next);
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

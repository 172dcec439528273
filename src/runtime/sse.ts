/** Server-sent events: one open response per listener, each message one line of JSON. */
import type { Context } from 'hono';
import { utf8 } from '../base/bytes.ts';
import type { Clock } from './clock.ts';
import type { HttpEnv } from './http.ts';
import type { MessageStream } from './message-stream.ts';

/** A listener that lets this much pile up unread is disconnected. */
const MOST_QUEUED_BYTES = 1 << 20;

export interface StreamOptions {
  /** Sent every `intervalMs` so that nothing on the way takes the stream for dead. */
  readonly heartbeat: unknown;
  readonly intervalMs: number;
  readonly clock: Clock;
}

/** Ends with an `EOS` event. */
export interface EventStream extends MessageStream {
  /** What the handler returns. Its headers are flushed at once. */
  readonly response: Response;
  /** Ends the stream with a `failure` event. */
  fail(status: unknown): void;
}

const HEADERS = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' };
const END_OF_STREAM = utf8('id: EOS\nevent: EOS\ndata: \n\n');

const messageFrame = (message: unknown) => utf8(`data: ${JSON.stringify(message)}\n\n`);

/** Opens a stream in answer to the request of `c`. A server that stops ends its open streams. */
export function openStream(c: Context, options: StreamOptions): EventStream {
  const env = c.env as Partial<HttpEnv> | undefined;
  const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<void>();
  const heartbeat = messageFrame(options.heartbeat);
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let cancelHeartbeat = (): void => {};

  function finish(): void {
    controller = undefined;
    cancelHeartbeat();
    env?.openStreams?.delete(stream);
    resolveClosed();
  }

  function write(frame: Uint8Array): void {
    if (!controller) return;
    controller.enqueue(frame);
    if (controller.desiredSize! < 0) disconnect();
  }

  function disconnect(): void {
    const left = controller;
    finish();
    if (env?.outgoing) env.outgoing.destroy();
    else left?.error(new Error('the listener does not read'));
  }

  function closeWith(frame: Uint8Array): void {
    write(frame);
    const left = controller;
    if (!left) return;
    finish();
    left.close();
  }

  const beat = (): void => {
    cancelHeartbeat = options.clock.setTimer(options.intervalMs, () => {
      write(heartbeat);
      if (controller) beat();
    });
  };

  const body = new ReadableStream<Uint8Array>(
    {
      start(opened) {
        controller = opened;
      },
      cancel: finish,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: MOST_QUEUED_BYTES }),
  );
  const stream: EventStream = {
    response: new Response(body, { headers: HEADERS }),
    closed,
    send: (message) => write(messageFrame(message)),
    fail: (status) => closeWith(utf8(`event: failure\ndata: ${JSON.stringify(status)}\n\n`)),
    end: () => closeWith(END_OF_STREAM),
  };
  env?.openStreams?.add(stream);
  beat();
  return stream;
}

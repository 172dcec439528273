/** Server-sent events: one open response per listener, each message one line of JSON. */
import type { Context } from 'hono';
import { type Bytes, utf8 } from '../base/bytes.ts';
import type { Clock } from './clock.ts';
import type { HttpEnv } from './http.ts';
import { createMessageQueue, type MessageQueue } from './message-queue.ts';
import { addressOf, type MessageStream } from './message-stream.ts';
import { overLimit } from './over-limit.ts';
import { type Peer, peerOf } from './peer.ts';
import { createPulse } from './pulse.ts';

/** A listener that lets this much pile up unread is disconnected. */
const MOST_QUEUED_BYTES = 1 << 20;
const RETRY_AFTER_SECONDS = 30;

export interface StreamsOptions {
  /** Sent every `intervalMs()` so that nothing on the way takes a stream for dead. */
  readonly heartbeat: object;
  intervalMs(): number;
  readonly clock: Clock;
  /** Open streams in all, and of one peer. */
  readonly most?: number;
  readonly mostPerPeer?: number;
  /** Called when a listener was disconnected because it does not read. */
  readonly onSlow?: () => void;
}

/** Ends with an `EOS` event. An object that goes to many streams is turned to text once. */
export interface EventStream extends MessageStream {
  /** What the handler returns. Its headers are flushed at once. */
  readonly response: Response;
  /** Ends the stream with a `failure` event. */
  fail(status: unknown): void;
}

export interface Streams {
  /**
   * Opens a stream in answer to the request of `c`. A server that stops ends its open streams. Throws `RATE_LIMITED` or
   * `UNAVAILABLE` when there are too many.
   */
  open(c: Context): EventStream;
  /** Opens a stream for a reader who takes message by message; `disconnect` ends one who does not. Throws as {@link open}. */
  openQueue(peer: Peer, disconnect: () => void): MessageQueue;
  /** Counts a stream; returns what ends that. Throws as {@link open} does. */
  admit(peer: Peer): () => void;
  readonly size: number;
}

const HEADERS = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' };
const END_OF_STREAM = utf8('id: EOS\nevent: EOS\ndata: \n\n');

/** Messages are never changed once they are sent, so their frames can be kept for as long as they are. */
const frames = new WeakMap<object, Bytes>();

function frameOf(message: object, print: () => string): Bytes {
  const known = frames.get(message);
  if (known) return known;
  const frame = utf8(print());
  frames.set(message, frame);
  return frame;
}

/** What goes to many listeners is turned to text once, and what they are told alike is the same bytes for all. */
function framesOf(message: object): readonly Bytes[] {
  const address = addressOf(message);
  if (!address) return [frameOf(message, () => `data: ${JSON.stringify(message)}\n\n`)];
  const [[kind, body] = ['', {}]] = Object.entries(address.common);
  const { id: _, ...rest } = body as { readonly id: string };
  const tail = frameOf(address.common, () => `,${JSON.stringify(rest).slice(1)}}\n\n`);
  return [utf8(`data: {"${kind}":{"id":${JSON.stringify(address.id)}`), tail];
}

export function createStreams(options: StreamsOptions): Streams {
  const { most = Number.POSITIVE_INFINITY, mostPerPeer = Number.POSITIVE_INFINITY } = options;
  const pulse = createPulse(options.clock, options.intervalMs);
  const byPeer = new Map<string, number>();
  let size = 0;

  function admit(peer: Peer): () => void {
    if (size >= most) throw overLimit('UNAVAILABLE', 'no more streams can be opened', RETRY_AFTER_SECONDS);
    const own = peer === undefined ? 0 : (byPeer.get(peer) ?? 0);
    if (own >= mostPerPeer) throw overLimit('RATE_LIMITED', 'too many streams of this address', RETRY_AFTER_SECONDS);
    size++;
    if (peer !== undefined) byPeer.set(peer, own + 1);
    let counted = true;
    return () => {
      if (!counted) return;
      counted = false;
      size--;
      if (peer === undefined) return;
      const left = byPeer.get(peer)! - 1;
      if (left === 0) byPeer.delete(peer);
      else byPeer.set(peer, left);
    };
  }

  return {
    admit,
    get size() {
      return size;
    },
    open(c) {
      const release = admit(peerOf(c));
      const stream = openStream(c, pulse.join, options);
      void stream.closed.then(release);
      return stream;
    },
    openQueue(peer, disconnect) {
      const release = admit(peer);
      const queue = createMessageQueue(() => {
        options.onSlow?.();
        disconnect();
      });
      const leave = pulse.join(() => queue.send(options.heartbeat));
      void queue.closed.then(() => {
        leave();
        release();
      });
      return queue;
    },
  };
}

function openStream(
  c: Context,
  join: (beat: () => void) => () => void,
  { heartbeat, onSlow }: StreamsOptions,
): EventStream {
  const env = c.env as Partial<HttpEnv> | undefined;
  const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<void>();
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  function finish(): void {
    controller = undefined;
    leave();
    env?.openStreams?.delete(stream);
    resolveClosed();
  }

  function write(...frames: readonly Uint8Array[]): void {
    if (!controller) return;
    for (const frame of frames) controller.enqueue(frame);
    if (controller.desiredSize! < 0) disconnect();
  }

  function disconnect(): void {
    const left = controller;
    finish();
    onSlow?.();
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
    send: (message) => write(...framesOf(message)),
    fail: (status) => closeWith(utf8(`event: failure\ndata: ${JSON.stringify(status)}\n\n`)),
    end: () => closeWith(END_OF_STREAM),
  };
  env?.openStreams?.add(stream);
  const leave = join(() => write(...framesOf(heartbeat)));
  return stream;
}

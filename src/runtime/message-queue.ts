/** A message stream for a reader that takes its messages one by one, at its own pace. */
import type { MessageStream } from './message-stream.ts';

/** A listener that lets this many messages pile up unread is disconnected. */
const MOST_QUEUED = 2_000;

export interface MessageQueue extends MessageStream {
  /** The next message; `undefined` at the end. */
  next(): Promise<object | undefined>;
  /** Ends the stream without what is still unread. */
  drop(): void;
}

/** `onOverflow` is called when the reader is too slow; the stream is over then. */
export function createMessageQueue(onOverflow: () => void): MessageQueue {
  const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<void>();
  let unread: object[] = [];
  let isOpen = true;
  let wake = (): void => {};

  function end(): void {
    if (!isOpen) return;
    isOpen = false;
    resolveClosed();
    wake();
  }

  function drop(): void {
    unread = [];
    end();
  }

  return {
    closed,
    end,
    drop,
    send(message) {
      if (!isOpen) return;
      unread.push(message);
      wake();
      if (unread.length <= MOST_QUEUED) return;
      drop();
      onOverflow();
    },
    async next() {
      while (isOpen && unread.length === 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
      }
      return unread.shift();
    },
  };
}

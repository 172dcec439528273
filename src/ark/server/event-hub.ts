/** Fans batch events out to listeners by topic: an event without topics reaches everybody. */

export interface EventListener {
  readonly id: string;
  readonly topics: ReadonlySet<string>;
  send(message: object): void;
}

export interface EventHub {
  add(listener: EventListener): () => void;
  /** Sends `message` to whoever listens to one of `topics`, or to all when there are none. */
  publish(message: object, topics?: readonly string[]): void;
  /** The listener's new topics; `undefined` when there is no such listener or they are more than `most`. */
  setTopics(
    listenerId: string,
    change: (topics: ReadonlySet<string>) => Iterable<string>,
    most: number,
  ): ReadonlySet<string> | undefined;
  readonly size: number;
}

export function createEventHub(): EventHub {
  const listeners = new Map<string, EventListener>();
  return {
    get size() {
      return listeners.size;
    },
    add(listener) {
      listeners.set(listener.id, listener);
      return () => void listeners.delete(listener.id);
    },
    publish(message, topics = []) {
      for (const listener of listeners.values()) {
        if (topics.length === 0 || topics.some((topic) => listener.topics.has(topic))) listener.send(message);
      }
    },
    setTopics(listenerId, change, most) {
      const listener = listeners.get(listenerId);
      if (!listener) return undefined;
      const topics = new Set(change(listener.topics));
      if (topics.size > most) return undefined;
      listeners.set(listenerId, { ...listener, topics });
      return topics;
    },
  };
}

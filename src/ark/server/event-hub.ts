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
  const byTopic = new Map<string, Set<string>>();

  function enter({ id, topics }: EventListener): void {
    for (const topic of topics) byTopic.set(topic, (byTopic.get(topic) ?? new Set()).add(id));
  }

  function leave({ id, topics }: EventListener): void {
    for (const topic of topics) {
      const ids = byTopic.get(topic);
      ids?.delete(id);
      if (ids?.size === 0) byTopic.delete(topic);
    }
  }

  function remove(id: string): void {
    const listener = listeners.get(id);
    if (!listener) return;
    listeners.delete(id);
    leave(listener);
  }

  function add(listener: EventListener): void {
    listeners.set(listener.id, listener);
    enter(listener);
  }

  return {
    get size() {
      return listeners.size;
    },
    add(listener) {
      add(listener);
      return () => remove(listener.id);
    },
    publish(message, topics = []) {
      const ids =
        topics.length === 0 ? listeners.keys() : new Set(topics.flatMap((topic) => [...(byTopic.get(topic) ?? [])]));
      for (const id of ids) listeners.get(id)?.send(message);
    },
    setTopics(listenerId, change, most) {
      const listener = listeners.get(listenerId);
      if (!listener) return undefined;
      const topics = new Set(change(listener.topics));
      if (topics.size > most) return undefined;
      remove(listenerId);
      add({ ...listener, topics });
      return topics;
    },
  };
}

/** Fans batch events out to listeners by topic: an event without topics reaches everybody. */
import { addressed } from '../../runtime/message-stream.ts';

export interface EventListener {
  readonly id: string;
  readonly topics: ReadonlySet<string>;
  send(message: object): void;
}

export interface EventHub {
  add(listener: EventListener): () => void;
  /**
   * Sends `message` to whoever listens to one of `topics`, or to all when there are none. With `idFor`, each is told it
   * under an id of their own.
   */
  publish(message: object, topics?: readonly string[], idFor?: (listenerId: string) => string): void;
  /** The listener's new topics; `undefined` when there is no such listener or they are more than `most`. */
  setTopics(
    listenerId: string,
    change: (topics: ReadonlySet<string>) => Iterable<string>,
    most: number,
  ): ReadonlySet<string> | undefined;
  /** A point in time, later than all before. */
  moment(): number;
  /** Who has been listening to `topic` since before `moment`. */
  listenersSince(topic: string, moment: number): readonly string[];
  readonly size: number;
}

export function createEventHub(): EventHub {
  const listeners = new Map<string, EventListener>();
  /** Topic → who listens to it → the moment it first did. */
  const byTopic = new Map<string, Map<string, number>>();
  let moments = 0;

  function enter({ id, topics }: EventListener): void {
    const now = ++moments;
    for (const topic of topics) {
      const audience = byTopic.get(topic) ?? new Map<string, number>();
      if (!audience.has(id)) byTopic.set(topic, audience.set(id, now));
    }
  }

  function leave(id: string, topics: Iterable<string>): void {
    for (const topic of topics) {
      const audience = byTopic.get(topic);
      audience?.delete(id);
      if (audience?.size === 0) byTopic.delete(topic);
    }
  }

  function remove(id: string): void {
    const listener = listeners.get(id);
    if (!listener) return;
    listeners.delete(id);
    leave(id, listener.topics);
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
    publish(message, topics = [], idFor) {
      const ids =
        topics.length === 0
          ? listeners.keys()
          : new Set(topics.flatMap((topic) => [...(byTopic.get(topic)?.keys() ?? [])]));
      for (const id of ids) listeners.get(id)?.send(idFor ? addressed(message, idFor(id)) : message);
    },
    setTopics(listenerId, change, most) {
      const listener = listeners.get(listenerId);
      if (!listener) return undefined;
      const topics = new Set(change(listener.topics));
      if (topics.size > most) return undefined;
      leave(
        listenerId,
        [...listener.topics].filter((topic) => !topics.has(topic)),
      );
      add({ ...listener, topics });
      return topics;
    },
    moment: () => ++moments,
    listenersSince: (topic, moment) =>
      [...(byTopic.get(topic) ?? [])].filter(([, since]) => since < moment).map(([id]) => id),
  };
}

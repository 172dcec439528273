/**
 * The calls of a batch carry no proof of who is calling, but they repeat the batch's id as the caller's event stream
 * told it. So each stream is told another one. A stream that named a cosigner key as its topic before that key was ever
 * published can only be its owner's, and a delivery under that stream's name for the batch comes from the owner.
 */
import type { EventHub } from './event-hub.ts';

export interface Aliases {
  /** The name by which a listener knows the batch under way. */
  nameFor(listenerId: string): string;
  /** Whether some listener knows the batch under way by this name. */
  isKnown(name: string): boolean;
  /** From here on these keys are no secret. */
  publish(keys: Iterable<string>): void;
  /** Whether `name` was told to the owner of `key`. */
  isOwners(name: string, key: string): boolean;
  /** Whether the owner of `key` is listening. */
  isListening(key: string): boolean;
  /** Forgets the names: the batch is over. */
  reset(): void;
}

/** Keys of batches gone by whose intents may come again. */
const MOST_KEYS = 20_000;

export function createAliases(hub: EventHub, newId: () => string): Aliases {
  const names = new Map<string, string>();
  const listeners = new Map<string, string>();
  const published = new Map<string, number>();
  const owners = (key: string): readonly string[] => hub.listenersSince(key, published.get(key) ?? hub.moment());

  return {
    nameFor(listenerId) {
      let name = names.get(listenerId);
      if (!name) {
        names.set(listenerId, (name = newId()));
        listeners.set(name, listenerId);
      }
      return name;
    },
    isKnown: (name) => listeners.has(name),
    publish(keys) {
      const now = hub.moment();
      for (const key of keys) if (!published.has(key)) published.set(key, now);
      for (const key of published.keys()) {
        if (published.size <= MOST_KEYS) break;
        published.delete(key);
      }
    },
    isOwners(name, key) {
      const listener = listeners.get(name);
      return listener !== undefined && owners(key).includes(listener);
    },
    isListening: (key) => owners(key).length > 0,
    reset() {
      names.clear();
      listeners.clear();
    },
  };
}

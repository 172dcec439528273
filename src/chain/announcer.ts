/** Telling many listeners the same events in the same order, whatever the listeners do. */

export interface Announcer<Event> {
  announce(event: Event): void;
  /** Returns the unsubscriber. */
  subscribe(listener: (event: Event) => void): () => void;
}

/** `onFault` hears what a listener threw; the others hear the event all the same. */
export function createAnnouncer<Event>(onFault: (error: unknown) => void): Announcer<Event> {
  const subscriptions = new Set<{ readonly listener: (event: Event) => void }>();
  const waiting: Event[] = [];
  let isTelling = false;

  function tell(event: Event): void {
    for (const { listener } of [...subscriptions]) {
      try {
        listener(event);
      } catch (error) {
        onFault(error);
      }
    }
  }

  return {
    announce(event) {
      waiting.push(event);
      // A listener's own doing is told when everybody has heard what it reacts to.
      if (isTelling) return;
      isTelling = true;
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) tell(next);
      isTelling = false;
    },
    subscribe(listener) {
      const subscription = { listener };
      subscriptions.add(subscription);
      return () => subscriptions.delete(subscription);
    },
  };
}

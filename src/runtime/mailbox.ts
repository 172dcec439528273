/** Runs work one at a time per key, in the order it came; different keys do not wait for each other. */
export interface Mailbox {
  /** Resolves or rejects as `work` does. A failure does not stop what is queued behind it. */
  run<R>(key: string, work: () => Promise<R>): Promise<R>;
}

export function createMailbox(): Mailbox {
  const tails = new Map<string, Promise<unknown>>();
  return {
    run(key, work) {
      const result = (tails.get(key) ?? Promise.resolve()).then(work);
      const tail = result
        .catch(() => {})
        .then(() => {
          if (tails.get(key) === tail) tails.delete(key);
        });
      tails.set(key, tail);
      return result;
    },
  };
}

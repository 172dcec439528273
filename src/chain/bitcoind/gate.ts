/** Lets many readers in at once, or one writer alone, so that a reader never sees half of a change. */
export interface Gate {
  /** Must not be called from within another `read` or `write` of the same gate. */
  read<R>(work: () => Promise<R>): Promise<R>;
  write<R>(work: () => Promise<R>): Promise<R>;
}

export function createGate(): Gate {
  const readers = new Set<Promise<unknown>>();
  let writing: Promise<unknown> = Promise.resolve();
  let writers = 0;

  return {
    async read(work) {
      while (writers > 0) await writing;
      const result = work();
      const done: Promise<unknown> = result.catch(() => {}).then(() => readers.delete(done));
      readers.add(done);
      return result;
    },
    write(work) {
      writers++;
      const result = writing.then(() => Promise.all(readers)).then(work);
      writing = result.catch(() => {}).then(() => writers--);
      return result;
    },
  };
}

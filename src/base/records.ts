/** The least that memory, a file and a browser's IndexedDB have in common: texts kept under names. */

export interface Records {
  /** `undefined` when nothing is kept under that name. */
  read(name: string): Promise<string | undefined>;
  /** Names that begin with `prefix`, in any order. */
  names(prefix: string): Promise<readonly string[]>;
  /** Keeps all of `changes` or none, durably once it resolves; `undefined` removes a record. */
  write(changes: ReadonlyMap<string, string | undefined>): Promise<void>;
}

/** Applies changes to a map of records. */
export function applyChanges(kept: Map<string, string>, changes: ReadonlyMap<string, string | undefined>): void {
  for (const [name, text] of changes) {
    if (text === undefined) kept.delete(name);
    else kept.set(name, text);
  }
}

/** The part of {@link Records} that a map in memory answers. */
export const readingFrom = (kept: ReadonlyMap<string, string>): Pick<Records, 'read' | 'names'> => ({
  read: async (name) => kept.get(name),
  names: async (prefix) => [...kept.keys()].filter((name) => name.startsWith(prefix)),
});

/** Kept as long as the process lives. */
export function createMemoryRecords(): Records {
  const kept = new Map<string, string>();
  return { ...readingFrom(kept), write: async (changes) => applyChanges(kept, changes) };
}

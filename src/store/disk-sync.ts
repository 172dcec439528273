/** Bringing a file's content to the disk without holding up the thread that wrote it. */
import { closeSync, fdatasync, openSync } from 'node:fs';

export interface DiskSync {
  /** Resolves once all that was written to the file so far is on the disk. */
  sync(): Promise<void>;
  close(): void;
}

/** For the file at `path`, which must exist, and must not be one that SQLite locks: closing would let go of the lock. */
export function openDiskSync(path: string): DiskSync {
  const descriptor = openSync(path, 'r+');
  return {
    sync: () =>
      new Promise((resolve, reject) => {
        fdatasync(descriptor, (error) => (error ? reject(error) : resolve()));
      }),
    close: () => closeSync(descriptor),
  };
}

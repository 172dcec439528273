/**
 * Records in one file: a line of JSON for each write, so that a write is whole or not there. The last line of a process
 * that died while writing is cut off when the file is opened; what was overwritten goes then too.
 */
import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { applyChanges, type Records, readingFrom } from '../base/records.ts';

export interface FileRecords extends Records {
  close(): Promise<void>;
}

type Line = readonly (readonly [name: string, text: string | null])[];

const printLine = (changes: Iterable<readonly [string, string | undefined]>): string =>
  `${JSON.stringify([...changes].map(([name, text]) => [name, text ?? null]))}\n`;

const changesOf = (line: Line): ReadonlyMap<string, string | undefined> =>
  new Map(line.map(([name, text]) => [name, text ?? undefined]));

async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** The whole state as one line, in place of the file: either the old one is there or the new. */
async function rewrite(path: string, kept: ReadonlyMap<string, string>): Promise<void> {
  const fresh = await open(`${path}.new`, 'w', 0o600);
  try {
    await fresh.writeFile(kept.size > 0 ? printLine(kept) : '');
    await fresh.sync();
  } finally {
    await fresh.close();
  }
  await rename(`${path}.new`, path);
  // The name has to be as durable as what is written under it from now on.
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}

/** Opens the file or begins a new one, readable by its owner alone. Throws where a line is no record of ours. */
export async function openFileRecords(path: string): Promise<FileRecords> {
  const kept = new Map<string, string>();
  const lines = (await readOrEmpty(path)).split('\n');
  // Behind the last line feed stands nothing, or what a crash left of a line.
  for (const line of lines.slice(0, -1)) applyChanges(kept, changesOf(JSON.parse(line) as Line));
  await rewrite(path, kept);
  const file: FileHandle = await open(path, 'a', 0o600);
  let tail: Promise<void> = Promise.resolve();

  async function append(changes: ReadonlyMap<string, string | undefined>): Promise<void> {
    await file.appendFile(printLine(changes));
    await file.datasync();
    applyChanges(kept, changes);
  }

  return {
    ...readingFrom(kept),
    write(changes) {
      const written = tail.then(() => append(changes));
      tail = written.catch(() => {});
      return written;
    },
    async close() {
      await tail;
      await file.close();
    },
  };
}

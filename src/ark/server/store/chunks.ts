/** Long lists as arguments: databases take only so many in one statement. */
import type { SqlValue } from '../../../store/db.ts';

const LARGEST_CHUNK = 512;

/** `$from, $from+1, …` for `count` values. */
export const slots = (count: number, from = 1): string =>
  Array.from({ length: count }, (_, i) => `$${from + i}`).join(', ');

/**
 * Calls `ask` with one piece of `values` after the other and joins what comes back. A piece's length is a power of two,
 * filled up with its last value, so that there are few texts of a statement and not one for every length.
 */
export async function inChunks<V extends SqlValue, R>(
  values: readonly V[],
  ask: (chunk: readonly V[]) => Promise<readonly R[]>,
): Promise<R[]> {
  const answers: R[] = [];
  for (let at = 0; at < values.length; at += LARGEST_CHUNK) {
    const chunk = values.slice(at, at + LARGEST_CHUNK);
    while ((chunk.length & (chunk.length - 1)) !== 0) chunk.push(chunk.at(-1)!);
    for (const row of await ask(chunk)) answers.push(row);
  }
  return answers;
}

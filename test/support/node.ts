/** The Nodes of this machine, besides the one that runs the tests. */
import { execFile } from 'node:child_process';
import { delimiter, join, sep } from 'node:path';
import { promisify } from 'node:util';

/** PATH without what npm puts in front of it, so that programs are found as a user's shell finds them. */
export const outsidePath = (): string =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.split(sep).includes('node_modules'))
    .join(delimiter);

const majorOf = async (node: string): Promise<number | undefined> => {
  const found = await promisify(execFile)(node, ['--version']).catch(() => undefined);
  return found && Number(/^v([0-9]+)/.exec(found.stdout)?.[1]);
};

/** A Node on PATH that is too old to run canalworks itself; `undefined` where there is none. */
export async function oldNode(): Promise<string | undefined> {
  for (const folder of outsidePath().split(delimiter)) {
    const node = join(folder, 'node');
    if (((await majorOf(node)) ?? 22) < 22) return node;
  }
  return undefined;
}

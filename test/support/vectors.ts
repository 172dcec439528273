import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const FOLDER = join(import.meta.dirname, '..', '..', '..', 'shared', 'vectors');

export const readVectors = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
export const parseVectors = <T>(name: string): T => JSON.parse(readVectors(name)) as T;

/** A test over published vectors; says loudly that it did not run where they are absent. */
export function vectorTest(title: string, file: string, run: () => void | Promise<void>): void {
  const absent = existsSync(join(FOLDER, file)) ? false : `NOT RUN: no test vectors at shared/vectors/${file}`;
  if (absent) process.stderr.write(`${title}: ${absent}\n`);
  test(title, { skip: absent }, run);
}

/** The rows of a Bitcoin Core vector file that are no comments. */
export const rowsOf = <T extends readonly unknown[]>(file: string): readonly T[] =>
  parseVectors<(T | [string])[]>(file).filter((row): row is T => row.length > 1);

/** The folder where one network's data lives: for its owner's eyes only, and for one process at a time. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf } from '../base/errors.ts';
import { OperatorError } from '../runtime/operator-error.ts';

/** Where this user's programs keep their data, by the custom of the system. */
export function defaultDataFolder(environment: NodeJS.ProcessEnv): string {
  const home = homedir();
  if (environment.XDG_DATA_HOME) return join(environment.XDG_DATA_HOME, 'canalworks');
  switch (platform()) {
    case 'darwin':
      return join(home, 'Library', 'Application Support', 'canalworks');
    case 'win32':
      return join(environment.LOCALAPPDATA ?? join(home, 'AppData', 'Local'), 'canalworks');
    default:
      return join(home, '.local', 'share', 'canalworks');
  }
}

/** Each network has a folder of its own within the data folder. */
export const networkFolder = (root: string, network: string): string => join(root, network);

export interface DataFolder {
  /** What `--data` names. */
  readonly root: string;
  /** The network's folder in it. */
  readonly path: string;
  /** Gives the folder free for other processes; a temporary one is deleted. */
  release(): void;
}

function unreadable(path: string, error: unknown): OperatorError {
  return new OperatorError('DATA_UNREADABLE', `cannot use the data folder ${path}: ${messageOf(error)}`);
}

function makePrivate(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** Holds SQLite's exclusive lock on a file of its own. The system drops it with the process, however that ends. */
function lock(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(path, 'lock'));
    database.exec('begin exclusive');
    return database;
  } catch (error) {
    database?.close();
    if (/locked/.test(messageOf(error))) {
      throw new OperatorError('DATA_IN_USE', `another canalworks process is using the data folder ${path}`);
    }
    throw unreadable(path, error);
  }
}

/** Creates the folder of `network` if need be and takes it. Throws `OperatorError` DATA_IN_USE or DATA_UNREADABLE. */
export function takeDataFolder(root: string, network: string): DataFolder {
  const path = networkFolder(root, network);
  makePrivate(path);
  const held = lock(path);
  return { root, path, release: () => held.close() };
}

/** A data folder that nobody else knows and that is gone when it is released. */
export function takeTemporaryFolder(network: string): DataFolder {
  const root = mkdtempSync(join(tmpdir(), 'canalworks-'));
  const path = networkFolder(root, network);
  makePrivate(path);
  return { root, path, release: () => rmSync(root, { recursive: true, force: true }) };
}

/** Writes a file that only its owner may read, whole or not at all. */
export function writePrivateFile(path: string, content: string): void {
  const draft = `${path}.new`;
  try {
    rmSync(draft, { force: true });
    writeFileSync(draft, content, { mode: 0o600, flush: true });
    renameSync(draft, path);
  } catch (error) {
    throw new OperatorError('DATA_UNREADABLE', `cannot write ${path}: ${messageOf(error)}`);
  }
}

/** The text of a file, or `undefined` where there is none. Throws DATA_UNREADABLE. */
export function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new OperatorError('DATA_UNREADABLE', `cannot read ${path}: ${messageOf(error)}`);
  }
}

/** What a running process tells about itself: on stdout when it is ready, and to later commands through a file. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../runtime/operator-error.ts';
import { readIfPresent, writePrivateFile } from './data-folder.ts';

export interface Ready {
  readonly ready: true;
  readonly version: string;
  readonly network: string;
  readonly pid: number;
  readonly ark: {
    readonly url: string;
    readonly adminUrl: string;
    readonly adminToken: string;
    readonly delegatorUrl: string;
  };
  readonly chain: {
    readonly kind: 'embedded' | 'bitcoind';
    readonly esplora: string;
    /** bitcoind's JSON-RPC, or the embedded chain's in its manner. */
    readonly rpc: { readonly url: string; readonly user: string; readonly password: string };
  };
}

const fileIn = (folder: string): string => join(folder, 'run.json');

/** Where bitcoin-cli looks for the login when it is given the data folder. */
const cookieIn = (folder: string): string => join(folder, '.cookie');

export function announce(folder: string, ready: Ready): void {
  const { kind, rpc } = ready.chain;
  if (kind === 'embedded') writePrivateFile(cookieIn(folder), `${rpc.user}:${rpc.password}`);
  writePrivateFile(fileIn(folder), `${JSON.stringify(ready)}\n`);
}

export function withdraw(folder: string): void {
  for (const path of [fileIn(folder), cookieIn(folder)]) rmSync(path, { force: true });
}

/** The process that announced itself in `folder`; it may have died since. Throws NOT_RUNNING or DATA_UNREADABLE. */
export function findRunning(folder: string): Ready {
  const text = readIfPresent(fileIn(folder));
  if (text === undefined) {
    throw new OperatorError('NOT_RUNNING', `nothing is running on ${folder}: start it with "canalworks up"`);
  }
  try {
    return JSON.parse(text) as Ready;
  } catch {
    throw new OperatorError('DATA_UNREADABLE', `${fileIn(folder)} is damaged: start "canalworks up" again`);
  }
}

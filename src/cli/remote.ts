/** Calls a running process on behalf of a command. */

import type { ConfigSource } from '../runtime/config.ts';
import { OperatorError } from '../runtime/operator-error.ts';
import { networkFolder } from './data-folder.ts';
import { resolveDataFolder, resolveNetwork } from './options.ts';
import { findRunning, type Ready } from './ready.ts';

const TIMEOUT_MS = 60_000;

/** The process that runs on the data folder these flags name. Throws NOT_RUNNING. */
export const runningProcess = (flags: ConfigSource): Ready =>
  findRunning(networkFolder(resolveDataFolder(flags, process.env), resolveNetwork(flags, process.env)));

export const controlUrl = ({ chain }: Ready, call: string): string => new URL(`/control/${call}`, chain.esplora).href;

/** Posts `body`, or gets if there is none. Throws NOT_RUNNING when nobody answers and COMMAND_REFUSED on an error. */
export const call = <T>(ready: Ready, url: string, body?: unknown): Promise<T> =>
  callUrl<T>(url, ready.ark.adminToken, body, `process ${ready.pid}`);

/** {@link call} of whatever server there is at `url`. */
export async function callUrl<T>(url: string, token: string, body?: unknown, who = 'a server'): Promise<T> {
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
  }).catch(() => {
    throw new OperatorError('NOT_RUNNING', `${who} does not answer at ${url}`);
  });
  const answer = await response.json().catch(() => undefined);
  if (!response.ok) {
    const { message = `HTTP ${response.status}` } = (answer ?? {}) as { message?: string };
    throw new OperatorError('COMMAND_REFUSED', message);
  }
  return answer as T;
}

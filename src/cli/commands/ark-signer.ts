/** `canalworks ark signer …`: the keys under which the Ark server cosigns VTXOs. */
import { text } from 'node:stream/consumers';
import type { ConfigSource } from '../../runtime/config.ts';
import { argument } from '../argument.ts';
import { call, runningProcess } from '../remote.ts';

interface ListedSigner {
  readonly pubkey: string;
  readonly origin: string;
  readonly state: string;
  readonly cutoffDate: string;
}

const ask = <T>(flags: ConfigSource, path: string, body?: object): Promise<T> => {
  const running = runningProcess(flags);
  return call<T>(running, `${running.ark.adminUrl}/v1/admin/signer${path}`, body);
};

const signersOf = async (flags: ConfigSource): Promise<readonly ListedSigner[]> =>
  (await ask<{ signers: readonly ListedSigner[] }>(flags, '')).signers;

/** Unix seconds of a date, of seconds as they are, or of `+SECONDS` from `now` (unix seconds) on. */
export function parseCutoff(when: string, now: number): number {
  if (/^\+[0-9]{1,10}$/.test(when)) return now + Number(when.slice(1));
  if (/^[0-9]{1,12}$/.test(when)) return Number(when);
  const at = /^[0-9]{4}-[0-9]{2}-[0-9]{2}/.test(when) ? Date.parse(when) : Number.NaN;
  if (Number.isNaN(at) || at < 0) throw new RangeError('must be a date, unix seconds, or +SECONDS');
  return Math.floor(at / 1000);
}

function cutoffOf({ cutoff }: ConfigSource): { readonly cutoffDate?: number } {
  if (cutoff === undefined) return {};
  return { cutoffDate: argument('WHEN', cutoff, (when) => parseCutoff(when, Math.floor(Date.now() / 1000))) };
}

const print = (line: string): boolean => process.stdout.write(`${line}\n`);

/** One line for each key: public key, state, where it comes from, cutoff. */
export async function list(flags: ConfigSource): Promise<void> {
  for (const { pubkey, state, origin, cutoffDate } of await signersOf(flags)) {
    const until = cutoffDate === '0' ? '' : `  until ${new Date(Number(cutoffDate) * 1000).toISOString()}`;
    print(`${pubkey}  ${state.padEnd(10)}  ${origin}${until}`);
  }
}

export async function rotate(flags: ConfigSource): Promise<void> {
  print((await ask<{ pubkey: string }>(flags, '/rotate', cutoffOf(flags))).pubkey);
}

/** The key comes on stdin, since arguments are seen by everybody on the machine. */
export async function load(flags: ConfigSource): Promise<void> {
  const signerPrivateKey = (await text(process.stdin)).trim();
  await ask(flags, '', { signerPrivateKey, ...cutoffOf(flags) });
  print((await signersOf(flags)).find(({ state }) => state === 'current')!.pubkey);
}

export async function deprecate(pubkey: string, flags: ConfigSource): Promise<void> {
  await ask(flags, '/deprecate', { pubkey, ...cutoffOf(flags) });
}

export async function retire(pubkey: string, flags: ConfigSource): Promise<void> {
  await ask(flags, '/retire', { pubkey });
}

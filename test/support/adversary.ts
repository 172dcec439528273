/** Clients that lie: whatever an honest one would send can be changed, withheld or doubled on its way to the server. */
import assert from 'node:assert/strict';
import type { Call, Transport } from '../../src/ark/client/transport.ts';
import type { Fields } from '../../src/ark/wire/request.ts';
import { ARK_ROUTES } from '../../src/ark/wire/routes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import type { World } from './world.ts';

// biome-ignore lint/suspicious/noExplicitAny: bodies of all calls, forged at will.
export type Body = any;

/** Stands between a client and one call of the server; `send` makes the call with whatever body. */
export type Lie = (body: Body, send: (body: Body) => Promise<Fields>) => Promise<Fields>;

export type Lies = Partial<Record<keyof typeof ARK_ROUTES, Lie>>;

export const lying =
  (lies: Lies) =>
  (transport: Transport): Transport => ({
    open: transport.open,
    call(call: Call) {
      const [, lie] =
        Object.entries(lies).find(([name]) => ARK_ROUTES[name as keyof Lies].path === call.route.path) ?? [];
      return lie ? lie(structuredClone(call.body), (body) => transport.call({ ...call, body })) : transport.call(call);
    },
  });

/** Sends nothing and goes on as if it had. */
export const silent: Lie = async () => ({});

/** Sends something else. */
export const sending =
  (change: (body: Body) => Body): Lie =>
  (body, send) =>
    send(change(body));

/** The same hex with its last digit changed. */
export const flipHex = (hex: string): string => hex.slice(0, -1) + (hex.endsWith('0') ? '1' : '0');

export const mapValues = (record: Readonly<Record<string, string>>, change: (value: string) => string) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));

/** The code that `work` is refused with, by the server or by an honest client; anything else fails the test. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return assert.fail('it was not refused');
}

/** Crimes written down so far, by script (hex). */
export async function crimes({ db }: World): Promise<Record<string, string[]>> {
  const rows = await db.read<{ script: string; crime: string }>('select script, crime from ark_conviction');
  const byScript: Record<string, string[]> = {};
  for (const { script, crime } of rows) byScript[script] = [...(byScript[script] ?? []), crime];
  return byScript;
}

const TABLES = [
  'ark_vtxo',
  'ark_intent',
  'ark_batch',
  'ark_tree_tx',
  'ark_forfeit',
  'ark_offchain_tx',
  'ark_checkpoint_tx',
  'ark_asset',
  'ark_asset_change',
];

/** All that the server remembers of money, to compare before and after. */
export async function memory({ db }: World): Promise<unknown> {
  return Promise.all(TABLES.map((table) => db.read(`select * from ${table} order by 1`)));
}

import { parseArkAddress } from '../../ark/protocol/address.ts';
import { fromHex, toHex } from '../../base/bytes.ts';
import { parseAddress } from '../../bitcoin/address.ts';
import { p2tr } from '../../bitcoin/script.ts';
import { argument } from '../argument.ts';
import { table, when } from '../table.ts';
import { command, done } from './command.ts';
import { duration, moment, text } from './options.ts';

interface Conviction {
  readonly id: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly pardoned: boolean;
  readonly script: string;
  readonly crimeType: string;
  readonly roundId: string;
  readonly reason: string;
}

const show = ({ convictions }: { readonly convictions: readonly Conviction[] }): string =>
  table(
    ['id', 'when (UTC)', 'counts until (UTC)', 'script', 'crime', 'reason'],
    convictions.map(({ id, createdAt, expiresAt, pardoned, script, crimeType, reason }) => [
      id,
      when(createdAt),
      pardoned ? 'pardoned' : when(expiresAt) || 'for good',
      script,
      crimeType.replace('CRIME_TYPE_', '').toLowerCase().replaceAll('_', ' '),
      reason,
    ]),
  );

/** Output script (hex) of a script, an Ark address or an on-chain address of any network. */
export function parseScript(given: string): string {
  if (/^([0-9a-fA-F]{2})+$/.test(given)) return toHex(fromHex(given));
  if (/^t?ark1/.test(given)) return toHex(p2tr(parseArkAddress(given).outputKey));
  for (const network of ['mainnet', 'testnet', 'regtest'] as const) {
    try {
      return toHex(parseAddress(network, given));
    } catch {
      // Of another network, perhaps.
    }
  }
  throw new RangeError('must be an output script in hex, an Ark address or an on-chain address');
}

export const CONVICTIONS = [
  command({
    usage: 'convictions list',
    help: 'who misbehaved, by time, by batch, or what counts against a script; the last day if nothing is said',
    options: {
      from: moment('not before: a date, unix seconds, or like -7d'),
      to: moment('not after'),
      round: text('ID', 'in this batch'),
      script: text('SCRIPT', 'what counts now against a script (hex) or an address'),
    },
    ask(admin, _args, { from, to, round, script }): Promise<{ convictions: readonly Conviction[] }> {
      if (round !== undefined) return admin.get(`convictionsByRound/${encodeURIComponent(round)}`);
      if (script !== undefined) return admin.get(`convictionsByScript/${argument('--script', script, parseScript)}`);
      const now = Math.floor(Date.now() / 1000);
      return admin.get('convictionsInRange', { from: from ?? now - 86_400, to: to ?? now + 1 });
    },
    show,
  }),
  command<{ convictions: readonly Conviction[] }>({
    usage: 'convictions show <ID...>',
    help: 'these convictions',
    ask: (admin, ids) => admin.get(`convictions/${ids.map(encodeURIComponent).join(',')}`),
    show,
  }),
  command({
    usage: 'convictions pardon <ID>',
    help: 'make a conviction count no more',
    ask: (admin, [id]) => admin.post(`convictions/${encodeURIComponent(id!)}/pardon`),
    show: done,
  }),
  command({
    usage: 'convictions ban <SCRIPT>',
    help: 'shut a script (hex) or an address out',
    options: { duration: duration('for so long, like 2h or 7d (default: for good)'), reason: text('TEXT', 'what for') },
    ask: (admin, [script], { duration: banDuration = 0, reason = '' }) =>
      admin.post('conviction/ban', { script: argument('SCRIPT', script!, parseScript), banDuration, reason }),
    show: done,
  }),
];

import { wholeNumber } from '../../runtime/config.ts';
import { grouped, list, table } from '../table.ts';
import { command } from './command.ts';
import { count, TIMES } from './options.ts';

interface Report {
  readonly wallet: { readonly available: string; readonly locked: string; readonly connectors: string };
  readonly locked: string;
  readonly live: string;
  readonly recoverable: string;
  readonly notes: string;
  readonly days: readonly {
    readonly from: string;
    readonly expiring: string;
    readonly returning: string;
    readonly renewing: string;
    readonly balance: string;
  }[];
}

function warning({ days }: Report): string {
  const gap = days.find(({ balance }) => balance.startsWith('-'));
  if (!gap) return '';
  return `\nFrom ${gap.from.slice(0, 10)} on the wallet may lack ${grouped(gap.balance.slice(1))} satoshi for renewals.\n`;
}

export const LIQUIDITY = [
  command({
    usage: 'liquidity report',
    help: 'what the wallet has, what batches hold, what is owed, and what the next days will take, in satoshi',
    options: {
      days: count('days to look ahead (default 14)', wholeNumber(1, 366)),
      lead: count('days before expiry at which wallets renew (default 3)', wholeNumber(0, 366)),
    },
    ask: (admin, _args, { days, lead }): Promise<Report> => admin.get('liquidity/report', { days, lead }),
    show: (report) =>
      list([
        ['wallet, available', grouped(report.wallet.available)],
        ['wallet, locked', grouped(report.wallet.locked)],
        ['connectors', grouped(report.wallet.connectors)],
        ['locked in batches', grouped(report.locked)],
        ['owned in VTXOs', grouped(report.live)],
        ['recoverable, owed', grouped(report.recoverable)],
        ['notes, owed', grouped(report.notes)],
      ]) +
      '\nIf everybody renews in time and claims what is owed today:\n' +
      table(
        ['24 hours from (UTC)', 'expiring', 'given back', 'renewals take', 'wallet at least'],
        report.days.map(({ from, expiring, returning, renewing, balance }) => [
          from.slice(0, 16).replace('T', ' '),
          ...[expiring, returning, renewing, balance].map(grouped),
        ]),
      ) +
      warning(report),
  }),
  command({
    usage: 'liquidity expiring',
    help: 'satoshi in VTXOs that expire in a time, from now on if nothing is said',
    options: TIMES,
    ask: (admin, _args, { after, before }): Promise<{ amount: string }> =>
      admin.get('liquidity/expiring', { after, before }),
    show: ({ amount }) => `${grouped(amount)}\n`,
  }),
  command<{ amount: string }>({
    usage: 'liquidity recoverable',
    help: 'satoshi that the server has swept and still owes',
    ask: (admin) => admin.get('liquidity/recoverable'),
    show: ({ amount }) => `${grouped(amount)}\n`,
  }),
];

import { parseSats } from '../../base/units.ts';
import { wholeNumber } from '../../runtime/config.ts';
import { OperatorError } from '../../runtime/operator-error.ts';
import { argument } from '../argument.ts';
import { grouped, table, when } from '../table.ts';
import { command, done } from './command.ts';
import { choice, count } from './options.ts';

interface Amount {
  readonly amount: string;
}

interface Intent {
  readonly id: string;
  readonly createdAt: string;
  readonly receivers: readonly Amount[];
  readonly inputs: readonly Amount[];
  readonly boardingInputs: readonly Amount[];
}

const total = (list: readonly Amount[]): string =>
  `${grouped(`${list.reduce((sum, { amount }) => sum + BigInt(amount), 0n)}`)}`;

export const QUEUE = [
  command<{ intents: readonly Intent[] }>({
    usage: 'intents list',
    help: 'what waits for a batch, or is in one',
    ask: (admin) => admin.get('intents'),
    show: ({ intents }) =>
      table(
        ['id', 'since (UTC)', 'VTXOs', 'boarding', 'satoshi in', 'satoshi out'],
        intents.map(({ id, createdAt, inputs, boardingInputs, receivers }) => [
          id,
          when(createdAt),
          `${inputs.length}`,
          `${boardingInputs.length}`,
          total([...inputs, ...boardingInputs]),
          total(receivers),
        ]),
      ),
  }),
  command({
    usage: 'intents delete [ID...]',
    help: 'take intents out of the queue; those in a batch under way stay',
    options: { all: choice('all of them') },
    ask(admin, intentIds, { all }) {
      if (all === intentIds.length > 0) throw new OperatorError('CONFIG_INVALID', 'name the intents, or --all of them');
      return admin.post('intents/delete', { intentIds });
    },
    show: done,
  }),
  command({
    usage: 'notes create <SATS>',
    help: 'make notes of SATS each and print them: whoever reads one can redeem it',
    options: { quantity: count('how many (default 1)', wholeNumber(1, 1_000)) },
    ask: (admin, [sats], { quantity = 1 }): Promise<{ notes: readonly string[] }> =>
      admin.post('note', { amount: `${argument('SATS', sats!, parseSats)}`, quantity }),
    show: ({ notes }) => `${notes.join('\n')}\n`,
  }),
];

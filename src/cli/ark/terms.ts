import { printTime, SETTING_NAMES } from '../../ark/wire/settings.ts';
import { unixSeconds } from '../../base/units.ts';
import { wholeNumber } from '../../runtime/config.ts';
import { OperatorError } from '../../runtime/operator-error.ts';
import { grouped, list } from '../table.ts';
import { command, done } from './command.ts';
import { count, duration, moment, TIMES, text } from './options.ts';

interface Fees {
  readonly offchainInputFee: string;
  readonly onchainInputFee: string;
  readonly offchainOutputFee: string;
  readonly onchainOutputFee: string;
}

interface FeeInfo {
  readonly intentFee: Readonly<Record<string, string>>;
}

interface Session {
  readonly startTime: string;
  readonly endTime: string;
  readonly period: string;
  readonly duration: string;
  readonly roundMinParticipantsCount: string;
  readonly roundMaxParticipantsCount: string;
  readonly fees: FeeInfo | null;
}

const program = (of: string) => text('CEL', `program that prices ${of}`);
const PROGRAMS = {
  offchainInput: program('a VTXO that is settled'),
  onchainInput: program('a boarding output'),
  offchainOutput: program('a VTXO that a batch makes'),
  onchainOutput: program('a collaborative exit'),
};
type Programs = { readonly [Name in keyof typeof PROGRAMS]: string | undefined };

const nothing = (what: string): OperatorError => new OperatorError('CONFIG_INVALID', `say what to change: ${what}`);

const isEmpty = (options: object): boolean => Object.values(options).every((value) => value === undefined);

/** `banThreshold` and `ban-threshold`, as the flags of `canalworks up` are written, are the same. */
function settingName(given: string): string {
  const name = given.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  if (SETTING_NAMES.includes(name)) return name;
  throw new OperatorError('CONFIG_INVALID', `there is no setting ${given}: see "canalworks ark settings show"`);
}

function readAssignment(given: string): [name: string, value: string | boolean] {
  const [name, ...rest] = given.split('=');
  if (!name || rest.length === 0) throw new OperatorError('CONFIG_INVALID', `${given}: must be like NAME=VALUE`);
  const value = rest.join('=');
  return [settingName(name), value === 'true' || value === 'false' ? value === 'true' : value];
}

export const TERMS = [
  command<{ fees: Fees }>({
    usage: 'fees show',
    help: 'the programs that price an intent',
    ask: (admin) => admin.get('intentFees'),
    show: ({ fees }) =>
      list([
        ['off-chain input', fees.offchainInputFee || 'free'],
        ['on-chain input', fees.onchainInputFee || 'free'],
        ['off-chain output', fees.offchainOutputFee || 'free'],
        ['on-chain output', fees.onchainOutputFee || 'free'],
      ]),
  }),
  command({
    usage: 'fees set',
    help: 'change some of them; the others stay',
    options: PROGRAMS,
    ask(admin, _args, options: Programs) {
      if (isEmpty(options)) throw nothing('--offchain-input, --onchain-input, --offchain-output or --onchain-output');
      const fees = Object.fromEntries(Object.entries(options).map(([name, value]) => [`${name}Fee`, value]));
      return admin.post('intentFees', { fees });
    },
    show: done,
  }),
  command({
    usage: 'fees clear',
    help: 'ask for no fees at all',
    ask: (admin) => admin.post('intentFees/clear'),
    show: done,
  }),
  command({
    usage: 'fees collected',
    help: 'satoshi that batches of a time have left to the server, on-chain fees not counted',
    options: TIMES,
    ask: (admin, _args, { after, before }): Promise<{ collectedFees: string }> =>
      admin.get('fees/collected', { after, before }),
    show: ({ collectedFees }) => `${grouped(collectedFees)}\n`,
  }),
  command<{ settings: Readonly<Record<string, string | boolean | null>> }>({
    usage: 'settings show',
    help: 'every setting and its value',
    ask: (admin) => admin.get('settings'),
    show: ({ settings }) =>
      list(
        Object.entries(settings)
          .filter(([, value]) => value !== null)
          .map(([name, value]) => [name, value === '' ? '""' : `${value}`]),
      ),
  }),
  command<{ changeLog: readonly string[] }>({
    usage: 'settings set <NAME=VALUE...>',
    help: 'change settings while the server runs; prints which ones are others now',
    ask: (admin, given) => admin.post('settings', { settings: Object.fromEntries(given.map(readAssignment)) }),
    show: ({ changeLog }) => (changeLog.length === 0 ? 'nothing has changed\n' : `${changeLog.join('\n')}\n`),
  }),
  command<{ config: Session | null }>({
    usage: 'scheduled-session show',
    help: 'the windows in which batches run on terms of their own',
    ask: (admin) => admin.get('scheduledSession'),
    show({ config }) {
      if (!config) return 'none\n';
      const usual = (value: string): string => (value === '0' ? 'as usual' : value);
      return list([
        ['first window', `${config.startTime} to ${config.endTime}`],
        ['again every', `${config.period} minutes`],
        ['session', config.duration === '0' ? 'as usual' : `${config.duration} seconds`],
        ['participants, at least', usual(config.roundMinParticipantsCount)],
        ['participants, at most', usual(config.roundMaxParticipantsCount)],
        ...(config.fees
          ? Object.entries(config.fees.intentFee).map(([name, value]) => [`fee ${name}`, value || 'free'] as const)
          : [['fees', 'as usual'] as const]),
      ]);
    },
  }),
  command({
    usage: 'scheduled-session set',
    help: 'set or change the windows; what is not given stays',
    options: {
      start: moment('when the first window opens: a date, unix seconds, or like +2h'),
      end: moment('when it closes'),
      period: duration('how long after it the next one opens, in whole minutes, like 1d'),
      duration: duration('how long a session takes within a window'),
      minParticipants: count('intents that a batch needs within a window', wholeNumber(0, 100_000)),
      maxParticipants: count('intents that a batch may have within a window', wholeNumber(0, 100_000)),
      ...PROGRAMS,
    },
    ask(admin, _args, options) {
      if (isEmpty(options)) throw nothing('see --help');
      const { start, end, period, minParticipants, maxParticipants } = options;
      const { offchainInput, onchainInput, offchainOutput, onchainOutput } = options;
      if (period !== undefined && period % 60 !== 0) {
        throw new OperatorError('CONFIG_INVALID', '--period must be whole minutes');
      }
      const time = (seconds: number | undefined) => (seconds === undefined ? {} : printTime(unixSeconds(seconds)));
      const fees = { offchainInput, onchainInput, offchainOutput, onchainOutput };
      const config = {
        ...(start !== undefined && { startTime: time(start) }),
        ...(end !== undefined && { endTime: time(end) }),
        ...(period !== undefined && { period: period / 60 }),
        duration: options.duration,
        roundMinParticipantsCount: minParticipants,
        roundMaxParticipantsCount: maxParticipants,
        ...(!isEmpty(fees) && { fees: { intentFee: fees } }),
      };
      return admin.post('scheduledSession', { config });
    },
    show: done,
  }),
  command({
    usage: 'scheduled-session clear',
    help: 'have no windows any more',
    ask: (admin) => admin.post('scheduledSession/clear'),
    show: done,
  }),
];

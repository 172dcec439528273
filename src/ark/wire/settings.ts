/** The admin API's messages about terms: `Settings`, `IntentFees` and `ScheduledSessionConfig`. */
import { messageOf, ProtocolError } from '../../base/errors.ts';
import { sats, type UnixSeconds, unixSeconds } from '../../base/units.ts';
import { relativeTimelock } from '../../bitcoin/timelock.ts';
import { parseBatchTrigger } from '../protocol/batch-trigger.ts';
import type { ScheduledSession } from '../protocol/scheduled-session.ts';
import { type ArkSettings, type IntentFeePrograms, TAPROOT_DUST, wireDelay } from '../protocol/settings.ts';
import { parseVersion } from './client-headers.ts';
import { type Fields, malformed, message, text, whole } from './request.ts';

/** One field of the admin API's `Settings`. */
interface Field {
  print(settings: ArkSettings): string | boolean;
  /** Throws `MALFORMED_REQUEST`, or a `RangeError` without the field's name. */
  read(value: unknown, name: string): Partial<ArkSettings>;
}

type KeyOf<T> = { [K in keyof ArkSettings]: ArkSettings[K] extends T ? K : never }[keyof ArkSettings];

const number = (key: KeyOf<number>): Field => ({
  print: (settings) => `${settings[key]}`,
  read(value, name) {
    const number = whole(value, name);
    if (number < 0) throw new RangeError('must not be negative');
    return { [key]: number };
  },
});
/** −1 is the dust limit, as in arkd. */
const least = (key: 'vtxoMinAmount' | 'utxoMinAmount'): Field => ({
  print: (settings) => `${settings[key]}`,
  read: (value, name) => ({ [key]: whole(value, name) === -1 ? TAPROOT_DUST : sats(whole(value, name)) }),
});
/** −1 is no limit. */
const most = (key: 'vtxoMaxAmount' | 'utxoMaxAmount'): Field => ({
  print: (settings) => `${settings[key] ?? -1}`,
  read: (value, name) => ({ [key]: whole(value, name) === -1 ? undefined : sats(whole(value, name)) }),
});
const yesOrNo = (key: KeyOf<boolean>): Field => ({
  print: (settings) => settings[key],
  read(value) {
    if (typeof value !== 'boolean') throw new RangeError('must be true or false');
    return { [key]: value };
  },
});
type TextKey = 'batchTrigger' | 'minBuildVersion' | 'noteUriPrefix';
const words = (key: TextKey, parse: (text: string) => string): Field => ({
  print: (settings) => settings[key],
  read: (value, name) => ({ [key]: parse(text({ [name]: value }, name)) }),
});
type DelayKey =
  | 'unilateralExitDelay'
  | 'publicUnilateralExitDelay'
  | 'checkpointExitDelay'
  | 'boardingExitDelay'
  | 'batchExpiry';
const delay = (key: DelayKey): Field => ({
  print: (settings) => `${wireDelay(settings[key])}`,
  read: (value, name) => ({ [key]: relativeTimelock(whole(value, name)) }),
});
/** A delay that is part of scripts, and of transactions under way. */
const fixed = (key: DelayKey): Field => ({
  ...delay(key),
  read() {
    throw new RangeError("is part of everybody's scripts and set where the server is started");
  },
});

export function parseBuildVersion(text: string): string {
  if (text !== '' && !parseVersion(text)) throw new RangeError('must be a version such as 1.2.3');
  return text;
}

/** RFC 3986: the scheme of a URI. */
export function parseUriPrefix(text: string): string {
  if (!/^([a-zA-Z][a-zA-Z0-9+.-]{0,31})?$/.test(text)) throw new RangeError('must be the scheme of a URI');
  return text;
}

const FIELDS = {
  sessionDuration: number('sessionDuration'),
  unrolledVtxoMinExpiryMargin: number('unrolledMinMargin'),
  banThreshold: number('banThreshold'),
  banDuration: number('banDuration'),
  unilateralExitDelay: fixed('unilateralExitDelay'),
  publicUnilateralExitDelay: delay('publicUnilateralExitDelay'),
  checkpointExitDelay: fixed('checkpointExitDelay'),
  boardingExitDelay: fixed('boardingExitDelay'),
  vtxoTreeExpiry: fixed('batchExpiry'),
  roundMinParticipantsCount: number('minParticipants'),
  roundMaxParticipantsCount: number('maxParticipants'),
  vtxoMinAmount: least('vtxoMinAmount'),
  vtxoMaxAmount: most('vtxoMaxAmount'),
  utxoMinAmount: least('utxoMinAmount'),
  utxoMaxAmount: most('utxoMaxAmount'),
  settlementMinExpiryGap: number('settlementGap'),
  maxTxWeight: number('maxTxWeight'),
  maxOpReturnOutputs: number('maxOpReturnOutputs'),
  noteUriPrefix: words('noteUriPrefix', parseUriPrefix),
  buildVersionHeader: words('minBuildVersion', parseBuildVersion),
  buildVersionHeaderRequired: yesOrNo('buildVersionRequired'),
  digestHeaderRequired: yesOrNo('digestRequired'),
  batchTrigger: words('batchTrigger', parseBatchTrigger),
} as const satisfies Record<string, Field>;

export type SettingName = keyof typeof FIELDS;
export const SETTING_NAMES: readonly string[] = Object.keys(FIELDS);

export const printSettings = (settings: ArkSettings, updatedAt: UnixSeconds | undefined) => ({
  ...Object.fromEntries(Object.entries<Field>(FIELDS).map(([name, field]) => [name, field.print(settings)])),
  updatedAt: updatedAt === undefined ? null : printTime(updatedAt),
});

/** Those of the fields that are given and say something else than `settings`. */
export const differing = (fields: Fields, settings: ArkSettings): Fields =>
  Object.fromEntries(
    Object.entries(fields).filter(([name, value]) => {
      if (value === null || name === 'updatedAt') return false;
      return !Object.hasOwn(FIELDS, name) || `${FIELDS[name as SettingName].print(settings)}` !== `${value}`;
    }),
  );

/** What the fields change. Throws `MALFORMED_REQUEST`, naming the field. */
export function readSettings(fields: Fields): Partial<ArkSettings> {
  const changes = Object.entries(fields).map(([name, value]) => {
    if (!Object.hasOwn(FIELDS, name)) throw malformed(`there is no setting ${name.slice(0, 100)}`);
    return reading(name, () => FIELDS[name as SettingName].read(value, name));
  });
  return Object.assign({}, ...changes) as Partial<ArkSettings>;
}

/** The wire's names of the settings in which two differ, in the manner of protobuf: `ban_threshold`. */
export const changedSettings = (before: ArkSettings, after: ArkSettings): string[] =>
  Object.entries<Field>(FIELDS)
    .filter(([, field]) => field.print(before) !== field.print(after))
    .map(([name]) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));

export const FREE: IntentFeePrograms = { offchainInput: '', offchainOutput: '', onchainInput: '', onchainOutput: '' };

export const printFees = ({ offchainInput, offchainOutput, onchainInput, onchainOutput }: IntentFeePrograms) => ({
  offchainInputFee: offchainInput,
  onchainInputFee: onchainInput,
  offchainOutputFee: offchainOutput,
  onchainOutputFee: onchainOutput,
});

/** Fee programs from `IntentFees`, unparsed; `previous` fills in what is not given. */
export function readFees(fields: Fields, previous: IntentFeePrograms = FREE): IntentFeePrograms {
  const program = (name: string, before: string): string => text(fields, name) || before;
  return {
    offchainInput: program('offchainInputFee', previous.offchainInput),
    offchainOutput: program('offchainOutputFee', previous.offchainOutput),
    onchainInput: program('onchainInputFee', previous.onchainInput),
    onchainOutput: program('onchainOutputFee', previous.onchainOutput),
  };
}

export const printFeeInfo = (intentFee: IntentFeePrograms) => ({
  intentFee: {
    offchainInput: intentFee.offchainInput,
    offchainOutput: intentFee.offchainOutput,
    onchainInput: intentFee.onchainInput,
    onchainOutput: intentFee.onchainOutput,
  },
  // There is no fee on off-chain payments.
  txFeeRate: '0',
});

const MINUTE = 60;

export const printSession = (session: ScheduledSession) => ({
  startTime: printTime(session.start),
  endTime: printTime(session.end),
  period: `${session.period / MINUTE}`,
  duration: `${session.sessionDuration ?? 0}`,
  roundMinParticipantsCount: `${session.minParticipants ?? 0}`,
  roundMaxParticipantsCount: `${session.maxParticipants ?? 0}`,
  fees: session.intentFee ? printFeeInfo(session.intentFee) : null,
});

/**
 * A session from `ScheduledSessionConfig`: times in RFC 3339, the period in minutes, the duration in seconds, and 0
 * for what stays as usual. `previous` fills in what is not given. Throws `MALFORMED_REQUEST`.
 */
export function readSession(fields: Fields, previous?: ScheduledSession): ScheduledSession {
  const time = (name: string, before: UnixSeconds | undefined): UnixSeconds => {
    const given = text(fields, name);
    if (given === '' && before === undefined) throw malformed(`missing ${name}`);
    return given === '' ? before! : readTime(given, name);
  };
  const count = (name: string, before: number | undefined): number | undefined => {
    if (fields[name] === undefined || fields[name] === null) return before;
    const value = whole(fields[name], name);
    if (value < 0) throw malformed(`${name} must not be negative`);
    return value === 0 ? undefined : value;
  };
  const minutes = count('period', previous && previous.period / MINUTE);
  if (minutes === undefined) throw malformed('missing period');
  return {
    start: time('startTime', previous?.start),
    end: time('endTime', previous?.end),
    period: minutes * MINUTE,
    sessionDuration: count('duration', previous?.sessionDuration),
    minParticipants: count('roundMinParticipantsCount', previous?.minParticipants),
    maxParticipants: count('roundMaxParticipantsCount', previous?.maxParticipants),
    intentFee: fields.fees ? readFeeInfo(message(fields, 'fees')) : previous?.intentFee,
  };
}

function readFeeInfo(fields: Fields): IntentFeePrograms {
  const fee = message(fields, 'intentFee');
  return {
    offchainInput: text(fee, 'offchainInput'),
    offchainOutput: text(fee, 'offchainOutput'),
    onchainInput: text(fee, 'onchainInput'),
    onchainOutput: text(fee, 'onchainOutput'),
  };
}

/** RFC 3339 in UTC, to the second. */
export const printTime = (seconds: UnixSeconds): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

function readTime(given: string, name: string): UnixSeconds {
  const shape = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
  const ms = shape.test(given) ? Date.parse(given) : Number.NaN;
  if (!(ms >= 0)) throw malformed(`${name} must be a time like 2026-01-31T12:00:00Z`);
  return unixSeconds(Math.floor(ms / 1000));
}

/** Names the field in what `parse` throws. */
function reading<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof ProtocolError ? error : malformed(`${name}: ${messageOf(error)}`);
  }
}

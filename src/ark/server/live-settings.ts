/**
 * The settings in force: those the process was started with, changed by what an operator has set since (durable), and
 * by a scheduled session while its window is open.
 */
import type { UnixSeconds } from '../../base/units.ts';
import { createMailbox } from '../../runtime/mailbox.ts';
import { OperatorError } from '../../runtime/operator-error.ts';
import type { Db } from '../../store/db.ts';
import { parseFeePrograms } from '../protocol/fee.ts';
import { isOpen, type ScheduledSession, troubleWithSession, withSession } from '../protocol/scheduled-session.ts';
import { type ArkSettings, type IntentFeePrograms, troubleWith } from '../protocol/settings.ts';
import { type Fields, malformed } from '../wire/request.ts';
import { changedSettings, differing, readSession, readSettings } from '../wire/settings.ts';
import { readSetting, writeSetting } from './store/settings.ts';

export interface LiveSettings {
  /** In force at this moment. */
  current(): ArkSettings;
  /** In force outside of scheduled sessions. */
  usual(): ArkSettings;
  session(): ScheduledSession | undefined;
  /** When an operator changed anything last. */
  updatedAt(): UnixSeconds | undefined;
  /** Applies the fields of an admin API's `Settings`; returns the names of those that changed. Throws `MALFORMED_REQUEST`. */
  update(fields: Fields): Promise<string[]>;
  /** Throws `INTENT_FEE_EVALUATION_FAILED` when a program is none. */
  updateFees(change: (fees: IntentFeePrograms) => IntentFeePrograms): Promise<void>;
  /** Applies the fields of a `ScheduledSessionConfig`. Throws `MALFORMED_REQUEST` or `INTENT_FEE_EVALUATION_FAILED`. */
  schedule(fields: Fields): Promise<void>;
  clearSchedule(): Promise<void>;
}

/** What an operator has changed, as it is kept. */
interface Changes {
  /** In the wire's form, which outlives changes of ours. */
  readonly settings: Fields;
  readonly intentFee: IntentFeePrograms | undefined;
  readonly session: ScheduledSession | undefined;
  readonly updatedAt: UnixSeconds | undefined;
}

/** Names of the rows, each of one JSON text. */
const ROWS = { settings: 'settings', intentFee: 'intentFees', session: 'scheduledSession', updatedAt: 'updatedAt' };

async function readChanges(db: Db): Promise<Changes> {
  const read = async <T>(name: string): Promise<T | undefined> =>
    JSON.parse((await readSetting(db, name)) ?? 'null') ?? undefined;
  return {
    settings: (await read<Fields>(ROWS.settings)) ?? {},
    intentFee: await read(ROWS.intentFee),
    session: await read(ROWS.session),
    updatedAt: await read(ROWS.updatedAt),
  };
}

const applied = (configured: ArkSettings, { settings, intentFee }: Changes): ArkSettings => ({
  ...configured,
  ...readSettings(settings),
  ...(intentFee && { intentFee }),
});

/** Throws `OperatorError` CONFIG_INVALID when what the operator has set contradicts what the process is started with. */
export async function createLiveSettings(
  db: Db,
  configured: ArkSettings,
  nowSeconds: () => UnixSeconds,
): Promise<LiveSettings> {
  const mailbox = createMailbox();
  let changes = await readChanges(db);
  let usual = applied(configured, changes);
  const trouble = troubleWith(usual);
  if (trouble) throw new OperatorError('CONFIG_INVALID', `with the settings changed through the admin API: ${trouble}`);

  /** One change after the other; each is durable before it is in force. */
  const change = <R>(work: () => { readonly next: Partial<Changes>; readonly result: R }): Promise<R> =>
    mailbox.run('settings', async () => {
      const { next, result } = work();
      const updated: Changes = { ...changes, ...next, updatedAt: nowSeconds() };
      await db.write(async (tx) => {
        for (const [key, row] of Object.entries(ROWS)) {
          await writeSetting(tx, row, JSON.stringify(updated[key as keyof Changes] ?? null));
        }
      });
      changes = updated;
      usual = applied(configured, changes);
      return result;
    });

  /** Refuses what makes no sense, in a window or out of it. */
  function checkSound(settings: ArkSettings, session: ScheduledSession | undefined): void {
    const found = troubleWith(settings) ?? (session && troubleWith(withSession(settings, session)));
    if (found) throw malformed(found);
  }

  return {
    current() {
      const { session } = changes;
      return session && isOpen(session, nowSeconds()) ? withSession(usual, session) : usual;
    },
    usual: () => usual,
    session: () => changes.session,
    updatedAt: () => changes.updatedAt,

    update: (fields) =>
      change(() => {
        const changed = differing(fields, usual);
        const after = { ...usual, ...readSettings(changed) };
        checkSound(after, changes.session);
        return { next: { settings: { ...changes.settings, ...changed } }, result: changedSettings(usual, after) };
      }),

    updateFees: (next) =>
      change(() => ({ next: { intentFee: parseFeePrograms(next(usual.intentFee)) }, result: undefined })),

    schedule: (fields) =>
      change(() => {
        const session = readSession(fields, changes.session);
        const found = troubleWithSession(session);
        if (found) throw malformed(found);
        const isNew = session.start !== changes.session?.start;
        if (isNew && session.start <= nowSeconds()) throw malformed('the first window must start in the future');
        if (session.intentFee) parseFeePrograms(session.intentFee);
        checkSound(usual, session);
        return { next: { session }, result: undefined };
      }),

    clearSchedule: () => change(() => ({ next: { session: undefined }, result: undefined })),
  };
}

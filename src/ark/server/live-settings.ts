/** The settings in force: those the process was started with, changed by what an operator has set since (durable). */
import { messageOf, ProtocolError } from '../../base/errors.ts';
import { type Sats, sats } from '../../base/units.ts';
import type { Db } from '../../store/db.ts';
import { parseFeePrograms } from '../protocol/fee.ts';
import type { ArkSettings, IntentFeePrograms } from '../protocol/settings.ts';
import { type Fields, malformed, text, whole } from '../wire/request.ts';
import { readSetting, writeSetting } from './store/settings.ts';

export interface LiveSettings {
  current(): ArkSettings;
  /** Applies the fields given; returns a line for each that changed. Throws when one is unknown, fixed or invalid. */
  update(fields: Fields): Promise<string[]>;
  updateFees(fees: IntentFeePrograms): Promise<void>;
}

const FREE: IntentFeePrograms = { offchainInput: '', offchainOutput: '', onchainInput: '', onchainOutput: '' };

/** On the wire −1 is no limit. */
const most = (value: number): Sats | undefined => (value < 0 ? undefined : sats(value));
const atLeast = (value: number, least: number, name: string): number => {
  if (value < least) throw malformed(`${name} must be at least ${least}`);
  return value;
};

/** Wire name → the change it makes. Delays and the expiry are part of scripts and fixed while the process runs. */
const CHANGES: Readonly<Record<string, (value: number, name: string) => Partial<ArkSettings>>> = {
  sessionDuration: (value, name) => ({ sessionDuration: atLeast(value, 2, name) }),
  banThreshold: (value, name) => ({ banThreshold: atLeast(value, 0, name) }),
  banDuration: (value, name) => ({ banDuration: atLeast(value, 1, name) }),
  roundMinParticipantsCount: (value, name) => ({ minParticipants: atLeast(value, 1, name) }),
  roundMaxParticipantsCount: (value, name) => ({ maxParticipants: atLeast(value, 1, name) }),
  vtxoMinAmount: (value) => ({ vtxoMinAmount: sats(value) }),
  vtxoMaxAmount: (value) => ({ vtxoMaxAmount: most(value) }),
  utxoMinAmount: (value) => ({ utxoMinAmount: sats(value) }),
  utxoMaxAmount: (value) => ({ utxoMaxAmount: most(value) }),
  maxTxWeight: (value, name) => ({ maxTxWeight: atLeast(value, 1_000, name) }),
  maxOpReturnOutputs: (value, name) => ({ maxOpReturnOutputs: atLeast(value, 0, name) }),
};

function changeOf(fields: Fields): Partial<ArkSettings> {
  return Object.assign(
    {},
    ...Object.entries(fields).map(([name, value]) => {
      const change = CHANGES[name];
      if (!change) throw malformed(`${name} cannot be changed while the server runs`);
      try {
        return change(whole(value, name), name);
      } catch (error) {
        throw error instanceof ProtocolError ? error : malformed(`${name}: ${messageOf(error)}`);
      }
    }),
  ) as Partial<ArkSettings>;
}

export async function createLiveSettings(db: Db, configured: ArkSettings): Promise<LiveSettings> {
  const changed = JSON.parse((await readSetting(db, 'settings')) ?? '{}') as Fields;
  const fees = JSON.parse((await readSetting(db, 'intentFees')) ?? 'null') as IntentFeePrograms | null;
  let overrides = changed;
  let current: ArkSettings = { ...configured, ...changeOf(changed), ...(fees ? { intentFee: fees } : {}) };

  return {
    current: () => current,

    async update(fields) {
      const next = { ...current, ...changeOf(fields) };
      if (next.minParticipants > next.maxParticipants) throw malformed('more participants required than allowed');
      const log = Object.keys(fields).filter((name) => fields[name] !== overrides[name]);
      overrides = { ...overrides, ...fields };
      await db.write((tx) => writeSetting(tx, 'settings', JSON.stringify(overrides)));
      current = next;
      return log.map((name) => `${name}: ${fields[name]}`);
    },

    async updateFees(programs) {
      parseFeePrograms(programs);
      await db.write((tx) => writeSetting(tx, 'intentFees', JSON.stringify(programs)));
      current = { ...current, intentFee: programs };
    },
  };
}

/** Fee programs from the admin API; `previous` fills in what is not given. */
export function readFeePrograms(fields: Fields, previous: IntentFeePrograms = FREE): IntentFeePrograms {
  const program = (name: string, before: string): string => (fields[name] === undefined ? before : text(fields, name));
  return {
    offchainInput: program('offchainInputFee', previous.offchainInput),
    offchainOutput: program('offchainOutputFee', previous.offchainOutput),
    onchainInput: program('onchainInputFee', previous.onchainInput),
    onchainOutput: program('onchainOutputFee', previous.onchainOutput),
  };
}

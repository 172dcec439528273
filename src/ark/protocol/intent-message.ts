/** What an intent's proof signs: a JSON text that says what to do with the coins proven. */
import type { UnixSeconds } from '../../base/units.ts';
import { arkError, demand } from './errors.ts';

/** Unix seconds; 0 is no bound. */
type Bound = number;

export interface RegisterMessage {
  readonly type: 'register' | 'estimate-intent-fee';
  /** Outputs of the proof that shall be paid on chain. */
  readonly onchainOutputIndexes: readonly number[];
  readonly validAt: Bound;
  readonly expireAt: Bound;
  /** Compressed keys in hex that will cosign the intent's branch of the batch tree. */
  readonly cosignersPublicKeys: readonly string[];
}

export interface OwnershipMessage {
  readonly type: 'delete' | 'get-pending-tx' | 'get-intent' | 'get-data';
  readonly expireAt: Bound;
}

export type IntentMessage = RegisterMessage | OwnershipMessage;
export type IntentMessageType = IntentMessage['type'];
export type MessageOf<Type extends IntentMessageType> = Extract<IntentMessage, { type: Type }> & {
  readonly type: Type;
};

const isRegister = (message: IntentMessage): message is RegisterMessage => 'cosignersPublicKeys' in message;
const registers = (type: IntentMessageType): type is RegisterMessage['type'] =>
  type === 'register' || type === 'estimate-intent-fee';

/** The canonical text: key order and spacing as every client writes them. */
export const printIntentMessage = (message: IntentMessage): string =>
  JSON.stringify(
    isRegister(message)
      ? {
          type: message.type,
          onchain_output_indexes: message.onchainOutputIndexes,
          valid_at: message.validAt,
          expire_at: message.expireAt,
          cosigners_public_keys: message.cosignersPublicKeys,
        }
      : { type: message.type, expire_at: message.expireAt },
  );

const refusal = (why: string) => arkError('INVALID_INTENT_MESSAGE', why);

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refusal('the intent message is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal('not a JSON object');
  return value as Record<string, unknown>;
}

const isIndex = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isKey = (value: unknown): value is string => typeof value === 'string' && /^(0[23])?[0-9a-f]{64}$/.test(value);
/** Some clients name a cosigner by an x-only key. BIP340: that is the point with the even y. */
const compressed = (key: string): string => (key.length === 64 ? `02${key}` : key);

function bound(fields: Readonly<Record<string, unknown>>, name: string): Bound {
  const value = fields[name] ?? 0;
  if (!isIndex(value)) throw refusal(`${name} must be a whole number of seconds`);
  return value;
}

function list<T>(
  fields: Readonly<Record<string, unknown>>,
  name: string,
  isItem: (value: unknown) => value is T,
): readonly T[] {
  const value = fields[name] ?? [];
  if (!Array.isArray(value) || !value.every(isItem)) throw refusal(`${name} has an entry of the wrong kind`);
  if (new Set(value).size !== value.length) throw refusal(`${name} names something twice`);
  return value;
}

/** Parses the message of a call that expects this type. Throws `INVALID_INTENT_MESSAGE`. */
export function parseIntentMessage<Type extends IntentMessageType>(type: Type, text: string): MessageOf<Type> {
  const fields = parseObject(text);
  if (fields.type !== type) throw refusal(`expected an intent message of type ${type}`);
  const expireAt = bound(fields, 'expire_at');
  const message: unknown = registers(type)
    ? {
        type,
        onchainOutputIndexes: list(fields, 'onchain_output_indexes', isIndex),
        validAt: bound(fields, 'valid_at'),
        expireAt,
        cosignersPublicKeys: list(fields, 'cosigners_public_keys', isKey).map(compressed),
      }
    : { type, expireAt };
  return message as MessageOf<Type>;
}

/** No two clocks agree: seconds by which an intent may come before its start. */
export const CLOCK_LEEWAY = 5;

/** Throws `INVALID_INTENT_TIMERANGE` before the message's start or after its end. */
export function checkIntentTime(message: IntentMessage, now: UnixSeconds): void {
  const validAt = isRegister(message) ? message.validAt : 0;
  const { expireAt } = message;
  const data = { valid_at: `${validAt}`, expire_at: `${expireAt}`, now: `${now}` };
  demand(
    validAt === 0 || now + CLOCK_LEEWAY >= validAt,
    'INVALID_INTENT_TIMERANGE',
    'the intent is not valid yet',
    data,
  );
  demand(expireAt === 0 || now <= expireAt, 'INVALID_INTENT_TIMERANGE', 'the intent has expired', data);
}

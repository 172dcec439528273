import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Intent } from '@arkade-os/sdk';
import fc from 'fast-check';
import {
  checkIntentTime,
  type IntentMessage,
  parseIntentMessage,
  printIntentMessage,
} from '../../../../src/ark/protocol/intent-message.ts';
import { toHex } from '../../../../src/base/bytes.ts';
import { unixSeconds } from '../../../../src/base/units.ts';
import { codeOf, owner, refusesOrAccepts, signer } from './support.ts';

const cosigners = [owner, signer].map(({ compressed }) => toHex(compressed));
const register = {
  type: 'register',
  onchainOutputIndexes: [1],
  validAt: 5,
  expireAt: 9,
  cosignersPublicKeys: cosigners,
} as const;
const others = ['delete', 'get-pending-tx', 'get-intent', 'get-data'] as const;

test('messages print as the SDK prints them', () => {
  const sdk: readonly [IntentMessage, Intent.Message][] = [
    [
      register,
      {
        type: 'register',
        onchain_output_indexes: [1],
        valid_at: 5,
        expire_at: 9,
        cosigners_public_keys: cosigners,
      },
    ],
    [
      { type: 'delete', expireAt: 0 },
      { type: 'delete', expire_at: 0 },
    ],
    [
      { type: 'get-pending-tx', expireAt: 7 },
      { type: 'get-pending-tx', expire_at: 7 },
    ],
  ];
  for (const [ours, theirs] of sdk) assert.equal(printIntentMessage(ours), Intent.encodeMessage(theirs));
});

test('every message comes back from its text', () => {
  assert.deepEqual(parseIntentMessage('register', printIntentMessage(register)), register);
  const estimate = { ...register, type: 'estimate-intent-fee' } as const;
  assert.deepEqual(parseIntentMessage('estimate-intent-fee', printIntentMessage(estimate)), estimate);
  for (const type of others) {
    assert.deepEqual(parseIntentMessage(type, printIntentMessage({ type, expireAt: 3 })), { type, expireAt: 3 });
  }
});

test('an x-only key names a cosigner too', () => {
  const even = { ...register, cosignersPublicKeys: [`02${toHex(owner.xonly)}`] };
  const text = printIntentMessage(even).replace(`02${toHex(owner.xonly)}`, toHex(owner.xonly));
  assert.deepEqual(parseIntentMessage('register', text), even);
});

test('what is left out is none, as the Go server has it', () => {
  assert.deepEqual(parseIntentMessage('register', '{"type":"register","onchain_output_indexes":null}'), {
    type: 'register',
    onchainOutputIndexes: [],
    validAt: 0,
    expireAt: 0,
    cosignersPublicKeys: [],
  });
});

test('a message of another shape is refused', () => {
  const change = (fields: object): string => JSON.stringify({ ...JSON.parse(printIntentMessage(register)), ...fields });
  const texts = [
    '',
    'null',
    '[]',
    '"register"',
    '{"type":"register"',
    change({ type: 'delete' }),
    change({ valid_at: -1 }),
    change({ valid_at: 1.5 }),
    change({ expire_at: '9' }),
    change({ expire_at: 2 ** 53 }),
    change({ onchain_output_indexes: 1 }),
    change({ onchain_output_indexes: [-1] }),
    change({ onchain_output_indexes: ['0'] }),
    change({ onchain_output_indexes: [1, 1] }),
    change({ cosigners_public_keys: [toHex(owner.xonly).slice(2)] }),
    change({ cosigners_public_keys: [cosigners[0], cosigners[0]] }),
    change({ cosigners_public_keys: [`04${toHex(owner.xonly)}`] }),
  ];
  for (const text of texts) {
    assert.equal(
      codeOf(() => parseIntentMessage('register', text)),
      'INVALID_INTENT_MESSAGE',
      text,
    );
  }
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => refusesOrAccepts(() => parseIntentMessage('delete', text))),
  );
  fc.assert(
    fc.property(fc.anything(), (value) =>
      refusesOrAccepts(() => parseIntentMessage('register', change({ cosigners_public_keys: value, valid_at: value }))),
    ),
  );
});

test('a message counts from its start to its end, both included', () => {
  const at =
    (now: number, message: IntentMessage = register) =>
    () =>
      checkIntentTime(message, unixSeconds(now));
  const late: IntentMessage = { ...register, validAt: 100, expireAt: 109 };
  // Clocks differ by a little, which no owner minds at the start.
  for (const now of [95, 100, 109]) at(now, late)();
  for (const now of [94, 110]) assert.equal(codeOf(at(now, late)), 'INVALID_INTENT_TIMERANGE');
  at(1_000_000, { ...register, expireAt: 0 })();
  at(0, { type: 'delete', expireAt: 0 })();
  assert.equal(codeOf(at(2, { type: 'delete', expireAt: 1 })), 'INVALID_INTENT_TIMERANGE');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArkErrorName, maybeArkError } from '@arkade-os/sdk';
import { arkError } from '../../../../src/ark/protocol/errors.ts';
import { ARK_ERRORS, printArkError } from '../../../../src/ark/wire/errors.ts';

test('the body of a refusal is the one the clients read', () => {
  assert.deepEqual(printArkError(arkError('INVALID_ARK_PSBT', 'not a PSBT', { tx: 'invalid' })), {
    status: 400,
    body: {
      code: 3,
      message: 'INVALID_ARK_PSBT (1): not a PSBT',
      details: [
        {
          '@type': 'type.googleapis.com/ark.v1.ErrorDetails',
          code: 1,
          name: 'INVALID_ARK_PSBT',
          message: 'INVALID_ARK_PSBT (1): not a PSBT',
          metadata: { tx: 'invalid' },
        },
      ],
    },
  });
});

test('the SDK makes its own error out of every refusal', () => {
  for (const [name, { code }] of Object.entries(ARK_ERRORS)) {
    const { body } = printArkError(arkError(name as keyof typeof ARK_ERRORS, 'because', { why: 'so' }));
    const seen = maybeArkError(new Error(JSON.stringify(body)));
    assert.ok(seen, name);
    assert.deepEqual([seen.code, seen.name, seen.metadata], [code, name, { why: 'so' }]);
  }
});

test('codes are the numbers 0 to 52, each once, and the names those of the SDK', () => {
  const codes = Object.values(ARK_ERRORS).map(({ code }) => code);
  assert.deepEqual(
    codes,
    Array.from({ length: 53 }, (_, i) => i),
  );
  for (const name of Object.values(ArkErrorName)) assert.ok(name in ARK_ERRORS, name);
});

test('statuses follow what kind of refusal it is', () => {
  const statuses = {
    VTXO_ALREADY_REGISTERED: 409,
    TX_NOT_FOUND: 404,
    INTERNAL_ERROR: 500,
    DIGEST_MISMATCH: 400,
  } as const;
  for (const [name, status] of Object.entries(statuses)) {
    assert.equal(printArkError(arkError(name as keyof typeof statuses, '')).status, status, name);
  }
});

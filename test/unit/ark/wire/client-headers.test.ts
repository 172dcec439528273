import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkClient, parseVersion } from '../../../../src/ark/wire/client-headers.ts';
import { ProtocolError } from '../../../../src/base/errors.ts';

const OPEN = { minBuildVersion: '', buildVersionRequired: false, digestRequired: false };

interface Case {
  readonly version?: string;
  readonly digest?: string;
  readonly terms?: Partial<typeof OPEN>;
  readonly silent?: boolean;
}

/** The refusal's code and data, or `served`. */
function outcome({ version, digest, terms, silent = false }: Case): unknown {
  const headers: Readonly<Record<string, string | undefined>> = { 'x-build-version': version, 'x-digest': digest };
  try {
    checkClient((name) => headers[name], { ...OPEN, ...terms }, 'current', silent);
    return 'served';
  } catch (error) {
    assert.ok(error instanceof ProtocolError);
    return [error.code, error.data];
  }
}

const minBuildVersion = '0.9.9';
const required = { minBuildVersion, buildVersionRequired: true };
const tooOld = (client_version: string) => ['BUILD_VERSION_TOO_OLD', { client_version, min_version: minBuildVersion }];
const mismatch = (got_digest: string) => ['DIGEST_MISMATCH', { expected_digest: 'current', got_digest }];

test('versions with a v, without parts, and with a suffix', () => {
  assert.deepEqual(['1.2.3', 'v1.2.3-rc1', '1', '0.10', '1.2.3+build.4'].map(parseVersion), [
    [1, 2, 3],
    [1, 2, 3],
    [1, 0, 0],
    [0, 10, 0],
    [1, 2, 3],
  ]);
  for (const text of ['', 'new', '1.x', '-1', '1..2', '9999999999']) {
    assert.equal(parseVersion(text), undefined, text);
  }
});

test('an older build than the oldest served is refused, part by part and as numbers', () => {
  for (const version of ['0.9.8', '0.8.99', '0.9', '0', 'v0.9.8']) {
    assert.deepEqual(outcome({ version, terms: { minBuildVersion } }), tooOld(version), version);
  }
  for (const version of ['0.9.9', '0.9.10', '0.10.0', '1.0.0', 'v0.9.9-beta']) {
    assert.equal(outcome({ version, terms: { minBuildVersion } }), 'served', version);
  }
});

test('a build that is not told, or not readable, counts only where one is required', () => {
  for (const version of [undefined, '', 'new']) {
    assert.equal(outcome({ ...(version !== undefined && { version }), terms: { minBuildVersion } }), 'served');
    assert.deepEqual(outcome({ ...(version !== undefined && { version }), terms: required }), tooOld(version ?? ''));
  }
});

test('a digest that is told must be the current one; one that is not is fine unless required', () => {
  assert.equal(outcome({ digest: 'current' }), 'served');
  assert.deepEqual(outcome({ digest: 'older' }), mismatch('older'));
  assert.equal(outcome({}), 'served');
  assert.deepEqual(outcome({ terms: { digestRequired: true } }), mismatch(''));
  assert.equal(outcome({ digest: 'current', terms: { digestRequired: true } }), 'served');
});

test('who cannot say anything is not held to it, but what is said counts', () => {
  const terms = { ...required, digestRequired: true };
  assert.equal(outcome({ terms, silent: true }), 'served');
  assert.deepEqual(outcome({ terms, silent: true, digest: 'older' }), mismatch('older'));
  assert.deepEqual(outcome({ terms, silent: true, version: '0.1.0' }), tooOld('0.1.0'));
});

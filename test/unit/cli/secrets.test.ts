import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadSecrets } from '../../../src/cli/secrets.ts';
import { createManualEntropy } from '../../../src/runtime/entropy.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'canalworks-secrets-'));
});
after(() => rm(folder, { recursive: true }));

test('secrets are drawn once and read from then on', () => {
  const first = loadSecrets(folder, createManualEntropy('one'));
  assert.equal(first.seed.length, 32);
  assert.deepEqual(loadSecrets(folder, createManualEntropy('two')), first);
});

test('damaged secrets are refused, neither replaced nor quoted', async () => {
  const path = join(folder, 'secrets.json');
  const whole = await readFile(path, 'utf8');
  for (const text of ['', 'null', '{}', whole.slice(0, -20), whole.replace('"seed":"', '"seed":"zz')]) {
    await writeFile(path, text);
    assert.throws(
      () => loadSecrets(folder, createManualEntropy('three')),
      (error: Error & { code?: string }) =>
        error.code === 'DATA_UNREADABLE' && !/[0-9a-f]{16}/.test(error.message.replace(folder, '')),
    );
    assert.equal(await readFile(path, 'utf8'), text);
  }
});

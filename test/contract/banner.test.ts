/** The banner's snippet is copied and run as it stands, by the published SDK. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startStack } from '../support/stack.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');

test('what the banner says to copy boards the demo coin', async (t) => {
  const stack = await startStack();
  const folder = await mkdtemp(join(tmpdir(), 'canalworks-banner-'));
  t.after(() => rm(folder, { recursive: true }));
  const snippet = /With the Arkade SDK.*\n([\s\S]*?)\n\n/.exec(stack.output().stderr)?.[1];
  assert.ok(snippet);
  await writeFile(join(folder, 'snippet.mjs'), snippet);
  await symlink(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));

  const child = spawn(process.execPath, ['snippet.mjs'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(async () => {
    child.kill();
    await stack.stop();
  });
  let printed = '';
  for await (const text of child.stdout.setEncoding('utf8')) {
    printed += text;
    if (/settled: 100000000\b/.test(printed)) return;
  }
  assert.fail(`the snippet ended without a settled balance: ${printed}`);
});

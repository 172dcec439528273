/** The package as npm users get it: packed, installed elsewhere, run by whatever Node is there. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { oldNode, outsidePath } from '../support/node.ts';
import { startStack } from '../support/stack.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');
const run = promisify(execFile);

let folder: string;
let launcher: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'canalworks-package-'));
  await run('npm', ['pack', '--pack-destination', folder], { cwd: REPOSITORY });
  const [tarball] = (await readdir(folder)).filter((file) => file.endsWith('.tgz'));
  await writeFile(join(folder, 'package.json'), '{"private":true}');
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, tarball!)], { cwd: folder });
  launcher = join(folder, 'node_modules', 'canalworks', 'bin', 'canalworks.js');
});
after(() => rm(folder, { recursive: true, force: true }));

test('the package holds what it runs and nothing else', async () => {
  const entries = await readdir(join(folder, 'node_modules', 'canalworks'));
  const expected = ['LICENSE', 'bin', 'dist', 'package.json'];
  assert.deepEqual(
    entries.filter((entry) => !entry.endsWith('.md')),
    expected,
  );
});

test('npx canalworks answers', async () => {
  const { stdout } = await run('npx', ['--no-install', 'canalworks', '--version'], {
    cwd: folder,
    env: { ...process.env, PATH: outsidePath() },
  });
  assert.match(stdout, /^[0-9]+\.[0-9]+\.[0-9]+\n$/);
});

test('it runs the whole stack, started by this Node or by an old one', async () => {
  const nodes = [process.execPath, await oldNode()].filter((node) => node !== undefined);
  for (const node of nodes) {
    const stack = await startStack([], { launcher, node, env: { PATH: outsidePath() } });
    assert.equal((await fetch(`${stack.ready.ark.url}/v1/info`)).status, 200);
    assert.equal((await stack.stop()).code, 0);
  }
});

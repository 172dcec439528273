/** The package as npm users get it: packed, installed elsewhere, run by whatever Node is there. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { call } from '../../src/cli/remote.ts';
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

test('programs import the client, with its types', async () => {
  const program = `import { FINDINGS, type ChainSource, createEsploraSource } from 'canalworks/ark/client';
import { openFileRecords } from 'canalworks/records/file';
const source: ChainSource = createEsploraSource(fetch, '', 'regtest');
// @ts-expect-error: there is no such network
createEsploraSource(fetch, '', 'moon');
console.log(typeof source.tip, typeof openFileRecords, FINDINGS.SWEPT);
`;
  await writeFile(join(folder, 'program.mts'), program);
  const compiler = join(REPOSITORY, 'node_modules', 'typescript', 'bin', 'tsc');
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--lib', 'es2024,dom'];
  const modules = ['--module', 'nodenext', '--skipLibCheck', 'false', '--types', ''];
  await run(process.execPath, [compiler, ...strict, ...modules, 'program.mts'], { cwd: folder });
  const { stdout } = await run(process.execPath, ['program.mjs'], { cwd: folder });
  assert.equal(stdout, 'function function fatal\n');
});

test('the example of docs/ark-client.md runs', async () => {
  const text = await readFile(join(REPOSITORY, 'docs', 'ark-client.md'), 'utf8');
  await writeFile(join(folder, 'example.mjs'), /```js\n(.*?)```/s.exec(text)![1]!);
  const stack = await startStack(['--session-duration', '6'], { launcher });
  try {
    const { ark, chain } = stack.ready;
    const { notes } = await call<{ notes: string[] }>(stack.ready, `${ark.adminUrl}/v1/admin/note`, { amount: 40_000 });
    const { stdout } = await run(process.execPath, ['example.mjs', ark.url, chain.esplora, notes[0]!], { cwd: folder });
    assert.match(stdout, /advice: 'none'.*net: 3[0-9]+n,\s+blocks: 1/s);
  } finally {
    await stack.stop();
  }
});

test('it runs the whole stack, started by this Node or by an old one', async () => {
  const nodes = [process.execPath, await oldNode()].filter((node) => node !== undefined);
  for (const node of nodes) {
    const stack = await startStack([], { launcher, node, env: { PATH: outsidePath() } });
    assert.equal((await fetch(`${stack.ready.ark.url}/v1/info`)).status, 200);
    assert.equal((await stack.stop()).code, 0);
  }
});

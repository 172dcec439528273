/** Records in memory and in a file: what is written is there, whole, also for the next process. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createMemoryRecords, type Records } from '../../src/base/records.ts';
import { openFileRecords } from '../../src/store/file-records.ts';

const folder = mkdtempSync(join(tmpdir(), 'canalworks-records-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const fresh = (): string => join(folder, `${++files}.jsonl`);
const changes = (record: Readonly<Record<string, string | undefined>>) => new Map(Object.entries(record));
const all = async (records: Records): Promise<unknown> =>
  Promise.all([...(await records.names(''))].sort().map(async (name) => [name, await records.read(name)]));

const PLACES: Readonly<Record<string, () => Promise<Records & { close?(): Promise<void> }>>> = {
  memory: async () => createMemoryRecords(),
  'a file': () => openFileRecords(fresh()),
};

for (const [place, open] of Object.entries(PLACES)) {
  test(`${place}: read, name, overwrite, remove`, async () => {
    const records = await open();
    assert.equal(await records.read('a/1'), undefined);
    await records.write(changes({ 'a/1': 'one', 'a/2': 'two\nlines', b: '{"ü":1}' }));
    await records.write(changes({ 'a/1': 'uno', b: undefined, never: undefined }));
    assert.deepEqual(await all(records), [
      ['a/1', 'uno'],
      ['a/2', 'two\nlines'],
    ]);
    assert.deepEqual((await records.names('a/')).length, 2);
    assert.deepEqual(await records.names('b'), []);
    await records.close?.();
  });
}

test('a file is there for the next process, for nobody else, and without what was overwritten', async () => {
  const path = fresh();
  const first = await openFileRecords(path);
  await Promise.all(['1', '2', '3'].map((value) => first.write(changes({ a: value, [value]: value }))));
  await first.close();
  assert.equal((await readFile(path, 'utf8')).split('\n').length, 4);
  const second = await openFileRecords(path);
  assert.deepEqual(await all(second), [
    ['1', '1'],
    ['2', '2'],
    ['3', '3'],
    ['a', '3'],
  ]);
  await second.close();
  assert.equal((await readFile(path, 'utf8')).split('\n').length, 2);
  assert.equal((await stat(path)).mode & 0o077, 0);
});

test('a crash in the middle of a write loses that write and no other', async () => {
  const path = fresh();
  const first = await openFileRecords(path);
  await first.write(changes({ a: '1', b: '1' }));
  const { size } = await stat(path);
  await first.write(changes({ a: '2', b: '2' }));
  await first.close();
  const whole = await stat(path);
  for (let cut = size + 1; cut < whole.size; cut += 3) {
    const copy = fresh();
    await writeFile(copy, await readFile(path));
    await truncate(copy, cut);
    const next = await openFileRecords(copy);
    assert.deepEqual(await all(next), [
      ['a', '1'],
      ['b', '1'],
    ]);
    await next.write(changes({ c: '3' }));
    await next.close();
    const last = await openFileRecords(copy);
    assert.deepEqual(await all(last), [
      ['a', '1'],
      ['b', '1'],
      ['c', '3'],
    ]);
    await last.close();
  }
});

test('a file that is none of ours is left as it is', async () => {
  const path = fresh();
  await appendFile(path, 'a diary\n');
  await assert.rejects(openFileRecords(path));
  assert.equal(await readFile(path, 'utf8'), 'a diary\n');
});

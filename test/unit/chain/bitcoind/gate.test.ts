import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createGate } from '../../../../src/chain/bitcoind/gate.ts';

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('readers share, writers are alone, and nobody waits for ever', async () => {
  const gate = createGate();
  let readers = 0;
  let writers = 0;
  let mostReaders = 0;
  const read = () =>
    gate.read(async () => {
      mostReaders = Math.max(mostReaders, ++readers);
      assert.equal(writers, 0);
      await pause();
      assert.equal(writers, 0);
      readers--;
    });
  const write = () =>
    gate.write(async () => {
      writers++;
      assert.deepEqual([readers, writers], [0, 1]);
      await pause();
      assert.deepEqual([readers, writers], [0, 1]);
      writers--;
    });
  const works: Promise<unknown>[] = [];
  for (let i = 0; i < 60; i++) {
    works.push(i % 7 === 3 ? write() : read());
    if (i % 5 === 0) await pause();
  }
  await Promise.all(works);
  assert.ok(mostReaders > 1);
});

test('a failure is passed on and leaves the gate open', async () => {
  const gate = createGate();
  const fail = async (): Promise<never> => {
    throw new RangeError('no');
  };
  await assert.rejects(gate.read(fail), RangeError);
  await assert.rejects(gate.write(fail), RangeError);
  assert.equal(await gate.read(async () => 1), 1);
  assert.equal(await gate.write(async () => 2), 2);
  assert.equal(await gate.read(async () => 3), 3);
});

test('who asks after a writer sees what it wrote', async () => {
  const gate = createGate();
  let value = 'old';
  const first = gate.read(async () => {
    await pause();
    return value;
  });
  const written = gate.write(async () => {
    await pause();
    value = 'new';
  });
  const second = gate.read(async () => value);
  assert.deepEqual(await Promise.all([first, second]), ['old', 'new']);
  await written;
});

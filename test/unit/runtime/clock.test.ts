import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock, systemClock } from '../../../src/runtime/clock.ts';

test('a manual clock fires due timers in order of time, each at its own time', async () => {
  const clock = createManualClock(1_000);
  const fired: [string, number][] = [];
  const note = (name: string) => () => fired.push([name, clock.now()]);
  clock.setTimer(30, note('c'));
  clock.setTimer(10, note('a'));
  clock.setTimer(20, note('b'));
  await clock.advance(25);
  assert.deepEqual(fired, [
    ['a', 1_010],
    ['b', 1_020],
  ]);
  assert.equal(clock.now(), 1_025);
});

test('a timer set by a timer fires within the same advance, after promises have settled', async () => {
  const clock = createManualClock();
  let beats = 0;
  const beat = (): void => {
    clock.setTimer(10, async () => {
      await Promise.resolve();
      beats++;
      beat();
    });
  };
  beat();
  await clock.advance(55);
  assert.equal(beats, 5);
});

test('a cancelled timer never fires, on either clock', async () => {
  const manual = createManualClock();
  manual.setTimer(1, () => assert.fail())();
  await manual.advance(10);
  systemClock.setTimer(1, () => assert.fail())();
  await new Promise((resolve) => setTimeout(resolve, 10));
});

test('the system clock keeps waits that Node would cut short', async () => {
  const cancel = systemClock.setTimer(2 ** 31 + 1_000, () => assert.fail());
  await new Promise((resolve) => setTimeout(resolve, 10));
  cancel();
  await new Promise<void>((resolve) => systemClock.setTimer(1, resolve));
});

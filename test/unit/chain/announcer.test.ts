import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAnnouncer } from '../../../src/chain/announcer.ts';

test('everybody hears everything in one order, even what a listener causes', () => {
  const faults: unknown[] = [];
  const { announce, subscribe } = createAnnouncer<number>((error) => faults.push(error));
  const heard: string[] = [];
  const stop = subscribe((n) => {
    heard.push(`a${n}`);
    if (n === 1) announce(2);
    if (n === 2) throw new Error('broken');
  });
  subscribe((n) => heard.push(`b${n}`));
  announce(1);
  assert.deepEqual(heard, ['a1', 'b1', 'a2', 'b2']);
  assert.equal(faults.length, 1);
  stop();
  announce(3);
  assert.deepEqual(heard.slice(4), ['b3']);
});

test('one function subscribed twice hears twice, until each subscription ends', () => {
  const { announce, subscribe } = createAnnouncer<number>((error) => assert.fail(String(error)));
  let count = 0;
  const listener = () => {
    count++;
  };
  const stop = subscribe(listener);
  subscribe(listener);
  announce(1);
  stop();
  stop();
  announce(1);
  assert.equal(count, 3);
});

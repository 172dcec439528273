import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createMailbox } from '../../../src/runtime/mailbox.ts';

test('work of one key runs in order and alone; another key does not wait', async () => {
  const mailbox = createMailbox();
  const seen: string[] = [];
  const slow = (name: string) => async () => {
    seen.push(`${name} begins`);
    await turn();
    seen.push(`${name} ends`);
    return name;
  };
  const results = await Promise.all([
    mailbox.run('a', slow('a1')),
    mailbox.run('a', slow('a2')),
    mailbox.run('b', async () => seen.push('b')),
  ]);
  assert.deepEqual(results.slice(0, 2), ['a1', 'a2']);
  assert.deepEqual(
    seen.filter((line) => line.startsWith('a')),
    ['a1 begins', 'a1 ends', 'a2 begins', 'a2 ends'],
  );
  assert.ok(seen.indexOf('b') < seen.indexOf('a1 ends'));
});

test('a failure reaches its caller and nobody else', async () => {
  const mailbox = createMailbox();
  const failed = mailbox.run('a', () => Promise.reject(new Error('no')));
  const next = mailbox.run('a', async () => 'fine');
  await assert.rejects(failed, { message: 'no' });
  assert.equal(await next, 'fine');
});

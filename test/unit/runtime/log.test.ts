import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../../../src/runtime/log.ts';

test('a log writes one JSON line per event at its level and hides secrets at any depth it promises', () => {
  const lines: string[] = [];
  const log = createLog('info', { write: (line) => lines.push(line) });
  log.debug('unseen');
  log
    .child({ part: 'ark' })
    .info({ mnemonic: 'abandon', keys: { secret: 'k1', public: 'p1' }, a: { b: { token: 't1' } } }, 'hello');
  assert.equal(lines.length, 1);
  const event = JSON.parse(lines[0]!);
  assert.equal(event.msg, 'hello');
  assert.equal(event.part, 'ark');
  assert.equal(event.keys.public, 'p1');
  assert.doesNotMatch(lines[0]!, /abandon|k1|t1/);
});

test('an error is logged with its sentence, code, stack and cause, and without what hangs on it', () => {
  const lines: string[] = [];
  const log = createLog('info', { write: (line) => lines.push(line) });
  const cause = Object.assign(new Error('Failing row contains'), { detail: 'row of secrets' });
  const error = Object.assign(new Error('no', { cause }), {
    code: 'X',
    data: { reason: 'short', proof: 'p'.repeat(300) },
    parameters: ['hidden'],
  });
  log.error({ err: error }, 'failed');
  log.error({ err: 'thrown text' }, 'failed');
  const { err } = JSON.parse(lines[0]!);
  assert.deepEqual([err.type, err.message, err.code, err.data], ['Error', 'no', 'X', { reason: 'short' }]);
  assert.match(err.stack, /log\.test/);
  assert.equal(err.cause.message, 'Failing row contains');
  assert.doesNotMatch(lines[0]!, /hidden|secrets|ppp/);
  assert.equal(JSON.parse(lines[1]!).err, 'thrown text');
});

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

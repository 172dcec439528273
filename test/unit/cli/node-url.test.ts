import assert from 'node:assert/strict';
import { test } from 'node:test';
import { localNode, parseNodeUrl } from '../../../src/cli/node-url.ts';

test('a node is named by a URL, with its credentials or without', () => {
  assert.deepEqual(parseNodeUrl('http://u:p@node:18443'), {
    url: 'http://node:18443',
    credentials: { user: 'u', password: 'p' },
  });
  assert.deepEqual(parseNodeUrl('https://u%40x:p%3Aw%2F@[::1]:8332/').credentials, { user: 'u@x', password: 'p:w/' });
  assert.deepEqual(parseNodeUrl('http://127.0.0.1:8332'), { url: 'http://127.0.0.1:8332' });
});

test('what is no such URL is refused without being repeated', () => {
  for (const text of [
    '',
    'node:8332',
    'u:secret@node',
    'ws://u:secret@h',
    'http://u:secret@h/wallet/x',
    'http://secret@h/?a',
  ]) {
    assert.throws(
      () => parseNodeUrl(text),
      (error) => error instanceof RangeError && !error.message.includes('secret'),
    );
  }
});

test('each network has its port on this machine', () => {
  const ports = (['mainnet', 'testnet', 'signet', 'regtest'] as const).map(
    (network) => new URL(localNode(network).url).port,
  );
  assert.deepEqual(ports, ['8332', '18332', '38332', '18443']);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Extension } from '../../../../src/ark/protocol/extension.ts';
import { parseTxFilter } from '../../../../src/ark/protocol/tx-filter.ts';
import { fromHex } from '../../../../src/base/bytes.ts';

const NONE = undefined;
const ONE: Extension = [{ type: 1, data: fromHex('deadbeef') }];
const TWO: Extension = [
  { type: 0, data: fromHex('01') },
  { type: 0x42, data: fromHex('ff') },
];

test('a filter speaks of the packets of an extension', () => {
  const holds: Record<string, readonly [none: boolean, one: boolean, two: boolean]> = {
    true: [true, true, true],
    false: [false, false, false],
    'has(tx.extension)': [false, true, true],
    '!has(tx.extension)': [true, false, false],
    'hasPacket(tx.extension, 1)': [false, true, false],
    'has(tx.extension) && hasPacket(tx.extension, 0x42)': [false, false, true],
    'hasPacket(tx.extension, 1) || hasPacket(tx.extension, 0)': [false, true, true],
    "tx.extension[1] == 'deadbeef'": [false, true, false],
    'size(tx.extension) > 1': [false, false, true],
    '66 in tx.extension': [false, false, true],
    'tx.extension.exists(type, type < 2)': [false, true, true],
    "tx.extension[1].startsWith('dead')": [false, true, false],
  };
  for (const [expression, expected] of Object.entries(holds)) {
    const filter = parseTxFilter(expression);
    assert.deepEqual([NONE, ONE, TWO].map(filter.matches), expected, expression);
  }
});

test('what is no filter is refused when it is set, not when a payment passes', () => {
  const refused = [
    '',
    '&& x',
    'has(',
    '42',
    "'text'",
    'tx',
    'tx.extension',
    'unknown',
    'unknown == 1',
    'has(tx.unknown)',
    'tx.unknown == 1',
    'hasPacket(tx.extension)',
    'hasPacket(42, 1)',
    "hasPacket(tx.extension, 'x')",
    'hasPacket(tx, 1)',
    'tx.extension[1] == 5',
  ];
  for (const expression of refused) {
    assert.throws(() => parseTxFilter(expression), { code: 'INVALID_TX_FILTER', data: { expression } }, expression);
  }
});

test('what could take long is refused', () => {
  const numbers = Array.from({ length: 33 }, (_, i) => i).join();
  const refused = [
    "tx.extension[1].matches('(a+)+$')",
    "has(tx.extension) && ('a' + tx.extension[1]).matches('b')",
    '[1, 2].all(x, [1, 2].all(y, x == y))',
    '[1].exists(x, [2].map(y, y).exists(z, z == x))',
    'tx.extension.exists(a, tx.extension.exists(b, a == b))',
    `1 in [${numbers}]`,
    Array(40).fill('true').join(' && '),
    `${'('.repeat(200)}true${')'.repeat(200)}`,
    `tx.extension[1] == '${'a'.repeat(1_000)}'`,
  ];
  for (const expression of refused)
    assert.throws(() => parseTxFilter(expression), { code: 'INVALID_TX_FILTER' }, expression);
});

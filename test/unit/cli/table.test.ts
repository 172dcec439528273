import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grouped, list, table, when } from '../../../src/cli/table.ts';

test('columns are as wide as their widest cell, numbers stand to the right', () => {
  assert.equal(
    table(
      ['name', 'satoshi', 'note'],
      [
        ['a', '1,000', 'first'],
        ['longer', '5', ''],
      ],
    ),
    'name    satoshi  note\na         1,000  first\nlonger        5\n',
  );
  assert.equal(table(['name'], []), 'none\n');
});

test('a list puts values under each other', () => {
  assert.equal(
    list([
      ['a', '1'],
      ['longer', 'two'],
    ]),
    'a       1\nlonger  two\n',
  );
});

test('digits in groups of three, times in UTC', () => {
  assert.deepEqual(['0', '999', '1000', '1234567', '-1234'].map(grouped), ['0', '999', '1,000', '1,234,567', '-1,234']);
  assert.equal(when('1893456000'), '2030-01-01 00:00:00');
  assert.equal(when(0), '');
});

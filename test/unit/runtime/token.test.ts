import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSameToken } from '../../../src/runtime/token.ts';

test('only the whole token is the token', () => {
  assert.equal(isSameToken('abc', 'abc'), true);
  for (const wrong of ['', 'ab', 'abcd', 'ABC', 'abc ']) assert.equal(isSameToken(wrong, 'abc'), false, wrong);
});

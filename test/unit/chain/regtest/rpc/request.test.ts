import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createDispatch } from '../../../../../src/chain/regtest/rpc/dispatch.ts';
import { RpcError } from '../../../../../src/chain/regtest/rpc/error.ts';
import { btcJson, type Json, JsonNumber, kindOf, parseJson } from '../../../../../src/chain/regtest/rpc/json.ts';
import { method } from '../../../../../src/chain/regtest/rpc/method.ts';
import { parseBody, replyTo } from '../../../../../src/chain/regtest/rpc/request.ts';
import { RPC_ERROR } from '../../../../../src/chain/rpc-error.ts';

const RUNS = 2_000;

const echo = method('echo first [second|zweites]', 'Says what it was told.', (args) => [
  args.raw('first'),
  args.raw('second'),
]);
const read = method('read kind value', 'Reads a value as a kind.', (args) => {
  switch (args.string('kind')) {
    case 'int':
      return args.int('value');
    case 'amount':
      return btcJson(args.amount('value'));
    case 'hash':
      return args.hash('value');
    case 'bool':
      return args.bool('value', false);
    case 'verbosity':
      return args.verbosity('value', 1);
    case 'array':
      return args.array('value');
    default:
      return args.string('value');
  }
});
const broken = method('broken', 'Fails in a way that nobody foresaw.', () => {
  throw new Error('a secret');
});

function dispatcher() {
  const faults: unknown[] = [];
  return { faults, dispatch: createDispatch([echo, read, broken], (error) => faults.push(error)) };
}

interface Replied {
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string } | null;
}

async function codeOf(kind: string, value: string): Promise<number | undefined> {
  const { dispatch, faults } = dispatcher();
  const answer = await dispatch(`{"id":1,"method":"read","params":["${kind}",${value}]}`);
  assert.deepEqual(faults, []);
  return (answer.body as Replied).error?.code;
}

async function printed(kind: string, value: string): Promise<string> {
  const { dispatch } = dispatcher();
  const answer = await dispatch(`{"id":1,"method":"read","params":["${kind}",${value}]}`);
  return JSON.stringify((answer.body as Replied).result);
}

test('numbers keep their digits on the way in and out', () => {
  for (const text of ['1.50', '-0', '1e400', '0.10000000', '123456789012345678901234567890']) {
    assert.equal(JSON.stringify(parseJson(text)), text);
  }
  assert.equal(JSON.stringify({ value: btcJson(2_099_999_999_999_999n) }), '{"value":20999999.99999999}');
  assert.equal(kindOf(parseJson('1')), 'number');
  assert.equal(kindOf(parseJson('{"a":1}')), 'object');
});

test('amounts are exact, however they are spelled', async () => {
  for (const [text, value] of [
    ['0.1', '0.10000000'],
    ['"0.1"', '0.10000000'],
    ['20999999.99999999', '20999999.99999999'],
    ['1e-8', '0.00000001'],
    ['1.5E+1', '15.00000000'],
    ['0', '0.00000000'],
    ['1.100000000000', '1.10000000'],
  ] as const) {
    assert.equal(await printed('amount', text), value);
  }
  for (const text of ['-1', '21000000.00000001', '0.000000001', '"abc"', 'true', '{}', '1e400', '"1e-400"']) {
    assert.equal(await codeOf('amount', text), RPC_ERROR.type, text);
  }
});

test('integers, hashes, flags and verbosities are checked', async () => {
  assert.equal(await printed('int', '-5'), '-5');
  for (const text of ['1.5', '2147483648', '1e3', '-2147483649'])
    assert.equal(await codeOf('int', text), RPC_ERROR.misc);
  assert.equal(await codeOf('int', '"5"'), RPC_ERROR.type);
  assert.equal(await printed('hash', `"${'AB'.repeat(32)}"`), `"${'ab'.repeat(32)}"`);
  for (const text of ['"ab"', `"${'zz'.repeat(32)}"`])
    assert.equal(await codeOf('hash', text), RPC_ERROR.invalidParameter);
  assert.equal(await codeOf('hash', '5'), RPC_ERROR.type);
  assert.equal(await printed('bool', 'true'), 'true');
  assert.equal(await codeOf('bool', '1'), RPC_ERROR.type);
  assert.equal(await printed('verbosity', 'true'), '1');
  assert.equal(await codeOf('verbosity', '[]'), RPC_ERROR.type);
  assert.equal(await codeOf('array', '{}'), RPC_ERROR.type);
});

test('parameters come by position, by name, by an old name, or as both', async () => {
  const { dispatch } = dispatcher();
  const call = async (params: string): Promise<string> => {
    const { body } = await dispatch(`{"id":1,"method":"echo","params":${params}}`);
    const { result, error } = body as Replied;
    return error ? String(error.code) : JSON.stringify(result);
  };
  assert.equal(await call('[1,2]'), '[1,2]');
  assert.equal(await call('[1]'), '[1,null]');
  assert.equal(await call('{"second":2,"first":1}'), '[1,2]');
  assert.equal(await call('{"first":1,"zweites":2}'), '[1,2]');
  assert.equal(await call('{"args":[1],"second":2}'), '[1,2]');
  assert.equal(await call('{"args":[1],"first":2}'), String(RPC_ERROR.invalidParameter));
  assert.equal(await call('{"first":1,"third":2}'), String(RPC_ERROR.invalidParameter));
  assert.equal(await call('{"__proto__":1,"first":1}'), String(RPC_ERROR.invalidParameter));
  assert.equal(await call('[]'), String(RPC_ERROR.misc));
  assert.equal(await call('[1,2,3]'), String(RPC_ERROR.misc));
});

test('an unforeseen error is told to the log and not to the caller', async () => {
  const { dispatch, faults } = dispatcher();
  const { status, body } = await dispatch('{"id":1,"method":"broken"}');
  assert.equal(status, 500);
  assert.equal((body as Replied).error?.code, RPC_ERROR.internal);
  assert.doesNotMatch(JSON.stringify(body), /secret/);
  assert.equal(faults.length, 1);
});

test('nesting that no stack can hold is a parse error', async () => {
  const { dispatch, faults } = dispatcher();
  for (const text of ['['.repeat(300_000) + ']'.repeat(300_000), '{"a":'.repeat(300_000)]) {
    const { status, body } = await dispatch(text);
    assert.equal(status, 500);
    assert.equal((body as Replied).error?.code, RPC_ERROR.parse);
  }
  const call = (depth: number): string =>
    `{"id":${'['.repeat(depth)}${']'.repeat(depth)},"method":"echo","params":[1]}`;
  assert.equal((await dispatch(call(500))).status, 200);
  assert.equal(((await dispatch(call(513))).body as Replied).error?.code, RPC_ERROR.parse);
  assert.deepEqual(faults, []);
});

/** What an answer must be, whatever was asked. */
async function checkAnswer(text: string): Promise<void> {
  const { dispatch, faults } = dispatcher();
  const { status, body } = await dispatch(text);
  assert.deepEqual(faults, []);
  if (status === 204) return assert.equal(body, undefined);
  const replies: readonly Replied[] = Array.isArray(body) ? body : [body];
  for (const { result, error } of replies) {
    assert.ok((result ?? null) === null || (error ?? null) === null);
    if (error) assert.ok(Number.isInteger(error.code) && error.code < 0 && error.message.length > 0);
  }
  parseJson(JSON.stringify(body));
}

test('any text is answered', async () => {
  await fc.assert(fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 200 }), checkAnswer), { numRuns: RUNS });
});

test('any JSON is answered', async () => {
  await fc.assert(fc.asyncProperty(fc.json({ maxDepth: 5 }), checkAnswer), { numRuns: RUNS });
});

const requestLike = fc.record(
  {
    jsonrpc: fc.oneof(fc.constantFrom('1.0', '1.1', '2.0', '3.0'), fc.jsonValue()),
    id: fc.jsonValue(),
    method: fc.oneof(fc.constantFrom('echo', 'read', 'nope', 'toString', '__proto__'), fc.jsonValue()),
    params: fc.oneof(
      fc.array(fc.jsonValue(), { maxLength: 4 }),
      fc.tuple(
        fc.constantFrom('int', 'amount', 'hash', 'bool', 'verbosity', 'array', 'string'),
        fc.oneof(
          fc.jsonValue(),
          fc.double(),
          fc.string({ unit: fc.constantFrom(...'0123456789.-+eE'), maxLength: 12 }),
        ),
      ),
      fc.dictionary(fc.constantFrom('first', 'second', 'zweites', 'args', 'kind', 'value', 'x'), fc.jsonValue()),
      fc.jsonValue(),
    ),
  },
  { requiredKeys: [] },
);

test('anything like a request is answered, alone and in batches', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(requestLike, fc.array(requestLike, { maxLength: 4 })), (body) =>
      checkAnswer(JSON.stringify(body)),
    ),
    { numRuns: RUNS },
  );
});

test('a request cut or changed anywhere is answered', async () => {
  const whole =
    '[{"jsonrpc":"2.0","id":7,"method":"read","params":["amount",1.5e1]},{"id":"x","method":"echo","params":{"first":[]}}]';
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length), fc.nat(whole.length), fc.string({ maxLength: 3 }), (from, to, insert) =>
      checkAnswer(whole.slice(0, from) + insert + whole.slice(to)),
    ),
    { numRuns: RUNS },
  );
});

test('what a body says survives printing', () => {
  fc.assert(
    fc.property(requestLike, (value) => {
      const text = JSON.stringify(value);
      const [parsed] = parseBody(text).requests;
      const { id } = parseJson(text) as { readonly id?: Json };
      assert.equal(JSON.stringify(parsed!.id), JSON.stringify(id));
      const reply = replyTo(parsed!, new RpcError('misc', 'no'));
      assert.equal('id' in reply, id !== undefined);
    }),
    { numRuns: RUNS },
  );
  assert.ok(parseJson('1') instanceof JsonNumber);
});

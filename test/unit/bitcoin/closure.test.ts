import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CLTVMultisigTapscript,
  ConditionCSVMultisigTapscript,
  ConditionMultisigTapscript,
  CSVMultisigTapscript,
  decodeTapscript,
  MultisigTapscript,
} from '@arkade-os/sdk';
import fc from 'fast-check';
import { type Bytes, concat, fromHex, toHex } from '../../../src/base/bytes.ts';
import { type Closure, closureWitness, encodeClosure, parseClosure } from '../../../src/bitcoin/closure.ts';
import { OP, push, script } from '../../../src/bitcoin/script.ts';
import { noble } from '../../../src/crypto/noble.ts';

const keyOf = (scalar: number): Bytes =>
  noble.publicKey(Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? scalar : 0))).slice(1);
const KEYS = [1, 2, 3, 4].map(keyOf);
const [alice, bob] = KEYS as [Bytes, Bytes];

const keys = fc.integer({ min: 1, max: 4 }).map((n) => KEYS.slice(0, n));
const form = fc.constantFrom('checksig' as const, 'checksigadd' as const);
const timelock = fc.oneof(
  fc.integer({ min: 1, max: 0xffff }).map((value) => ({ type: 'blocks' as const, value })),
  fc.integer({ min: 1, max: 0xffff }).map((units) => ({ type: 'seconds' as const, value: units * 512 })),
);
const locktime = fc.integer({ min: 1, max: 0xffffffff });
const condition = fc.constantFrom(
  script(OP.HASH160, push(new Uint8Array(20).fill(7)), OP.EQUAL),
  script(OP.SHA256, push(new Uint8Array(32).fill(7)), OP.EQUAL),
  script(0x82, push(Uint8Array.of(32)), OP.EQUALVERIFY, OP.SHA256, push(new Uint8Array(32)), OP.EQUAL),
  script(OP.DUP, OP.VERIFY, OP.HASH160, push(new Uint8Array(20)), OP.EQUAL),
  new Uint8Array(0),
);
const plain = { noNullPrototype: true } as const;
const closure: fc.Arbitrary<Closure> = fc.oneof(
  fc.record({ kind: fc.constant('multisig' as const), keys, form }, plain),
  fc.record({ kind: fc.constant('csv' as const), keys, form, timelock }, plain),
  fc.record({ kind: fc.constant('cltv' as const), keys, form, locktime }, plain),
  fc.record({ kind: fc.constant('condition' as const), keys, form, condition }, plain),
  fc.record({ kind: fc.constant('condition-csv' as const), keys, form, condition, timelock }, plain),
);

test('every closure comes back from its script', () => {
  fc.assert(fc.property(closure, (value) => assert.deepEqual(parseClosure(encodeClosure(value)), value)));
});

test('whatever parses encodes to the same bytes, and nothing throws', () => {
  const near = fc.tuple(closure, fc.nat(), fc.nat(255)).map(([value, at, byte]) => {
    const bytes = Uint8Array.from(encodeClosure(value));
    bytes[at % bytes.length] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 120 })), (bytes) => {
      const parsed = parseClosure(bytes);
      if (parsed) assert.deepEqual(encodeClosure(parsed), bytes);
    }),
    { numRuns: 2000 },
  );
});

test('the SDK encodes the same scripts', () => {
  const pubkeys = [alice, bob];
  const sdkTimelock = { type: 'seconds' as const, value: 86528n };
  const conditionScript = script(OP.HASH160, push(new Uint8Array(20).fill(7)), OP.EQUAL);
  const multi = { keys: pubkeys, form: 'checksig' as const };
  const cases: readonly (readonly [Uint8Array, Closure])[] = [
    [MultisigTapscript.encode({ pubkeys }).script, { kind: 'multisig', ...multi }],
    [
      MultisigTapscript.encode({ pubkeys, type: MultisigTapscript.MultisigType.CHECKSIGADD }).script,
      { kind: 'multisig', keys: pubkeys, form: 'checksigadd' },
    ],
    [
      CSVMultisigTapscript.encode({ pubkeys, timelock: sdkTimelock }).script,
      { kind: 'csv', timelock: { type: 'seconds', value: 86528 }, ...multi },
    ],
    ...[1, 16, 17, 127, 128, 144, 511, 0x7fff, 0xffff].map(
      (value) =>
        [
          CSVMultisigTapscript.encode({ pubkeys, timelock: { type: 'blocks', value: BigInt(value) } }).script,
          { kind: 'csv', timelock: { type: 'blocks', value }, ...multi },
        ] as const,
    ),
    ...[1, 16, 17, 1000, 499_999_999, 1_700_000_000, 0x80000000].map(
      (value) =>
        [
          CLTVMultisigTapscript.encode({ pubkeys, absoluteTimelock: BigInt(value) }).script,
          { kind: 'cltv', locktime: value, ...multi },
        ] as const,
    ),
    [
      ConditionMultisigTapscript.encode({ pubkeys, conditionScript }).script,
      { kind: 'condition', condition: conditionScript, ...multi },
    ],
    [
      ConditionCSVMultisigTapscript.encode({ pubkeys, conditionScript, timelock: sdkTimelock }).script,
      { kind: 'condition-csv', condition: conditionScript, timelock: { type: 'seconds', value: 86528 }, ...multi },
    ],
  ];
  for (const [bytes, value] of cases) {
    assert.deepEqual(parseClosure(Uint8Array.from(bytes)), value, toHex(bytes));
    assert.equal(decodeTapscript(encodeClosure(value)).script.length, bytes.length);
  }
});

const tail = encodeClosure({ kind: 'multisig', keys: [alice], form: 'checksig' });

test('a script that says the same in other bytes is no closure', () => {
  const cases = {
    empty: new Uint8Array(0),
    'a delay that OP_1 … OP_16 could write': concat(fromHex('0105b275'), tail),
    'a padded delay': concat(fromHex('021400b275'), tail),
    'no delay at all': concat(fromHex('00b275'), tail),
    'a delay with meaningless bits': concat(fromHex('03140001b275'), tail),
    'a disabled delay': concat(fromHex('051400008000b275'), tail),
    'a negative locktime': concat(fromHex('0181b175'), tail),
    'a key pushed with PUSHDATA1': concat(Uint8Array.of(OP.PUSHDATA1, 32), alice, Uint8Array.of(OP.CHECKSIG)),
    'a key of 33 bytes': script(push(concat(Uint8Array.of(2), alice)), OP.CHECKSIG),
    'CHECKSIGVERIFY last': script(push(alice), OP.CHECKSIGVERIFY),
    'fewer signatures than keys': script(push(alice), OP.CHECKSIG, push(bob), OP.CHECKSIGADD, 0x51, OP.NUMEQUAL),
    'something after it': concat(tail, Uint8Array.of(0x61)),
    'a lock inside a lock': concat(fromHex('0114b275'), fromHex('0114b275'), tail),
    'cut off': tail.slice(0, 20),
  };
  for (const [name, bytes] of Object.entries(cases)) assert.equal(parseClosure(bytes), undefined, name);
});

test('a condition may not look at the transaction, at the signatures, or free the leaf', () => {
  const withCondition = (...code: (number | Bytes)[]): Bytes => script(...code, OP.VERIFY, tail);
  assert.equal(parseClosure(withCondition(0x51))?.kind, 'condition');
  const forbidden = {
    OP_SUCCESS: 0x50,
    OP_CAT: 0x7e,
    OP_CODESEPARATOR: 0xab,
    OP_CHECKSIG: OP.CHECKSIG,
    OP_CHECKSIGADD: OP.CHECKSIGADD,
    OP_DEPTH: 0x74,
    OP_CHECKSEQUENCEVERIFY: OP.CHECKSEQUENCEVERIFY,
    OP_CHECKLOCKTIMEVERIFY: OP.CHECKLOCKTIMEVERIFY,
    OP_NOP4: 0xb3,
    OP_RETURN: OP.RETURN,
  };
  for (const [name, op] of Object.entries(forbidden)) {
    assert.equal(parseClosure(withCondition(op, 0x51)), undefined, name);
  }
});

test('a witness has the last key first, then the condition', () => {
  const value: Closure = {
    kind: 'condition',
    keys: [alice, bob],
    form: 'checksig',
    condition: script(OP.SHA256, push(new Uint8Array(32)), OP.EQUAL),
  };
  const controlBlock = new Uint8Array(33).fill(1);
  const preimage = new Uint8Array(32).fill(9);
  const signatureOf = (key: Bytes): Bytes => new Uint8Array(64).fill(key === alice ? 0xaa : 0xbb);
  const witness = closureWitness(value, { signatureOf, condition: [preimage], controlBlock })!;
  assert.deepEqual(
    witness.map((item) => [item.length, item[0]]),
    [
      [64, 0xbb],
      [64, 0xaa],
      [32, 9],
      [encodeClosure(value).length, OP.SHA256],
      [33, 1],
    ],
  );
  assert.equal(closureWitness(value, { signatureOf: () => undefined, controlBlock }), undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Bytes, fromHex, toHex } from '../../../src/base/bytes.ts';
import { DecodeError } from '../../../src/bitcoin/reader.ts';
import {
  instructionAt,
  instructions,
  isOpReturn,
  isP2A,
  isP2SH,
  isP2TR,
  isP2WPKH,
  OP,
  P2A_SCRIPT,
  p2tr,
  p2wpkh,
  parseScriptNumber,
  push,
  pushNumber,
  script,
  scriptNumber,
  witnessProgram,
} from '../../../src/bitcoin/script.ts';

test('a push is as short as its length allows', () => {
  const prefix = (length: number): string => toHex(push(new Uint8Array(length)).slice(0, -length || undefined));
  assert.equal(prefix(0), '00');
  assert.equal(prefix(1), '01');
  assert.equal(prefix(75), '4b');
  assert.equal(prefix(76), '4c4c');
  assert.equal(prefix(255), '4cff');
  assert.equal(prefix(256), '4d0001');
  assert.equal(prefix(65535), '4dffff');
  assert.equal(prefix(65536), '4e00000100');
});

test('what was pushed is what the instruction holds', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), (items) => {
      const read = [...instructions(script(...items.map(push)))];
      assert.deepEqual(
        read.map(({ data }) => Uint8Array.from(data!)),
        items,
      );
      assert.ok(read.every(({ end }, i) => end === (read[i + 1]?.at ?? end)));
    }),
  );
});

test('a push that runs over the end is no instruction', () => {
  for (const broken of ['01', '4c', '4c01', '4d', '4d01', '4d0100', '4e010000', '4e01000000', '4effffffff']) {
    assert.equal(instructionAt(fromHex(broken), 0), undefined, broken);
    assert.throws(() => [...instructions(fromHex(`51${broken}`))], DecodeError);
  }
});

test('every byte string is walked to its end or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      try {
        const read = [...instructions(bytes)];
        assert.equal(read.at(-1)?.end ?? 0, bytes.length);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
      }
    }),
  );
});

test('numbers are minimal, signed, little-endian', () => {
  const written: readonly [bigint, string][] = [
    [0n, ''],
    [1n, '01'],
    [-1n, '81'],
    [127n, '7f'],
    [128n, '8000'],
    [-128n, '8080'],
    [255n, 'ff00'],
    [256n, '0001'],
    [-255n, 'ff80'],
    [0x7fffffffn, 'ffffff7f'],
    [-0x80000000n, '0000008080'],
  ];
  for (const [value, hex] of written) {
    assert.equal(toHex(scriptNumber(value)), hex);
    assert.equal(parseScriptNumber(fromHex(hex)), value);
  }
  assert.equal(parseScriptNumber(fromHex('80')), 0n);
  assert.equal(parseScriptNumber(fromHex('0100')), 1n);
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n });
  fc.assert(fc.property(int64, (value) => assert.equal(parseScriptNumber(scriptNumber(value)), value)));
});

test('small numbers have opcodes', () => {
  const written = [-2n, -1n, 0n, 1n, 16n, 17n, 144n].map((value) => toHex(pushNumber(value)));
  assert.deepEqual(written, ['0182', '4f', '00', '51', '60', '0111', '029000']);
});

test('output scripts are told apart', () => {
  const outputs: Readonly<Record<string, Bytes>> = {
    taproot: p2tr(new Uint8Array(32)),
    keyHash: p2wpkh(new Uint8Array(20)),
    anchor: P2A_SCRIPT,
    scriptHash: script(OP.HASH160, push(new Uint8Array(20)), OP.EQUAL),
    data: script(OP.RETURN, push(new Uint8Array(3))),
  };
  const sole = (is: (output: Bytes) => boolean): string[] => Object.keys(outputs).filter((name) => is(outputs[name]!));
  assert.deepEqual(sole(isP2TR), ['taproot']);
  assert.deepEqual(sole(isP2WPKH), ['keyHash']);
  assert.deepEqual(sole(isP2A), ['anchor']);
  assert.deepEqual(sole(isP2SH), ['scriptHash']);
  assert.deepEqual(sole(isOpReturn), ['data']);
});

test('BIP141: a witness program is a version and one push of 2 to 40 bytes', () => {
  const program = (hex: string) => witnessProgram(fromHex(hex))?.version;
  assert.equal(program('00020000'), 0);
  assert.equal(program('51020000'), 1);
  assert.equal(program('60020000'), 16);
  assert.equal(program(`5128${'00'.repeat(40)}`), 1);
  assert.equal(program(`5129${'00'.repeat(41)}`), undefined);
  assert.equal(program('510100'), undefined);
  assert.equal(program('5003000000'), undefined);
  assert.equal(program('61020000'), undefined);
  assert.equal(program('5102000000'), undefined);
  assert.equal(program('514c020000'), undefined);
  assert.deepEqual(Uint8Array.from(witnessProgram(P2A_SCRIPT)!.program), fromHex('4e73'));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Extension, UnknownPacket } from '@arkade-os/sdk';
import fc from 'fast-check';
import {
  isExtension,
  parseExtension,
  printExtension,
  readUvarint,
  uvarint,
} from '../../../../src/ark/protocol/extension.ts';
import { concat, fromHex, toHex } from '../../../../src/base/bytes.ts';
import { DecodeError, Reader } from '../../../../src/bitcoin/reader.ts';
import { OP, push, script } from '../../../../src/bitcoin/script.ts';

const packets = fc.uniqueArray(
  fc.record(
    { type: fc.integer({ min: 2, max: 255 }), data: fc.uint8Array({ maxLength: 300 }) },
    { noNullPrototype: true },
  ),
  { minLength: 1, maxLength: 4, selector: ({ type }) => type },
);

test('extensions print as in the SDK and come back', () => {
  fc.assert(
    fc.property(packets, (list) => {
      const output = printExtension(list);
      const sdk = Extension.create(list.map(({ type, data }) => new UnknownPacket(type, data)));
      assert.deepEqual(output, Uint8Array.from(sdk.serialize()));
      assert.ok(isExtension(output));
      assert.deepEqual(parseExtension(output), list);
    }),
  );
});

test('a large packet takes the longer pushes', () => {
  for (const size of [72, 73, 200, 300, 70_000]) {
    const list = [{ type: 7, data: new Uint8Array(size) }];
    assert.deepEqual(parseExtension(printExtension(list)), list);
  }
});

test('an extension that another way of writing would give is malformed', () => {
  const payload = (hex: string) => script(OP.RETURN, push(fromHex(`41524b${hex}`)));
  const malformed = {
    'no packet': payload(''),
    'a packet cut off': payload('0205ff'),
    'a length cut off': payload('0280'),
    'a type twice': payload('020101020101'),
    'a padded length': payload('02810001'),
    'something behind it': concat(payload('020101'), Uint8Array.of(0x51)),
    'a second push': concat(payload('020101'), push(fromHex('01'))),
    'a longer push than needed': concat(Uint8Array.of(OP.RETURN, OP.PUSHDATA1, 6), fromHex('41524b020101')),
  };
  for (const [name, output] of Object.entries(malformed)) {
    assert.ok(isExtension(output), name);
    assert.throws(() => parseExtension(output), DecodeError, name);
  }
  for (const output of [fromHex(''), fromHex('6a'), fromHex('6a0141'), fromHex('6a4c'), fromHex('5103414152')]) {
    assert.equal(isExtension(output), false, toHex(output));
    assert.throws(() => parseExtension(output), DecodeError);
  }
});

test('no script throws anything but a decoding error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      for (const output of [bytes, script(OP.RETURN, push(concat(fromHex('41524b'), bytes)))]) {
        try {
          parseExtension(output);
        } catch (error) {
          assert.ok(error instanceof DecodeError);
        }
      }
    }),
  );
});

test('LEB128 numbers hold 64 bits', () => {
  const read = (hex: string) => {
    const reader = new Reader(fromHex(hex));
    const value = readUvarint(reader);
    reader.end();
    return value;
  };
  fc.assert(fc.property(fc.maxSafeNat(), (value) => assert.equal(read(toHex(uvarint(value))), BigInt(value))));
  assert.equal(read('ffffffffffffffffff01'), 2n ** 64n - 1n);
  for (const hex of ['ffffffffffffffffff02', 'ffffffffffffffffffff01', '8000', '80', '']) {
    assert.throws(() => read(hex), DecodeError, hex);
  }
});

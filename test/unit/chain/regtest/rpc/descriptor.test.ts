import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toHex } from '../../../../../src/base/bytes.ts';
import { parseDescriptor } from '../../../../../src/chain/regtest/rpc/descriptor.ts';
import { checksumOf, withChecksum } from '../../../../../src/chain/regtest/rpc/descriptor-checksum.ts';
import { RpcError } from '../../../../../src/chain/regtest/rpc/error.ts';
import { noble } from '../../../../../src/crypto/noble.ts';

/** BIP380 to BIP386: descriptors with the scripts they stand for. */
const KEY = '03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd';
const LONG_KEY =
  '04a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd5b8dec5235a0fa8722476c7709c02559e3aa73aa03918ba2d492eea75abea235';
const XONLY = KEY.slice(2);
const SCRIPTS: readonly (readonly [string, ...string[]])[] = [
  [`pk(${KEY})`, `21${KEY}ac`],
  [`pk(${LONG_KEY})`, `41${LONG_KEY}ac`],
  [`pkh(${KEY})`, '76a9149a1c78a507689f6f54b847ad1cef1e614ee23f1e88ac'],
  [`wpkh(${KEY})`, '00149a1c78a507689f6f54b847ad1cef1e614ee23f1e'],
  [`sh(wpkh(${KEY}))`, 'a91484ab21b1b2fd065d4504ff693d832434b6108d7b87'],
  [`tr(${XONLY})`, '512077aab6e066f8a7419c5ab714c12c67d25007ed55a43cadcacb4d7a970a093f11'],
  [`rawtr(${XONLY})`, `5120${XONLY}`],
  ['raw(deadbeef)', 'deadbeef'],
  [`combo(${LONG_KEY})`, `41${LONG_KEY}ac`, '76a914b5bd079c4d57cc7fc28ecf8213a6b791625b818388ac'],
];

const REFUSED: readonly string[] = [
  '',
  'pk',
  'pk()',
  `pk(${KEY}`,
  `pk(${KEY}))`,
  `pk(${KEY.slice(2)})`,
  `pk(05${XONLY})`,
  `pk(06${LONG_KEY.slice(2)})`,
  `pk(02${'ff'.repeat(32)})`,
  `wpkh(${LONG_KEY})`,
  `sh(wpkh(${LONG_KEY}))`,
  `sh(wsh(pk(${LONG_KEY})))`,
  `wsh(wpkh(${KEY}))`,
  `wsh(wsh(pk(${KEY})))`,
  `sh(sh(pk(${KEY})))`,
  `sh(combo(${KEY}))`,
  `sh(raw(00))`,
  `tr(${LONG_KEY})`,
  `tr(${'ff'.repeat(32)})`,
  `rawtr(${'00'.repeat(31)})`,
  `multi(1)`,
  `multi(2,${KEY})`,
  `multi(0,${KEY})`,
  `multi(a,${KEY})`,
  `sortedmulti(1,${KEY},)`,
  'raw(0)',
  'raw(zz)',
  'addr()',
  'addr(bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4)',
  'raw(deadbeef)#',
  'raw(deadbeef)#89f8spxn',
  'raw(deadbeef)#89f8spxm#89f8spxm',
  'raw(Ü)',
  `pk([deadbeef/1/2]${KEY})`,
  'wpkh(xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB7WEGuduB/*)',
  'nonsense(00)',
];

test('BIP380: the checksum', () => {
  assert.equal(checksumOf('raw(deadbeef)'), '89f8spxm');
  assert.equal(withChecksum('raw(deadbeef)'), 'raw(deadbeef)#89f8spxm');
  assert.equal(checksumOf('raw(Ü)'), undefined);
});

test('descriptors stand for their scripts', () => {
  for (const [descriptor, ...scripts] of SCRIPTS) {
    for (const text of [descriptor, withChecksum(descriptor)]) {
      const found = parseDescriptor(noble, text).map(({ script }) => toHex(script));
      assert.deepEqual(found, scripts, text);
    }
  }
  assert.equal(parseDescriptor(noble, `combo(${KEY})`).length, 4);
  const [sorted] = parseDescriptor(
    noble,
    `sortedmulti(1,${KEY},02${'79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'})`,
  );
  assert.match(toHex(sorted!.script), /^512102/);
});

test('what a descriptor says of its script parses to the same again', () => {
  for (const [descriptor] of SCRIPTS) {
    for (const one of parseDescriptor(noble, descriptor)) {
      const bare = one.descriptor.replace(/\[[0-9a-f]{8}\]/g, '').replace(/#.*/, '');
      assert.deepEqual(parseDescriptor(noble, bare)[0]!.script, one.script, descriptor);
      assert.equal(one.descriptor.split('#')[1], checksumOf(one.descriptor.split('#')[0]!));
    }
  }
});

test('malformed descriptors are refused', () => {
  for (const text of REFUSED) assert.throws(() => parseDescriptor(noble, text), RpcError, text);
});

test('any text is a descriptor or refused', () => {
  const part = fc.constantFrom(
    'pk(',
    'sh(',
    'wsh(',
    'tr(',
    'combo(',
    'multi(1,',
    'sortedmulti(',
    'raw(',
    'addr(',
    ')',
    ',',
    KEY,
    XONLY,
    LONG_KEY,
    '#',
    '00',
    "'",
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.array(part, { maxLength: 6 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        assert.ok(parseDescriptor(noble, text).length > 0);
      } catch (error) {
        assert.ok(error instanceof RpcError, String(error));
      }
    }),
    { numRuns: 5_000 },
  );
});

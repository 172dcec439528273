import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArkAddress } from '@arkade-os/sdk';
import { bech32m } from '@scure/base';
import fc from 'fast-check';
import { parseArkAddress, printArkAddress } from '../../../../src/ark/protocol/address.ts';
import { defaultVtxo } from '../../../../src/ark/protocol/vtxo.ts';
import { codeOf, exitDelay, owner, refusesOrAccepts, secp, signer } from './support.ts';

const { outputKey } = defaultVtxo(secp, owner.xonly, signer.xonly, exitDelay);
const TARK =
  'tark1qrrqglu5g8kh6mfsg4qxa9wq0nv9cauwfwxw70984wkqnw2uwz0wtnkwe08v6kzlaemcyutxgq24qc7du60vgewcmn8qygphefzx4vuc7gw2pf';

test('addresses are those of the SDK, both ways', () => {
  const address = { prefix: 'tark', signer: signer.xonly, outputKey } as const;
  assert.equal(printArkAddress(address), TARK);
  assert.deepEqual(parseArkAddress(TARK), address);
  const mainnet = new ArkAddress(signer.xonly, outputKey, 'ark').encode();
  assert.ok(mainnet.startsWith('ark1qrrqg') && mainnet.endsWith('vucc69acp'));
  assert.deepEqual(parseArkAddress(mainnet), { ...address, prefix: 'ark' });
});

test('anything else is refused', () => {
  const encode = (prefix: string, bytes: Uint8Array) => bech32m.encode(prefix, bech32m.toWords(bytes), 1023);
  const texts = [
    '',
    TARK.slice(0, -1),
    TARK.replace('qrrq', 'qrrp'),
    `${TARK.slice(0, 20)}${TARK[20]!.toUpperCase()}${TARK.slice(21)}`,
    encode('bark', new Uint8Array(65)),
    encode('ark', new Uint8Array(64)),
    encode('ark', new Uint8Array(66)),
    encode('ark', new Uint8Array(65).fill(1)),
  ];
  for (const text of texts)
    assert.equal(
      codeOf(() => parseArkAddress(text)),
      'INVALID_PKSCRIPT',
      text,
    );
});

test('no text throws anything else', () => {
  fc.assert(fc.property(fc.string(), (text) => refusesOrAccepts(() => parseArkAddress(text))));
  fc.assert(
    fc.property(fc.nat(TARK.length - 1), fc.string({ maxLength: 2 }), (at, text) =>
      refusesOrAccepts(() => parseArkAddress(TARK.slice(0, at) + text + TARK.slice(at + 1))),
    ),
  );
});

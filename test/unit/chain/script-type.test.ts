import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../../src/base/bytes.ts';
import { OP, P2A_SCRIPT, push, script } from '../../../src/bitcoin/script.ts';
import { scriptAsm } from '../../../src/chain/script-asm.ts';
import { multisigOf, type ScriptType, scriptTypeOf } from '../../../src/chain/script-type.ts';
import { locksOf } from '../../support/locks.ts';
import { secp } from '../../support/regtest.ts';

const data = (length: number, first = 2) => concat(Uint8Array.of(first), new Uint8Array(length - 1));

test('every kind of output script is told apart', () => {
  const locks = locksOf(secp, 'somebody');
  const cases: readonly (readonly [ScriptType, Uint8Array])[] = [
    ['witness_v1_taproot', locks.p2tr.script],
    ['witness_v0_keyhash', locks.p2wpkh.script],
    ['witness_v0_scripthash', locks.p2wsh.script],
    ['pubkeyhash', locks.p2pkh.script],
    ['scripthash', locks.nested.script],
    ['anchor', P2A_SCRIPT],
    ['witness_unknown', script(OP.ONE, push(data(31)))],
    ['witness_unknown', script(OP.SIXTEEN, push(data(2)))],
    ['nonstandard', script(OP.FALSE, push(data(21)))],
    ['pubkey', script(push(data(33)), OP.CHECKSIG)],
    ['pubkey', script(push(data(65, 4)), OP.CHECKSIG)],
    ['nonstandard', script(push(data(33, 4)), OP.CHECKSIG)],
    ['nonstandard', script(push(data(33)), OP.CHECKSIG, OP.NOP)],
    ['nulldata', script(OP.RETURN)],
    ['nulldata', script(OP.RETURN, push(data(80)))],
    ['nonstandard', script(OP.RETURN, OP.CHECKSIG)],
    ['nonstandard', script(OP.RETURN, 5, 1)],
    ['multisig', script(OP.ONE, push(data(33)), push(data(65, 4)), OP.ONE + 1, OP.CHECKMULTISIG)],
    ['nonstandard', script(OP.ONE + 1, push(data(33)), OP.ONE, OP.CHECKMULTISIG)],
    ['nonstandard', script(OP.ONE, push(data(33)), OP.ONE + 1, OP.CHECKMULTISIG)],
    ['nonstandard', script(OP.ONE, push(data(32)), OP.ONE, OP.CHECKMULTISIG)],
    ['nonstandard', script(OP.CHECKMULTISIG)],
    ['nonstandard', new Uint8Array(0)],
    ['nonstandard', script(OP.ONE)],
  ];
  for (const [type, output] of cases) assert.equal(scriptTypeOf(output), type, scriptAsm(output));
  assert.deepEqual(multisigOf(script(OP.ONE, push(data(33)), push(data(33)), OP.ONE + 1, OP.CHECKMULTISIG)), {
    required: 1,
    keys: 2,
  });
});

test('scripts are spelled as explorers do', () => {
  assert.equal(scriptAsm(new Uint8Array(0)), '');
  assert.equal(scriptAsm(script(OP.FALSE, push(data(20)))), `OP_0 OP_PUSHBYTES_20 02${'00'.repeat(19)}`);
  assert.equal(
    scriptAsm(script(OP.ONE_NEGATE, OP.SIXTEEN, OP.CHECKSIGADD)),
    'OP_PUSHNUM_NEG1 OP_PUSHNUM_16 OP_CHECKSIGADD',
  );
  assert.equal(scriptAsm(script(OP.CHECKLOCKTIMEVERIFY, OP.DROP, 0xfa)), 'OP_CLTV OP_DROP OP_RETURN_250');
  assert.equal(scriptAsm(push(data(100))), `OP_PUSHDATA1 02${'00'.repeat(99)}`);
  assert.equal(scriptAsm(Uint8Array.of(OP.DUP, 5, 1)), 'OP_DUP OP_PUSHBYTES_5 <push past end>');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bytes, Txid } from '../../../src/base/bytes.ts';
import { CONSENSUS_FLAGS, scriptFlags } from '../../../src/bitcoin/interpreter/verify.ts';
import { OP, p2tr, p2wpkh, push, script } from '../../../src/bitcoin/script.ts';
import { accurateSigops, sigopCostOf } from '../../../src/bitcoin/sigops.ts';
import { NULL_TXID, type Tx, txIn } from '../../../src/bitcoin/tx.ts';
import { hash160, sha256 } from '../../../src/crypto/hash.ts';

const KEY = push(new Uint8Array(33).fill(2));
const multisig = script(OP.ONE, KEY, KEY, OP.ONE + 1, OP.CHECKMULTISIGVERIFY);
const scriptHash = (code: Bytes): Bytes => script(OP.HASH160, push(hash160(code)), OP.EQUAL);
const witnessScriptHash = (code: Bytes): Bytes => script(OP.FALSE, push(sha256(code)));
const NOTHING = new Uint8Array(0);

/** Cost of spending `output`, with nothing counted in the transaction itself. */
function cost(output: Bytes, scriptSig: Bytes, witness: readonly Bytes[], flags = CONSENSUS_FLAGS): number {
  const tx: Tx = {
    version: 2,
    inputs: [{ ...txIn({ txid: 'cd'.repeat(32) as Txid, vout: 0 }), scriptSig, witness }],
    outputs: [{ value: 0n, script: p2tr(new Uint8Array(32)) }],
    locktime: 0,
  };
  return sigopCostOf(tx, [{ value: 1n, script: output }], flags);
}

test('a multisig counts by its keys where they are counted, and as twenty elsewhere', () => {
  assert.equal(accurateSigops(multisig), 2);
  assert.equal(accurateSigops(script(KEY, OP.CHECKMULTISIG)), 20);
  assert.equal(accurateSigops(script(OP.FALSE, OP.CHECKMULTISIG)), 20);
  assert.equal(accurateSigops(script(KEY, OP.CHECKSIG, KEY, OP.CHECKSIGVERIFY, push(Uint8Array.of(OP.CHECKSIG)))), 2);
});

test('what follows a broken push is not counted', () => {
  assert.equal(accurateSigops(script(OP.CHECKSIG, OP.PUSHDATA4, OP.CHECKSIG)), 1);
});

test('outputs and scriptSigs count fourfold, whatever they are good for', () => {
  const coinbase: Tx = {
    version: 2,
    inputs: [{ ...txIn({ txid: NULL_TXID, vout: 0xffffffff }), scriptSig: script(OP.CHECKSIG) }],
    outputs: [{ value: 0n, script: multisig }],
    locktime: 0,
  };
  assert.equal(sigopCostOf(coinbase, [], CONSENSUS_FLAGS), 4 * (1 + 20));
});

test('BIP16: the script pushed last counts by its keys', () => {
  const spend = script(OP.ONE, push(multisig));
  assert.equal(cost(scriptHash(multisig), spend, []), 4 * 2);
  assert.equal(cost(scriptHash(multisig), spend, [], scriptFlags()), 0);
  assert.equal(cost(scriptHash(multisig), script(OP.NOP, push(multisig)), []), 0);
  assert.equal(cost(scriptHash(multisig), script(push(multisig), OP.PUSHDATA1), []), 0);
  assert.equal(cost(scriptHash(multisig), script(push(multisig), OP.ONE), []), 0);
});

test('BIP141: what a witness holds counts once', () => {
  const keyHash = p2wpkh(new Uint8Array(20));
  const [signature, key] = [new Uint8Array(71), new Uint8Array(33)];
  assert.equal(cost(keyHash, NOTHING, [signature, key]), 1);
  assert.equal(cost(keyHash, NOTHING, [signature, key], scriptFlags('P2SH')), 0);
  assert.equal(cost(scriptHash(keyHash), push(keyHash), [signature, key]), 1);
  assert.equal(cost(witnessScriptHash(multisig), NOTHING, [signature, multisig]), 2);
  assert.equal(cost(witnessScriptHash(multisig), NOTHING, []), 0);
  const nested = witnessScriptHash(multisig);
  assert.equal(cost(scriptHash(nested), push(nested), [signature, multisig]), 2);
});

test('BIP342: taproot has a budget of its own', () => {
  const code = script(KEY, OP.CHECKSIG);
  assert.equal(cost(p2tr(new Uint8Array(32)), NOTHING, [code, new Uint8Array(33)]), 0);
});

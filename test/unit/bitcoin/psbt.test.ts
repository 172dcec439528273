import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { RawPSBTV0 } from '@scure/btc-signer/psbt.js';
import fc from 'fast-check';
import { fromHex, toHex } from '../../../src/base/bytes.ts';
import {
  createPsbt,
  type Psbt,
  parsePsbt,
  prevoutsOf,
  psbtBase64,
  serializePsbt,
  withInput,
  withTapScriptSig,
} from '../../../src/bitcoin/psbt.ts';
import { DecodeError } from '../../../src/bitcoin/reader.ts';
import { serializeTx } from '../../../src/bitcoin/tx.ts';
import { psbt as anyPsbt, bytes, mangled, unsignedTx } from '../../support/arbitrary.ts';

suite('the codec', () => {
  test('keeps every pair, named or unknown', () => {
    fc.assert(
      fc.property(anyPsbt, (psbt) => {
        assert.deepEqual(parsePsbt(serializePsbt(psbt)), psbt);
        assert.deepEqual(parsePsbt(psbtBase64(psbt)), psbt);
      }),
    );
  });

  test('refuses everything else with an error of its own', () => {
    const magic = fromHex('70736274ff');
    const afterMagic = bytes(100).map((tail) => Uint8Array.of(...magic, ...tail));
    fc.assert(
      fc.property(fc.oneof(mangled(anyPsbt.map(serializePsbt)), afterMagic, bytes(50)), (raw) => {
        let psbt: Psbt;
        try {
          psbt = parsePsbt(raw);
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error));
          return;
        }
        const written = serializePsbt(psbt);
        assert.deepEqual(serializePsbt(parsePsbt(written)), written);
      }),
      { numRuns: 2000 },
    );
    assert.throws(() => parsePsbt('not base64!'), TypeError);
    assert.throws(() => parsePsbt(''), DecodeError);
  });

  test('refuses a key that comes twice and a transaction that is signed already', () => {
    fc.assert(
      fc.property(unsignedTx, (tx) => {
        const pair = { key: Uint8Array.of(0xde), value: new Uint8Array(0) };
        const twice = { ...createPsbt(tx), globals: [pair, pair] };
        assert.throws(() => parsePsbt(serializePsbt(twice)), DecodeError);
        const signed = { ...tx, inputs: tx.inputs.map((input) => ({ ...input, scriptSig: Uint8Array.of(0x51) })) };
        assert.throws(() => parsePsbt(serializePsbt(createPsbt(signed))), DecodeError);
      }),
      { numRuns: 20 },
    );
  });
});

suite('against @scure/btc-signer', () => {
  test('what we write means the same there', () => {
    fc.assert(
      fc.property(anyPsbt, (psbt) => {
        const theirs = RawPSBTV0.decode(serializePsbt(psbt));
        for (const [i, input] of psbt.inputs.entries()) {
          const other = theirs.inputs[i]!;
          assert.deepEqual(other.witnessUtxo?.amount, input.witnessUtxo?.value);
          assert.deepEqual(other.witnessUtxo?.script, input.witnessUtxo?.script);
          assert.deepEqual(other.sighashType, input.sighashType);
          assert.deepEqual(other.finalScriptWitness, input.finalWitness);
          assert.deepEqual(other.tapKeySig, input.tapKeySig);
          assert.deepEqual(other.tapInternalKey, input.tapInternalKey);
          assert.deepEqual(other.tapMerkleRoot, input.tapMerkleRoot);
          assert.deepEqual(
            (other.tapScriptSig ?? []).map(([key, signature]) => ({
              publicKey: key.pubKey,
              leafHash: key.leafHash,
              signature,
            })),
            input.tapScriptSigs,
          );
          assert.deepEqual(
            (other.tapLeafScript ?? []).map(([, script]) => toHex(script)),
            input.tapLeafScripts.map(({ script, version }) => toHex(Uint8Array.of(...script, version))),
          );
          assert.equal((other.unknown ?? []).length, input.rest.length);
        }
      }),
    );
  });

  test('what they write means the same here', () => {
    fc.assert(
      fc.property(anyPsbt, (psbt) => {
        const theirs = RawPSBTV0.encode(RawPSBTV0.decode(serializePsbt(psbt)));
        assert.deepEqual(parsePsbt(theirs), psbt);
      }),
    );
  });
});

suite('changes', () => {
  test('leave the original as it was', () => {
    fc.assert(
      fc.property(unsignedTx, (tx) => {
        const psbt = createPsbt(tx);
        const output = { value: 5n, script: new Uint8Array(0) };
        const changed = withInput(psbt, 0, { witnessUtxo: output });
        assert.equal(psbt.inputs[0]!.witnessUtxo, undefined);
        assert.deepEqual(changed.inputs[0]!.witnessUtxo, output);
        assert.deepEqual(changed.inputs.slice(1), psbt.inputs.slice(1));
        assert.deepEqual(serializeTx(changed.tx), serializeTx(tx));
      }),
      { numRuns: 20 },
    );
  });

  test('replace a signature only by one of the same key over the same leaf', () => {
    const [tx] = fc.sample(unsignedTx, { numRuns: 1, seed: 1 });
    const sig = (key: number, leaf: number, fill: number) => ({
      publicKey: new Uint8Array(32).fill(key),
      leafHash: new Uint8Array(32).fill(leaf),
      signature: new Uint8Array(64).fill(fill),
    });
    let psbt = createPsbt(tx!);
    for (const each of [sig(1, 1, 1), sig(1, 2, 2), sig(2, 1, 3), sig(1, 1, 4)]) psbt = withTapScriptSig(psbt, 0, each);
    assert.deepEqual(
      psbt.inputs[0]!.tapScriptSigs.map((each) => each.signature[0]),
      [2, 3, 4],
    );
  });

  test('prevouts are known once every input names its own', () => {
    const [tx] = fc.sample(unsignedTx, { numRuns: 1, seed: 2 });
    const output = { value: 5n, script: new Uint8Array(0) };
    const named = createPsbt(
      tx!,
      tx!.inputs.map(() => ({ tapScriptSigs: [], tapLeafScripts: [], rest: [], witnessUtxo: output })),
    );
    assert.deepEqual(
      prevoutsOf(named),
      tx!.inputs.map(() => output),
    );
    assert.equal(prevoutsOf(createPsbt(tx!)), undefined);
  });
});

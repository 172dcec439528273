import assert from 'node:assert/strict';
import { fromHex } from '../../src/base/bytes.ts';
import { parseScriptFlags, verifyInput, withoutFlags } from '../../src/bitcoin/interpreter/verify.ts';
import { Reader } from '../../src/bitcoin/reader.ts';
import { parseTx, readOutput, type Tx } from '../../src/bitcoin/tx.ts';
import { loadSecp } from '../../src/runtime/secp-wasm.ts';
import { parseVectors, vectorTest } from '../support/vectors.ts';

interface Unlocking {
  readonly scriptSig: string;
  readonly witness: readonly string[];
}
interface Case {
  readonly tx: string;
  readonly prevouts: readonly string[];
  readonly index: number;
  readonly flags: string;
  readonly comment: string;
  /** The flags are all there are: no rule to come makes it fail. */
  readonly final?: boolean;
  readonly success: Unlocking;
  readonly failure?: Unlocking;
}

const FILE = 'bitcoin-core-script_assets_test.json';

const unlock = (tx: Tx, index: number, { scriptSig, witness }: Unlocking): Tx => ({
  ...tx,
  inputs: tx.inputs.map((input, i) =>
    i === index ? { ...input, scriptSig: fromHex(scriptSig), witness: witness.map(fromHex) } : input,
  ),
});

vectorTest("Bitcoin Core's taproot corpus", FILE, async () => {
  const secp = await loadSecp();
  const cases = parseVectors<Case[]>(FILE);
  assert.equal(cases.length, 2760);
  const allFlags = parseScriptFlags('P2SH,DERSIG,CHECKLOCKTIMEVERIFY,CHECKSEQUENCEVERIFY,WITNESS,NULLDUMMY,TAPROOT');
  for (const { tx: hex, prevouts: outputs, index, flags: names, comment, final, success, failure } of cases) {
    const tx = parseTx(hex);
    const prevouts = outputs.map((output) => readOutput(new Reader(fromHex(output))));
    const flags = parseScriptFlags(names);
    const verify = (unlocking: Unlocking, under: typeof flags) =>
      verifyInput(secp, unlock(tx, index, unlocking), index, prevouts, under);
    assert.equal(verify(success, flags), undefined, comment);
    if (final) assert.equal(verify(success, allFlags), undefined, comment);
    // Every one of these rules is a soft fork: without it, what was valid stays so.
    assert.equal(verify(success, withoutFlags(flags, 'TAPROOT')), undefined, comment);
    assert.equal(verify(success, withoutFlags(flags, 'TAPROOT', 'WITNESS')), undefined, comment);
    if (failure) assert.notEqual(verify(failure, flags), undefined, comment);
  }
});

import assert from 'node:assert/strict';
import { type Bytes, fromHex } from '../../src/base/bytes.ts';
import {
  SCRIPT_FLAGS,
  type ScriptFlags,
  verifyInput,
  withFlags,
  withoutFlags,
} from '../../src/bitcoin/interpreter/verify.ts';
import { OP } from '../../src/bitcoin/opcodes.ts';
import { p2tr, script } from '../../src/bitcoin/script.ts';
import { controlBlock, leafHash, NUMS_KEY, outputKey } from '../../src/bitcoin/taproot.ts';
import { NULL_TXID, type Tx, type TxOut, txIn, txidOf } from '../../src/bitcoin/tx.ts';
import type { Secp } from '../../src/crypto/secp.ts';
import { loadSecp } from '../../src/runtime/secp-wasm.ts';
import { filled, parseCoreFlags, trimmed } from '../support/core-flags.ts';
import { coreScript } from '../support/core-script.ts';
import { rowsOf, vectorTest } from '../support/vectors.ts';

const FILE = 'bitcoin-core-script_tests.json';

/** Witness elements, then the amount in bitcoin. */
type Witness = readonly [...string[], number];
type Row = readonly [scriptSig: string, output: string, flags: string, error: string, comment?: string];

const witnessOf = (row: readonly unknown[]): Witness | undefined =>
  Array.isArray(row[0]) ? (row[0] as unknown as Witness) : undefined;

/** What pays to `script`, and the transaction that spends it with `scriptSig` and `witness`. */
function spending(output: TxOut, scriptSig: Bytes, witness: readonly Bytes[]): Tx {
  const credit: Tx = {
    version: 1,
    inputs: [{ ...txIn({ txid: NULL_TXID, vout: 0xffffffff }), scriptSig: script(OP.FALSE, OP.FALSE) }],
    outputs: [output],
    locktime: 0,
  };
  return {
    version: 1,
    inputs: [{ ...txIn({ txid: txidOf(credit), vout: 0 }), scriptSig, witness }],
    outputs: [{ value: output.value, script: new Uint8Array(0) }],
    locktime: 0,
  };
}

/** Replaces the marks for a one-leaf taproot tree: its script, the control block and the output key. */
function taprootCase(secp: Secp, witness: readonly string[], output: string): { witness: Bytes[]; output: Bytes } {
  const leaf = witness.find((element) => element.startsWith('#SCRIPT#'));
  if (leaf === undefined) return { witness: witness.map(fromHex), output: coreScript(output) };
  const code = coreScript(leaf.slice('#SCRIPT#'.length));
  const { xonly, parity } = outputKey(secp, NUMS_KEY, leafHash(code));
  const marked = witness.map((element) =>
    element === leaf ? code : element === '#CONTROLBLOCK#' ? controlBlock(NUMS_KEY, parity, []) : fromHex(element),
  );
  assert.equal(output, '0x51 0x20 #TAPROOTOUTPUT#');
  return { witness: marked, output: p2tr(xonly) };
}

vectorTest("Bitcoin Core's script tests", FILE, async () => {
  const secp = await loadSecp();
  const rows = rowsOf<readonly unknown[]>(FILE);
  assert.equal(rows.length, 1222);
  for (const row of rows) {
    const given = witnessOf(row);
    const [scriptSig, outputText, flagText, error] = (given ? row.slice(1) : row) as unknown as Row;
    const { witness, output } = taprootCase(secp, (given?.slice(0, -1) ?? []) as string[], outputText);
    const value = BigInt(Math.round(((given?.at(-1) ?? 0) as number) * 1e8));
    const prevouts = [{ value, script: output }];
    const tx = spending(prevouts[0]!, coreScript(scriptSig), witness);
    const verify = (flags: ScriptFlags) => verifyInput(secp, tx, 0, prevouts, flags);
    const flags = filled(parseCoreFlags(flagText));
    const expected = error === 'OK' ? undefined : error === 'NULLFAIL' ? 'SIG_NULLFAIL' : error;
    assert.equal(verify(flags), expected, JSON.stringify(row));
    for (const name of SCRIPT_FLAGS) {
      // Every flag only ever forbids.
      if (error === 'OK') assert.equal(verify(trimmed(withoutFlags(flags, name))), undefined, `${row} but ${name}`);
      else assert.notEqual(verify(filled(withFlags(flags, name))), undefined, `${row} and ${name}`);
    }
  }
});

import assert from 'node:assert/strict';
import { type OutpointKey, outpointKey, parseTxid } from '../../src/base/bytes.ts';
import { checkTx } from '../../src/bitcoin/check-tx.ts';
import {
  type ScriptFlags,
  scriptFlags,
  verifyTx,
  withFlags,
  withoutFlags,
} from '../../src/bitcoin/interpreter/verify.ts';
import { parseTx, type Tx, type TxOut } from '../../src/bitcoin/tx.ts';
import type { Secp } from '../../src/crypto/secp.ts';
import { loadSecp } from '../../src/runtime/secp-wasm.ts';
import { allBut, filled, namesIn, parseCoreFlags, trimmed } from '../support/core-flags.ts';
import { coreScript } from '../support/core-script.ts';
import { rowsOf, vectorTest } from '../support/vectors.ts';

type Prevout = readonly [txid: string, vout: number, script: string, amount?: number];
/** BIP119: without the flags of the one list, those of the other do not apply either. */
interface Dependence {
  readonly if_unset: readonly string[];
  readonly then_unset: readonly string[];
}
type ValidRow = readonly [readonly Prevout[], tx: string, excluded: string, included?: string, onlyTogether?: boolean];
type InvalidRow = readonly [readonly Prevout[], tx: string, flags: string, dependences?: readonly Dependence[]];

function spentBy(tx: Tx, spent: readonly Prevout[]): readonly TxOut[] {
  const outputs = new Map<OutpointKey, TxOut>();
  for (const [txid, vout, script, amount = 0] of spent) {
    const key = outpointKey({ txid: parseTxid(txid), vout: vout >>> 0 });
    outputs.set(key, { value: BigInt(amount), script: coreScript(script) });
  }
  return tx.inputs.map((input) => {
    const output = outputs.get(outpointKey(input.prevout));
    assert.ok(output, outpointKey(input.prevout));
    return output;
  });
}

const verifier = (secp: Secp, row: ValidRow | InvalidRow) => {
  const tx = parseTx(row[1]);
  const prevouts = spentBy(tx, row[0]);
  return { tx, passes: (flags: ScriptFlags) => verifyTx(secp, tx, prevouts, flags) === undefined };
};

function runValid(secp: Secp, row: ValidRow): void {
  const { tx, passes } = verifier(secp, row);
  const excluded = parseCoreFlags(row[2]);
  const included = namesIn(parseCoreFlags(row[3] ?? 'NONE'));
  const bip119 = row[3] !== undefined;
  const flags = (without: ScriptFlags): ScriptFlags => {
    const all = bip119 ? allBut(without) : withoutFlags(allBut(without), 'CHECKTEMPLATEVERIFY');
    return trimmed(row[3] === 'NONE' ? withoutFlags(all, 'CHECKTEMPLATEVERIFY') : withFlags(all, ...included));
  };
  assert.equal(checkTx(tx), undefined, row[1]);
  assert.ok(passes(flags(excluded)), row[1]);
  for (const name of namesIn(allBut(excluded))) {
    if (!included.includes(name)) assert.ok(passes(flags(withFlags(excluded, name))), `${row[1]} but ${name}`);
  }
  if (row[4]) return;
  for (const name of namesIn(excluded)) {
    assert.ok(!passes(flags(withoutFlags(excluded, name))), `${row[1]} and ${name}`);
  }
}

function runInvalid(secp: Secp, row: InvalidRow): void {
  if (row[2] === 'BADTX') {
    assert.notEqual(checkTx(parseTx(row[1])), undefined, row[1]);
    return;
  }
  const { tx, passes } = verifier(secp, row);
  assert.equal(checkTx(tx), undefined, row[1]);
  const required = parseCoreFlags(row[2]);
  assert.ok(!passes(filled(required)), row[1]);
  for (const name of namesIn(allBut(required))) {
    assert.ok(!passes(filled(withFlags(required, name))), `${row[1]} and ${name}`);
  }
  for (const name of namesIn(required)) {
    let fewer = withoutFlags(required, name);
    for (const { if_unset, then_unset } of row[3] ?? []) {
      if (if_unset.some((unset) => parseCoreFlags(unset) === scriptFlags(name))) {
        fewer = withoutFlags(fewer, ...namesIn(parseCoreFlags(then_unset.join(','))));
      }
    }
    assert.ok(passes(trimmed(fewer)), `${row[1]} but ${name}`);
  }
}

for (const [folder, valid, invalid] of [
  ['bitcoin-core-', 121, 93],
  ['bip-0119/', 19, 11],
] as const) {
  vectorTest(`${folder}tx_valid: valid under all flags but those named`, `${folder}tx_valid.json`, async () => {
    const secp = await loadSecp();
    const rows = rowsOf<ValidRow>(`${folder}tx_valid.json`);
    assert.equal(rows.length, valid);
    for (const row of rows) runValid(secp, row);
  });

  vectorTest(`${folder}tx_invalid: invalid under exactly the flags named`, `${folder}tx_invalid.json`, async () => {
    const secp = await loadSecp();
    const rows = rowsOf<InvalidRow>(`${folder}tx_invalid.json`);
    assert.equal(rows.length, invalid);
    for (const row of rows) runInvalid(secp, row);
  });
}

/** One pre-signed transaction between the chain and a VTXO, with what it really spends; and what holds of any of them. */
import { outpointKey, type Txid } from '../../base/bytes.ts';
import { sumSats } from '../../base/units.ts';
import { checkTx } from '../../bitcoin/check-tx.ts';
import { STANDARD_FLAGS, verifyTx } from '../../bitcoin/interpreter/verify.ts';
import { TRUC_VERSION } from '../../bitcoin/package.ts';
import type { PsbtInput } from '../../bitcoin/psbt.ts';
import { isOpReturn, isP2A } from '../../bitcoin/script.ts';
import { sameOutput, type Tx, type TxOut, weightOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { Findings } from './finding.ts';

export interface Spend {
  readonly txid: Txid;
  /** With its witnesses. */
  readonly tx: Tx;
  /** What it spends, one for each input, as its parents have it and not as it says. */
  readonly prevouts: readonly TxOut[];
  /** Its inputs as received, with the protocol's fields. */
  readonly inputs: readonly PsbtInput[];
}

/** BIP431: nodes relay no heavier version 3 transaction. */
const MAX_TRUC_WEIGHT = 40_000;

/** The form of every transaction below a commitment: possible at all, version 3, one anchor without value at the end. */
export function hasShape(tx: Tx): boolean {
  const anchor = tx.outputs.at(-1);
  const anchors = tx.outputs.filter(({ script }) => isP2A(script)).length;
  const isAnchored = anchors === 1 && isP2A(anchor!.script) && anchor!.value === 0n;
  return tx.version === TRUC_VERSION && isAnchored && checkTx(tx) === undefined;
}

/** Whether nodes relay it with a child that pays: what cannot be relayed cannot be left by. `tx` is signed. */
export const isRelayable = (tx: Tx, dust: bigint): boolean =>
  weightOf(tx) <= MAX_TRUC_WEIGHT &&
  tx.outputs.every(({ value, script }) => isOpReturn(script) || isP2A(script) || value >= dust);

/** Whether it has the form of every transaction below a commitment, loses no satoshi, and is validly signed. */
export function checkSpend(secp: Secp, spend: Spend, dust: bigint, findings: Findings): void {
  const { txid, tx, prevouts, inputs } = spend;
  const { expect } = findings;
  expect(hasShape(tx), 'TX_SHAPE', 'impossible, or not of version 3 with one anchor at the end', txid);
  const [spent, paid] = [prevouts, tx.outputs].map((outputs) => sumSats(outputs.map(({ value }) => value)));
  expect(spent === paid, 'VALUE_NOT_CONSERVED', `spends ${spent} sat and pays ${paid}`, txid);
  expect(isRelayable(tx, dust), 'NOT_RELAYABLE', `it weighs ${weightOf(tx)}, or an output is below dust`, txid);
  inputs.forEach(({ witnessUtxo }, i) => {
    const isHonest = !witnessUtxo || sameOutput(witnessUtxo, prevouts[i]!);
    expect(isHonest, 'PREVOUT_MISSTATED', 'it misstates what it spends', outpointKey(tx.inputs[i]!.prevout));
  });
  const fault = verifyTx(secp, tx, prevouts, STANDARD_FLAGS);
  expect(!fault, 'SIGNATURE_INVALID', `input ${fault?.index} may not be spent so: ${fault?.error}`, txid);
}

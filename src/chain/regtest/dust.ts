/** Dust, and the one exception that ephemeral anchors live by. */
import { outpointKey, type Txid } from '../../base/bytes.ts';
import { witnessProgram } from '../../bitcoin/script.ts';
import { serializeOutput, type Tx, type TxOut, txidOf } from '../../bitcoin/tx.ts';
import { isUnspendable } from './coin.ts';
import { check } from './rejection.ts';

/** Satoshi per virtual byte at which spending an output must not cost more than it is worth. */
const DUST_FEE_RATE = 3;
/** Virtual bytes of the input that would spend it: outpoint, script length, sequence, and signature with key. */
const LEGACY_INPUT_SIZE = 32 + 4 + 1 + 107 + 4;
const WITNESS_INPUT_SIZE = 32 + 4 + 1 + Math.floor(107 / 4) + 4;
/** More than one could not be sure to be spent together. */
const MAX_DUST_OUTPUTS = 1;

/** An output below this is dust: 330 sats for P2TR, 294 for P2WPKH, 546 for P2PKH, 240 for P2A. */
export function dustThreshold(output: TxOut): bigint {
  if (isUnspendable(output)) return 0n;
  const input = witnessProgram(output.script) ? WITNESS_INPUT_SIZE : LEGACY_INPUT_SIZE;
  return BigInt((serializeOutput(output).length + input) * DUST_FEE_RATE);
}

export const isDust = (output: TxOut): boolean => output.value < dustThreshold(output);

const dustCount = (tx: Tx): number => tx.outputs.filter(isDust).length;

export const checkDustCount = (tx: Tx): void => check(dustCount(tx) <= MAX_DUST_OUTPUTS, 'dust');

/** Dust is allowed only where nobody is paid to mine it alone. */
export const checkDustFee = (tx: Tx, fee: bigint): void =>
  check(fee === 0n || dustCount(tx) === 0, 'dust', 'tx with dust output must be 0-fee');

/** Whoever spends from an unconfirmed transaction with dust must spend all its dust. */
export function checkDustSpent(tx: Tx, unconfirmed: (txid: Txid) => Tx | undefined): void {
  const spent = new Set(tx.inputs.map((input) => outpointKey(input.prevout)));
  for (const txid of new Set(tx.inputs.map((input) => input.prevout.txid))) {
    const isLeft = (output: TxOut, vout: number): boolean => isDust(output) && !spent.has(outpointKey({ txid, vout }));
    check(
      !unconfirmed(txid)?.outputs.some(isLeft),
      'missing-ephemeral-spends',
      `tx ${txidOf(tx)} did not spend parent's ephemeral dust`,
    );
  }
}

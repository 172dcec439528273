/** What makes a transaction impossible wherever it stands, in bitcoind's words. */
import { outpointKey } from '../base/bytes.ts';
import { MAX_MONEY, sumSats } from '../base/units.ts';
import { MAX_BLOCK_WEIGHT } from './block.ts';
import { isCoinbase, isNullOutpoint, serializeTx, type Tx } from './tx.ts';

/** Bitcoin Core's reject reasons. */
export type TxFault =
  | 'bad-txns-vin-empty'
  | 'bad-txns-vout-empty'
  | 'bad-txns-oversize'
  | 'bad-txns-vout-negative'
  | 'bad-txns-vout-toolarge'
  | 'bad-txns-txouttotal-toolarge'
  | 'bad-txns-inputs-duplicate'
  | 'bad-cb-length'
  | 'bad-txns-prevout-null';

function checkAmounts(tx: Tx): TxFault | undefined {
  if (tx.outputs.some((output) => output.value < 0n)) return 'bad-txns-vout-negative';
  if (tx.outputs.some((output) => output.value > MAX_MONEY)) return 'bad-txns-vout-toolarge';
  if (sumSats(tx.outputs.map((output) => output.value)) > MAX_MONEY) return 'bad-txns-txouttotal-toolarge';
  return undefined;
}

function checkInputs(tx: Tx): TxFault | undefined {
  const spent = new Set(tx.inputs.map((input) => outpointKey(input.prevout)));
  if (spent.size < tx.inputs.length) return 'bad-txns-inputs-duplicate';
  if (isCoinbase(tx)) {
    const { length } = tx.inputs[0]!.scriptSig;
    return length < 2 || length > 100 ? 'bad-cb-length' : undefined;
  }
  return tx.inputs.some((input) => isNullOutpoint(input.prevout)) ? 'bad-txns-prevout-null' : undefined;
}

/** Why no block may hold `tx`, whatever it spends; `undefined` when it passes. */
export function checkTx(tx: Tx): TxFault | undefined {
  if (tx.inputs.length === 0) return 'bad-txns-vin-empty';
  if (tx.outputs.length === 0) return 'bad-txns-vout-empty';
  if (serializeTx(tx, 'stripped').length * 4 > MAX_BLOCK_WEIGHT) return 'bad-txns-oversize';
  return checkAmounts(tx) ?? checkInputs(tx);
}

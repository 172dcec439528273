/** Transactions as bitcoind prints them. */
import { toHex } from '../../../base/bytes.ts';
import { sumSats } from '../../../base/units.ts';
import {
  isCoinbase,
  serializeTx,
  type Tx,
  type TxIn,
  type TxOut,
  txidOf,
  vsizeOf,
  weightOf,
  wtxidOf,
} from '../../../bitcoin/tx.ts';
import type { Secp } from '../../../crypto/secp.ts';
import type { Coin } from '../coin.ts';
import { btcJson } from './json.ts';
import { scriptPubKeyJson, scriptSigJson } from './script-json.ts';

/** What is printed of the outputs spent, as far as they are known: nothing, the fee, or all. */
export type Detail = 'plain' | 'fee' | 'prevouts';

const prevoutJson = (secp: Secp, coin: Coin) => ({
  generated: coin.isCoinbase,
  height: coin.height,
  value: btcJson(coin.value),
  scriptPubKey: scriptPubKeyJson(secp, coin.script),
});

function inputJson(secp: Secp, input: TxIn, isFirst: boolean, coin: Coin | undefined) {
  const { txid, vout } = input.prevout;
  const origin = isFirst
    ? { coinbase: toHex(input.scriptSig) }
    : { txid, vout, scriptSig: scriptSigJson(input.scriptSig) };
  return {
    ...origin,
    ...(input.witness.length > 0 && { txinwitness: input.witness.map(toHex) }),
    ...(coin && { prevout: prevoutJson(secp, coin) }),
    sequence: input.sequence,
  };
}

const outputJson = (secp: Secp, { value, script }: TxOut, n: number) => ({
  value: btcJson(value),
  n,
  scriptPubKey: scriptPubKeyJson(secp, script),
});

const feeOf = (tx: Tx, coins: readonly Coin[]): bigint =>
  sumSats(coins.map(({ value }) => value)) - sumSats(tx.outputs.map(({ value }) => value));

/** Without its hex, as `decoderawtransaction` has it. */
export const decodedTxJson = (secp: Secp, tx: Tx, coins?: readonly Coin[], detail: Detail = 'plain') => ({
  txid: txidOf(tx),
  hash: wtxidOf(tx),
  // A negative version counts as a large one.
  version: tx.version >>> 0,
  size: serializeTx(tx).length,
  vsize: vsizeOf(tx),
  weight: weightOf(tx),
  locktime: tx.locktime,
  vin: tx.inputs.map((input, i) =>
    inputJson(secp, input, isCoinbase(tx), detail === 'prevouts' ? coins?.[i] : undefined),
  ),
  vout: tx.outputs.map((output, i) => outputJson(secp, output, i)),
  ...(coins && detail !== 'plain' && !isCoinbase(tx) && { fee: btcJson(feeOf(tx, coins)) }),
});

/** `coins` are what `tx` spends, where that is known. */
export const txJson = (secp: Secp, tx: Tx, coins?: readonly Coin[], detail?: Detail) => ({
  ...decodedTxJson(secp, tx, coins, detail),
  hex: toHex(serializeTx(tx)),
});

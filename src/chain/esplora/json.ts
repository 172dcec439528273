/** Chain data in the JSON shapes of Blockstream's Esplora. */
import { type Bytes, reversed, toHex } from '../../base/bytes.ts';
import { sumSats } from '../../base/units.ts';
import { addressOf, type Network } from '../../bitcoin/address.ts';
import { CONSENSUS_FLAGS } from '../../bitcoin/interpreter/flags.ts';
import { targetOf } from '../../bitcoin/proof-of-work.ts';
import { isP2SH, isP2TR, witnessProgram } from '../../bitcoin/script.ts';
import { redeemScript, sigopCostOf } from '../../bitcoin/sigops.ts';
import { isCoinbase, serializeTx, type TxIn, type TxOut, weightOf } from '../../bitcoin/tx.ts';
import type { ChainOutput, ChainTx, ChainUtxo, Confirmation } from '../chain.ts';
import type { BlockSummary, MempoolTx, ScriptActivity } from '../explorer.ts';
import { scriptAsm } from '../script-asm.ts';
import { type ScriptType, scriptTypeOf } from '../script-type.ts';

const TYPES: Readonly<Record<ScriptType, string>> = {
  pubkey: 'p2pk',
  pubkeyhash: 'p2pkh',
  scripthash: 'p2sh',
  multisig: 'multisig',
  nulldata: 'op_return',
  witness_v0_keyhash: 'v0_p2wpkh',
  witness_v0_scripthash: 'v0_p2wsh',
  witness_v1_taproot: 'v1_p2tr',
  anchor: 'anchor',
  witness_unknown: 'unknown',
  nonstandard: 'unknown',
};

/** Money fits a double: there are fewer than 2^53 satoshi. */
const satsJson = (amount: bigint): number => Number(amount);

export const statusJson = (confirmation: Confirmation | undefined) =>
  confirmation
    ? {
        confirmed: true,
        block_height: confirmation.height,
        block_hash: confirmation.blockHash,
        block_time: confirmation.blockTime,
      }
    : { confirmed: false };

export function outputJson(network: Network, { value, script }: TxOut) {
  const address = addressOf(network, script);
  return {
    scriptpubkey: toHex(script),
    scriptpubkey_asm: scriptAsm(script),
    scriptpubkey_type: script.length === 0 ? 'empty' : TYPES[scriptTypeOf(script)],
    ...(address !== undefined && { scriptpubkey_address: address }),
    value: satsJson(value),
  };
}

/** The scripts that spending reveals. */
function innerScripts({ scriptSig, witness }: TxIn, { script }: TxOut) {
  const redeem = isP2SH(script) ? redeemScript(scriptSig) : undefined;
  const program = witnessProgram(redeem ?? script);
  const items = witness.at(-1)?.[0] === 0x50 && witness.length > 1 ? witness.slice(0, -1) : witness;
  const isScriptHash = program?.version === 0 && program.program.length === 32;
  const revealed = isScriptHash ? witness.at(-1) : isP2TR(script) && items.length > 1 ? items.at(-2) : undefined;
  return {
    ...(redeem && { inner_redeemscript_asm: scriptAsm(redeem) }),
    ...(revealed && { inner_witnessscript_asm: scriptAsm(revealed) }),
  };
}

function inputJson(network: Network, input: TxIn, prevout: TxOut | undefined, isCoinbase: boolean) {
  return {
    txid: input.prevout.txid,
    vout: input.prevout.vout,
    prevout: prevout ? outputJson(network, prevout) : null,
    scriptsig: toHex(input.scriptSig),
    scriptsig_asm: scriptAsm(input.scriptSig),
    ...(input.witness.length > 0 && { witness: input.witness.map((item: Bytes) => toHex(item)) }),
    is_coinbase: isCoinbase,
    sequence: input.sequence,
    ...(prevout && innerScripts(input, prevout)),
  };
}

/** `prevouts` are what the transaction spends, as far as known. */
export function txJson(
  network: Network,
  { txid, tx, confirmation }: ChainTx,
  prevouts: readonly (TxOut | undefined)[],
) {
  const known = prevouts.filter((output) => output !== undefined);
  const isWhole = known.length === tx.inputs.length;
  const fee = isWhole ? sumSats(known.map((output) => output.value)) - sumSats(tx.outputs.map((o) => o.value)) : 0n;
  return {
    txid,
    version: tx.version,
    locktime: tx.locktime,
    vin: tx.inputs.map((input, i) => inputJson(network, input, prevouts[i], isCoinbase(tx))),
    vout: tx.outputs.map((output) => outputJson(network, output)),
    size: serializeTx(tx).length,
    weight: weightOf(tx),
    ...((isWhole || isCoinbase(tx)) && { sigops: sigopCostOf(tx, known, CONSENSUS_FLAGS) }),
    fee: satsJson(fee),
    status: statusJson(confirmation),
  };
}

export const utxoJson = ({ outpoint, value, confirmation }: ChainUtxo) => ({
  txid: outpoint.txid,
  vout: outpoint.vout,
  status: statusJson(confirmation),
  value: satsJson(value),
});

export const outspendJson = (spentBy: ChainOutput['spentBy']) =>
  spentBy
    ? { spent: true, txid: spentBy.txid, vin: spentBy.vin, status: statusJson(spentBy.confirmation) }
    : { spent: false };

export const activityJson = (activity: ScriptActivity) => ({
  funded_txo_count: activity.fundedCount,
  funded_txo_sum: satsJson(activity.fundedSum),
  spent_txo_count: activity.spentCount,
  spent_txo_sum: satsJson(activity.spentSum),
  tx_count: activity.txCount,
});

/** Difficulty 1: the target of Bitcoin's first block. */
const UNIT_TARGET = 0xffffn << 208n;
const difficultyOf = (bits: number): number => Number(UNIT_TARGET) / Number(targetOf(bits)!);

export const blockJson = ({ hash, height, header, medianTime, txids, size, weight }: BlockSummary) => ({
  id: hash,
  height,
  version: header.version,
  timestamp: header.time,
  tx_count: txids.length,
  size,
  weight,
  merkle_root: toHex(reversed(header.merkleRoot)),
  previousblockhash: height === 0 ? null : header.previous,
  mediantime: medianTime,
  nonce: header.nonce,
  bits: header.bits,
  difficulty: difficultyOf(header.bits),
});

export const recentJson = ({ txid, tx, fee, vsize }: MempoolTx) => ({
  txid,
  fee: satsJson(fee),
  vsize,
  value: satsJson(sumSats(tx.outputs.map((output) => output.value))),
});

/** Virtual bytes that one line of the histogram holds. */
const HISTOGRAM_STEP = 50_000;

/** Pairs of a fee rate and the virtual bytes that pay at least that and less than the pair before. */
export function mempoolJson(entries: readonly MempoolTx[]) {
  const rates = entries.map(({ fee, vsize }) => ({ rate: Number(fee) / vsize, vsize })).sort((a, b) => b.rate - a.rate);
  const histogram: [number, number][] = [];
  let held = 0;
  for (const [i, { rate, vsize }] of rates.entries()) {
    held += vsize;
    if (held < HISTOGRAM_STEP && i < rates.length - 1) continue;
    histogram.push([rate, held]);
    held = 0;
  }
  return {
    count: entries.length,
    vsize: entries.reduce((sum, { vsize }) => sum + vsize, 0),
    total_fee: satsJson(sumSats(entries.map(({ fee }) => fee))),
    fee_histogram: histogram,
  };
}

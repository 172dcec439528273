/** What `getblockstats` counts. Amounts and fee rates in satoshi; the coinbase counts for outputs only. */
import { sumSats } from '../../../base/units.ts';
import { hasWitness, serializeOutput, serializeTx, type Tx, type TxOut, weightOf } from '../../../bitcoin/tx.ts';
import { type Coin, isUnspendable } from '../coin.ts';
import { subsidyAt } from '../params.ts';
import type { IndexedBlock } from './block-index.ts';
import { demand } from './error.ts';
import { type Json, satsJson } from './json.ts';

/** Bytes that bitcoind holds for an unspent output besides the output: outpoint, height and coinbase flag. */
const UTXO_OVERHEAD = 36 + 4 + 1;
const utxoSize = (output: TxOut): number => serializeOutput(output).length + UTXO_OVERHEAD;

interface Measured {
  readonly tx: Tx;
  readonly size: number;
  readonly weight: number;
  readonly fee: bigint;
  /** Satoshi per virtual byte, rounded down. */
  readonly rate: bigint;
}

const totalOf = (outputs: readonly TxOut[]): bigint => sumSats(outputs.map(({ value }) => value));
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const sorted = (values: readonly bigint[]): bigint[] => [...values].sort((a, b) => Number(a - b));
const divide = (total: bigint, count: number): bigint => (count === 0 ? 0n : total / BigInt(count));

function measure(tx: Tx, coins: readonly Coin[]): Measured {
  const weight = weightOf(tx);
  const fee = totalOf(coins) - totalOf(tx.outputs);
  return { tx, size: serializeTx(tx).length, weight, fee, rate: divide(fee * 4n, weight) };
}

/** The mean of the middle two where there is no middle one, rounded down. */
function median(values: readonly bigint[]): bigint {
  const order = sorted(values);
  const middle = order.length >> 1;
  if (order.length === 0) return 0n;
  return order.length % 2 === 1 ? order[middle]! : (order[middle - 1]! + order[middle]!) / 2n;
}

/** Fee rates below which 10, 25, 50, 75 and 90 percent of the weight pay. */
function percentiles(txs: readonly Measured[]): readonly bigint[] {
  const byRate = [...txs].sort((a, b) => Number(a.rate - b.rate) || a.weight - b.weight);
  const total = sum(txs.map(({ weight }) => weight));
  return [0.1, 0.25, 0.5, 0.75, 0.9].map((share) => {
    let weight = 0;
    const at = byRate.find((tx) => (weight += tx.weight) >= total * share) ?? byRate.at(-1);
    return at?.rate ?? 0n;
  });
}

const extremes = (name: string, values: readonly bigint[]) => {
  const order = sorted(values);
  return { [`min${name}`]: satsJson(order[0] ?? 0n), [`max${name}`]: satsJson(order.at(-1) ?? 0n) };
};

function utxoStats(block: IndexedBlock, spent: readonly Coin[]) {
  const outputs = block.block.txs.flatMap((tx) => tx.outputs);
  // Consensus: the first block's outputs can never be spent.
  const lasting = block.height === 0 ? [] : outputs.filter((output) => !isUnspendable(output));
  const freed = sum(spent.map(utxoSize));
  return {
    ins: spent.length,
    outs: outputs.length,
    utxo_increase: outputs.length - spent.length,
    utxo_size_inc: sum(outputs.map(utxoSize)) - freed,
    utxo_increase_actual: lasting.length - spent.length,
    utxo_size_inc_actual: sum(lasting.map(utxoSize)) - freed,
  };
}

function allStats(block: IndexedBlock, spent: readonly (readonly Coin[])[]): Readonly<Record<string, unknown>> {
  const { header, txs } = block.block;
  const paying = txs.slice(1).map((tx, i) => measure(tx, spent[i + 1]!));
  const segwit = paying.filter(({ tx }) => hasWitness(tx));
  const fees = paying.map(({ fee }) => fee);
  const rates = paying.map(({ rate }) => rate);
  const sizes = paying.map(({ size }) => BigInt(size));
  const totalFee = sumSats(fees);
  const totalWeight = sum(paying.map(({ weight }) => weight));
  return {
    avgfee: satsJson(divide(totalFee, paying.length)),
    avgfeerate: satsJson(divide(totalFee * 4n, totalWeight)),
    avgtxsize: satsJson(divide(sumSats(sizes), paying.length)),
    blockhash: block.hash,
    feerate_percentiles: percentiles(paying).map(satsJson),
    height: block.height,
    ...extremes('fee', fees),
    ...extremes('feerate', rates),
    ...extremes('txsize', sizes),
    medianfee: satsJson(median(fees)),
    mediantime: block.medianTime,
    mediantxsize: satsJson(median(sizes)),
    subsidy: satsJson(subsidyAt(block.height)),
    swtotal_size: sum(segwit.map(({ size }) => size)),
    swtotal_weight: sum(segwit.map(({ weight }) => weight)),
    swtxs: segwit.length,
    time: header.time,
    total_out: satsJson(sumSats(paying.map(({ tx }) => totalOf(tx.outputs)))),
    total_size: satsJson(sumSats(sizes)),
    total_weight: totalWeight,
    totalfee: satsJson(totalFee),
    txs: txs.length,
    ...utxoStats(block, spent.flat()),
  };
}

/** All there are, or those named. */
export function blockStats(block: IndexedBlock, spent: readonly (readonly Coin[])[], names: readonly Json[]) {
  const all = allStats(block, spent);
  if (names.length === 0) return all;
  return Object.fromEntries(
    names.map((name) => {
      const isKnown = typeof name === 'string' && Object.hasOwn(all, name);
      demand(isKnown, 'invalidParameter', `Invalid selected statistic '${String(name).slice(0, 40)}'`);
      return [name, all[name]];
    }),
  );
}

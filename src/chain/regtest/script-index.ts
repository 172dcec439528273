/** What the confirmed chain did with each output script: its transactions, what is unspent, and sums. */
import { type Outpoint, type OutpointKey, outpointKey, type Txid } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import { type Tx, txidOf } from '../../bitcoin/tx.ts';
import type { ScriptTotals } from '../explorer.ts';
import { type ScriptHash, scriptHashOf } from '../script-hash.ts';
import { type Coin, isUnspendable } from './coin.ts';

export interface ScriptRecord {
  /** In the order of the chain. */
  readonly history: readonly Txid[];
  readonly unspent: ReadonlyMap<OutpointKey, Outpoint>;
  readonly totals: ScriptTotals;
}

class Entry implements ScriptRecord {
  readonly history: Txid[] = [];
  readonly unspent = new Map<OutpointKey, Outpoint>();
  totals: ScriptTotals = { fundedCount: 0, fundedSum: 0n, spentCount: 0, spentSum: 0n };

  fund(sign: 1 | -1, value: bigint): void {
    const { fundedCount, fundedSum } = this.totals;
    this.totals = { ...this.totals, fundedCount: fundedCount + sign, fundedSum: fundedSum + BigInt(sign) * value };
  }

  spend(sign: 1 | -1, value: bigint): void {
    const { spentCount, spentSum } = this.totals;
    this.totals = { ...this.totals, spentCount: spentCount + sign, spentSum: spentSum + BigInt(sign) * value };
  }
}

export class ScriptIndex {
  readonly #entries = new Map<ScriptHash, Entry>();

  get(script: ScriptHash): ScriptRecord | undefined {
    return this.#entries.get(script);
  }

  /** Follows `tx` into a block; `coins` are what it spends, none for a coinbase. */
  connect(tx: Tx, coins: readonly Coin[]): void {
    const txid = txidOf(tx);
    const touched = new Set<Entry>();
    for (const [i, coin] of coins.entries()) {
      const entry = this.#entry(coin.script);
      entry.unspent.delete(outpointKey(tx.inputs[i]!.prevout));
      entry.spend(1, coin.value);
      touched.add(entry);
    }
    for (const [vout, output] of tx.outputs.entries()) {
      if (isUnspendable(output)) continue;
      const entry = this.#entry(output.script);
      entry.unspent.set(outpointKey({ txid, vout }), { txid, vout });
      entry.fund(1, output.value);
      touched.add(entry);
    }
    for (const entry of touched) entry.history.push(txid);
  }

  /** Undoes the last {@link connect}. */
  disconnect(tx: Tx, coins: readonly Coin[]): void {
    const txid = txidOf(tx);
    const touched = new Set<Entry>();
    for (const [vout, output] of tx.outputs.entries()) {
      if (isUnspendable(output)) continue;
      const entry = this.#entry(output.script);
      entry.unspent.delete(outpointKey({ txid, vout }));
      entry.fund(-1, output.value);
      touched.add(entry);
    }
    for (const [i, coin] of coins.entries()) {
      const entry = this.#entry(coin.script);
      const { prevout } = tx.inputs[i]!;
      entry.unspent.set(outpointKey(prevout), prevout);
      entry.spend(-1, coin.value);
      touched.add(entry);
    }
    for (const entry of touched) invariant(entry.history.pop() === txid, 'history is undone in reverse');
  }

  #entry(script: Coin['script']): Entry {
    const hash = scriptHashOf(script);
    let entry = this.#entries.get(hash);
    if (!entry) this.#entries.set(hash, (entry = new Entry()));
    return entry;
  }
}

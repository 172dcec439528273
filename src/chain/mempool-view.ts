/** What a mempool means for one script. */
import type { ChainUtxo } from './chain.ts';
import type { ScriptActivity } from './explorer.ts';
import { isUnspendable } from './regtest/coin.ts';
import type { Mempool } from './regtest/mempool.ts';
import { type ScriptHash, scriptHashOf } from './script-hash.ts';

export function mempoolActivity(pool: Mempool, script: ScriptHash): ScriptActivity {
  let [fundedCount, fundedSum, spentCount, spentSum, txCount] = [0, 0n, 0, 0n, 0];
  for (const txid of pool.touching(script)) {
    const { tx, coins } = pool.get(txid)!;
    const funded = tx.outputs.filter((output) => scriptHashOf(output.script) === script);
    const spent = coins.filter((coin) => scriptHashOf(coin.script) === script);
    fundedCount += funded.length;
    spentCount += spent.length;
    for (const { value } of funded) fundedSum += value;
    for (const { value } of spent) spentSum += value;
    txCount++;
  }
  return { fundedCount, fundedSum, spentCount, spentSum, txCount };
}

/** Unconfirmed coins of `script` that nothing in the mempool spends. */
export function mempoolCoins(pool: Mempool, script: ScriptHash): ChainUtxo[] {
  const found: ChainUtxo[] = [];
  for (const txid of pool.touching(script)) {
    for (const [vout, output] of pool.get(txid)!.tx.outputs.entries()) {
      const outpoint = { txid, vout };
      if (scriptHashOf(output.script) !== script || isUnspendable(output) || pool.spender(outpoint)) continue;
      found.push({ outpoint, ...output, isCoinbase: false });
    }
  }
  return found;
}

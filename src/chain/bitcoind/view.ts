/** Answers of the chain port from what is known at one moment: the index below, the mempool on top. */
import type { Outpoint, Txid } from '../../base/bytes.ts';
import { isCoinbase } from '../../bitcoin/tx.ts';
import type { ChainOutput, ChainTx, ChainUtxo } from '../chain.ts';
import { mempoolCoins } from '../mempool-view.ts';
import type { ScriptHash } from '../script-hash.ts';
import type { KnownChain } from './follower.ts';

export async function transactionOf({ index, pool }: KnownChain, txid: Txid): Promise<ChainTx | undefined> {
  const waiting = pool.get(txid);
  return waiting ? { txid, tx: waiting.tx } : index.transaction(txid);
}

export async function spenderOf({ index, pool }: KnownChain, outpoint: Outpoint): Promise<ChainOutput['spentBy']> {
  return pool.spender(outpoint) ?? index.spender(outpoint);
}

export async function outputOf(known: KnownChain, outpoint: Outpoint): Promise<ChainOutput | undefined> {
  const found = await transactionOf(known, outpoint.txid);
  const output = found?.tx.outputs[outpoint.vout];
  if (!found || !output) return undefined;
  const { tx, confirmation } = found;
  const spentBy = await spenderOf(known, outpoint);
  return { ...output, isCoinbase: isCoinbase(tx), ...(confirmation && { confirmation }), ...(spentBy && { spentBy }) };
}

export async function unspentOf({ index, pool }: KnownChain, script: ScriptHash): Promise<readonly ChainUtxo[]> {
  const confirmed = (await index.unspent(script)).filter((coin) => !pool.spender(coin.outpoint));
  return [...confirmed, ...mempoolCoins(pool, script)];
}

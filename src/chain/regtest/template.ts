/** Which mempool transactions go into the next block: those that pay best with all they depend on. */
import { MAX_BLOCK_SIGOP_COST, MAX_BLOCK_WEIGHT } from '../../bitcoin/block.ts';
import { compareRates, feeAt, type SatsPerKvb, type Sized, sumOf } from './fee-rate.ts';
import type { Mempool, MempoolEntry } from './mempool.ts';

/** Consensus limits, less what header and coinbase may need. */
const MAX_WEIGHT = MAX_BLOCK_WEIGHT - 8_000;
const MAX_SIGOP_COST = MAX_BLOCK_SIGOP_COST - 400;

/** Parents first. Leaves behind what pays less than `minimum`, alone or with a child that is worth it. */
export function selectForBlock(pool: Mempool, minimum: SatsPerKvb): readonly MempoolEntry[] {
  const chosen = new Set<MempoolEntry>();
  let weight = 0;
  let sigopCost = 0;

  function tryAdd(entry: MempoolEntry): void {
    if (chosen.has(entry)) return;
    // Ancestors come nearest first; the mempool's order has parents before children.
    const missing = [...pool.ancestorsOf(entry.tx), entry].filter((part) => !chosen.has(part));
    const cost = sumOf(missing);
    const addedWeight = missing.reduce((sum, part) => sum + part.weight, 0);
    const addedSigops = missing.reduce((sum, part) => sum + part.sigopCost, 0);
    if (cost.fee < feeAt(minimum, cost.vsize)) return;
    if (weight + addedWeight > MAX_WEIGHT || sigopCost + addedSigops > MAX_SIGOP_COST) return;
    weight += addedWeight;
    sigopCost += addedSigops;
    for (const part of missing.sort((a, b) => order.get(a)! - order.get(b)!)) chosen.add(part);
  }

  const order = new Map<MempoolEntry, number>();
  const offers: { readonly entry: MempoolEntry; readonly offer: Sized }[] = [];
  for (const entry of pool.entries()) {
    order.set(entry, order.size);
    offers.push({ entry, offer: sumOf([entry, ...pool.ancestorsOf(entry.tx)]) });
  }
  offers.sort((a, b) => Number(compareRates(b.offer, a.offer)));
  for (const { entry } of offers) tryAdd(entry);
  return [...chosen];
}

/**
 * Several chain sources as one that believes the worst of them: an owner who asks two explorers is fooled only by both.
 * What one does not confirm is unconfirmed, what one has seen spent is spent, the highest tip counts.
 */
import { outpointKey } from '../../base/bytes.ts';
import { feeRate } from '../../base/units.ts';
import type { ChainSource, Placed, SourceCoin, SourceSpend, SourceTx } from './chain-source.ts';
import { insist } from './errors.ts';

/** Confirmed if all say so; of different blocks the lower one, after which a batch expires sooner. */
function agreed(answers: readonly { readonly confirmation?: Placed }[]): { readonly confirmation?: Placed } {
  const placed = answers.map(({ confirmation }) => confirmation);
  if (!placed.every((each) => each !== undefined)) return {};
  const [lowest] = placed.sort((a, b) => a.height - b.height);
  return lowest ? { confirmation: lowest } : {};
}

/** Throws `CHAIN_SOURCE_FAILED` when one of them does not answer; a broadcast needs one that takes it. */
export function createWarySource(sources: readonly ChainSource[]): ChainSource {
  insist(sources.length > 0, 'CHAIN_SOURCE_FAILED', 'there is nobody to ask');
  const all = <T>(ask: (source: ChainSource) => Promise<T>): Promise<T[]> => Promise.all(sources.map(ask));

  async function send(deliver: (source: ChainSource) => Promise<void>): Promise<void> {
    const results = await Promise.allSettled(sources.map(deliver));
    if (results.some(({ status }) => status === 'fulfilled')) return;
    throw (results[0] as PromiseRejectedResult).reason;
  }

  return {
    async tip() {
      const tips = await all((source) => source.tip());
      return {
        height: Math.max(...tips.map(({ height }) => height)),
        medianTime: Math.max(...tips.map(({ medianTime }) => medianTime)),
      };
    },
    async transaction(txid): Promise<SourceTx | undefined> {
      const found = await all((source) => source.transaction(txid));
      if (!found.every((each) => each !== undefined)) return undefined;
      return { tx: found[0]!.tx, ...agreed(found) };
    },
    async spender(outpoint): Promise<SourceSpend | undefined> {
      const spends = (await all((source) => source.spender(outpoint))).filter((spend) => spend !== undefined);
      return spends.find(({ confirmation }) => confirmation) ?? spends[0];
    },
    async unspent(script): Promise<readonly SourceCoin[]> {
      const [first, ...others] = await all((source) => source.unspent(script));
      return first!.flatMap((coin) => {
        const key = outpointKey(coin.outpoint);
        const same = others.map((coins) => coins.find(({ outpoint }) => outpointKey(outpoint) === key));
        const { outpoint, output } = coin;
        return same.every((each) => each !== undefined) ? [{ outpoint, output, ...agreed([coin, ...same]) }] : [];
      });
    },
    feeRate: async (target) => feeRate(Math.max(...(await all((source) => source.feeRate(target))))),
    broadcast: (tx) => send((source) => source.broadcast(tx)),
    broadcastPackage: (parent, child) => send((source) => source.broadcastPackage(parent, child)),
  };
}

/** Broadcasts the server's pre-signed transactions, which pay no fee, with a child of its wallet that does. */
import { feeRate as toFeeRate } from '../../base/units.ts';
import { anchorChild, anchorOf } from '../../bitcoin/package.ts';
import { type Tx, txidOf } from '../../bitcoin/tx.ts';
import type { ArkContext } from './context.ts';

export type BumpResult = 'broadcast' | 'known' | 'no-coin';

/** An urgent transaction has a deadline: it aims at the next block and doubles what that is said to cost. */
const URGENCY = 2;

export interface FeeBumper {
  /** Broadcasts `parent` in a package. `no-coin` when the wallet has no confirmed coin that pays for it. */
  broadcast(parent: Tx): Promise<BumpResult>;
}

export function createFeeBumper(ctx: ArkContext): FeeBumper {
  const { chain, wallet } = ctx;

  async function childOf(parent: Tx): Promise<Tx | undefined> {
    const rate = toFeeRate((await chain.feeRate(1)) * URGENCY);
    const anchor = anchorOf(parent);
    // The smallest coin that suffices: the large ones are wanted for batches.
    const coins = (await wallet.confirmed()).toReversed();
    for (const coin of coins) {
      const child = anchorChild(parent, coin, wallet.script, rate, ctx.settings().dust);
      if (!child || anchor === undefined) continue;
      const prevouts = [parent.outputs[anchor]!, coin.output];
      const witness = [wallet.sign(child, 1, prevouts)];
      return { ...child, inputs: child.inputs.map((input, i) => (i === 1 ? { ...input, witness } : input)) };
    }
    return undefined;
  }

  return {
    async broadcast(parent) {
      if (await chain.transaction(txidOf(parent))) return 'known';
      const child = await childOf(parent);
      if (!child) {
        ctx.log.error({ txid: txidOf(parent) }, 'the wallet has no confirmed coin to pay for an urgent transaction');
        return 'no-coin';
      }
      await chain.broadcastPackage(parent, child);
      return 'broadcast';
    },
  };
}

/** The end of a unilateral exit: an unrolled VTXO whose output was spent on chain is spent, and its wallet should know. */
import type { ArkContext } from './context.ts';
import { markClaimed, outpointOf, unclaimed } from './store/vtxos.ts';
import type { Unrolls } from './unrolls.ts';
import type { Chore } from './watcher.ts';

export function createClaimWatch({ db, chain, clock, log }: ArkContext, unrolls: Unrolls): Chore {
  return async () => {
    for (const vtxo of await unclaimed(db)) {
      const output = await chain.output(outpointOf(vtxo));
      if (!output) await unrolls.checkGone(vtxo);
      const spentBy = output?.spentBy;
      if (!spentBy?.confirmation) continue;
      await db.write((tx) => markClaimed(tx, vtxo.outpoint, spentBy.txid, clock.now()));
      log.info({ outpoint: vtxo.outpoint, claimedBy: spentBy.txid }, 'an unrolled VTXO was claimed');
    }
  };
}

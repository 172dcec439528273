/** Notices VTXOs that have come on chain, and that have left it again. */
import type { Txid } from '../../base/bytes.ts';
import type { ArkContext } from './context.ts';
import { batchByCommitment } from './store/batches.ts';
import { markUnrolled, markVirtual, type Vtxo, virtualTxidsAmong } from './store/vtxos.ts';

export interface Unrolls {
  /** Marks the VTXOs that these transactions, seen in the mempool or a block, have made. True when there were any. */
  notice(txids: readonly Txid[]): Promise<boolean>;
  /** Asks the chain for these transactions and notices those that it has. */
  lookFor(txids: readonly Txid[]): Promise<void>;
  /** Puts a VTXO that counts as unrolled back into circulation if neither chain nor mempool have its transaction. */
  checkGone(vtxo: Vtxo): Promise<void>;
}

/** Questions to the chain at a time. */
const AT_ONCE = 64;

export function createUnrolls({ db, chain, clock, log, metrics }: ArkContext): Unrolls {
  async function notice(txids: readonly Txid[]): Promise<boolean> {
    let noticed = false;
    for (const txid of await virtualTxidsAmong(db, txids)) {
      const unrolled = await db.write((tx) => markUnrolled(tx, txid, clock.now()));
      noticed ||= unrolled.length > 0;
      for (const { outpoint, spentBy, arkTxid } of unrolled) {
        if (spentBy) {
          metrics.fraud.add({ kind: arkTxid ? 'checkpoint' : 'forfeit', outcome: 'noticed' });
          log.warn({ outpoint, spentBy }, 'a spent VTXO was unrolled');
        } else log.info({ outpoint }, 'a VTXO was unrolled');
      }
    }
    return noticed;
  }

  return {
    notice,

    async lookFor(txids) {
      for (let at = 0; at < txids.length; at += AT_ONCE) {
        const some = txids.slice(at, at + AT_ONCE);
        const found = await Promise.all(some.map((txid) => chain.transaction(txid)));
        await notice(some.filter((_, i) => found[i]));
      }
    },

    async checkGone({ txid, outpoint, commitmentTxids }) {
      if (await chain.transaction(txid)) return;
      // While a commitment is missing itself, the fate of its batch decides.
      const batches = await Promise.all(commitmentTxids.map((commitment) => batchByCommitment(db, commitment)));
      if (batches.some((batch) => batch?.confirmedHeight === undefined)) return;
      await db.write((tx) => markVirtual(tx, txid, clock.now()));
      log.info({ outpoint }, 'a VTXO that had been unrolled is not on chain any more');
    },
  };
}

/** The operator's calls about batches, which their API calls rounds. */
import { formatBtc } from '../../base/units.ts';
import { isMature } from '../../bitcoin/timelock.ts';
import { txHex, txidOf } from '../../bitcoin/tx.ts';
import { secondsUntil } from '../protocol/expiry.ts';
import type { AdminService } from '../wire/gen/ark/v1/admin_pb.ts';
import { commaTexts, flag, malformed, range, requiredText, txid } from '../wire/request.ts';
import { refused } from '../wire/status.ts';
import type { Calls } from './call.ts';
import type { ArkContext } from './context.ts';
import type { Standing } from './remnants.ts';
import { type Batch, batchById, batchIds, collectedBy, feesCollected, unsweptBatches } from './store/batches.ts';
import { vtxosSpentBy } from './store/vtxos.ts';
import type { Sweeper } from './sweeper.ts';

export const roundCalls = (ctx: ArkContext, sweeper: Sweeper): Partial<Calls<typeof AdminService>> => ({
  async getRounds(request) {
    const [withFailed, withCompleted] = [flag(request, 'withFailed'), flag(request, 'withCompleted')];
    const filter = { withFailed, withCompleted: withCompleted || !withFailed };
    return { rounds: await batchIds(ctx.db, { ...range(request, 'after', 'before'), ...filter }) };
  },
  async getRoundDetails(request) {
    const id = requiredText(request, 'roundId');
    const batch = await batchById(ctx.db, id);
    if (!batch) throw refused('NOT_FOUND', `there is no round ${id.slice(0, 100)}`);
    return printRound(ctx, batch);
  },
  async getExpiredRounds() {
    const [tip, batches] = [await ctx.chain.tip(), await unsweptBatches(ctx.db)];
    const now = ctx.nowSeconds();
    return {
      rounds: batches
        .filter(({ summary, expiresAt }) => summary.vtxoCount > 0 && isMature(expiresAt, tip))
        .map(({ id, commitmentTxid, expiresAt }) => ({
          roundId: id,
          commitmentTxid: commitmentTxid!,
          expiredAt: `${now + secondsUntil(expiresAt, tip, now)}`,
        })),
    };
  },
  async getScheduledSweep() {
    const [tip, now] = [await ctx.chain.tip(), ctx.nowSeconds()];
    const printOutput = ({ outpoint, value, ripeAt }: Standing) => ({
      ...outpoint,
      amount: formatBtc(value),
      scheduledAt: `${ripeAt === undefined ? 0 : now + secondsUntil(ripeAt, tip, now)}`,
    });
    return {
      sweeps: (await sweeper.scheduled()).map(({ batch, standing }) => ({
        roundId: batch.id,
        confirmed: batch.confirmedHeight !== undefined,
        outputs: standing.map(printOutput),
      })),
    };
  },
  async sweep(request) {
    const commitmentTxids = commaTexts(request, 'commitmentTxids').map(txid);
    const connectors = flag(request, 'connectors');
    if (commitmentTxids.length === 0 && !connectors) throw malformed('say commitmentTxids, connectors, or both');
    const tx = await sweeper.sweepNow({ commitmentTxids, connectors });
    return { txid: txidOf(tx), hex: txHex(tx) };
  },
  getCollectedFees: async (request) => ({
    collectedFees: `${await feesCollected(ctx.db, range(request, 'after', 'before'))}`,
  }),
});

async function printRound(ctx: ArkContext, { id, startedAt, endedAt, commitmentTxid, summary, outputs }: Batch) {
  const spent = commitmentTxid ? await vtxosSpentBy(ctx.db, 'settled_by', commitmentTxid) : [];
  return {
    roundId: id,
    startedAt: `${startedAt}`,
    endedAt: `${endedAt}`,
    commitmentTxid: commitmentTxid ?? '',
    forfeitedAmount: formatBtc(summary.forfeitedAmount),
    totalVtxosAmount: formatBtc(summary.vtxoAmount),
    totalExitAmount: formatBtc(summary.exitAmount),
    totalFeeAmount: formatBtc(collectedBy(summary)),
    inputsVtxos: spent.map((vtxo) => vtxo.outpoint),
    outputsVtxos: outputs.map(({ txid, vout }) => `${txid}:${vout}`),
    exitAddresses: summary.exitAddresses,
  };
}

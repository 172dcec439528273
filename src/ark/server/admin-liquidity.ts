/** The operator's calls about money that VTXOs hold. */
import { sumSats } from '../../base/units.ts';
import type { AdminService } from '../wire/gen/ark/v1/admin_pb.ts';
import { range } from '../wire/request.ts';
import type { Calls } from './call.ts';
import type { ArkContext } from './context.ts';
import { dated } from './liquidity.ts';
import { liveByExpiry, owed } from './store/liquidity.ts';

export const liquidityCalls = (ctx: ArkContext): Partial<Calls<typeof AdminService>> => ({
  /** From now on unless told otherwise. */
  async getExpiringLiquidity(request) {
    const now = ctx.nowSeconds();
    const { after, before } = range({ ...request, after: request.after || now }, 'after', 'before');
    const within = (await dated(ctx, await liveByExpiry(ctx.db))).filter(
      ({ inSeconds }) => now + inSeconds > after && (before === 0 || now + inSeconds < before),
    );
    return { amount: `${sumSats(within.map(({ amount }) => amount))}` };
  },
  getRecoverableLiquidity: async () => ({ amount: `${(await owed(ctx.db)).recoverable}` }),
});

/** The operator's calls (`/v1/admin`), on a port of their own behind a token. */
import type { AdminToken } from '../../runtime/token.ts';
import { AdminService } from '../wire/gen/ark/v1/admin_pb.ts';
import { WalletInitializerService, WalletService } from '../wire/gen/ark/v1/wallet_pb.ts';
import { ADMIN_ROUTES } from '../wire/routes.ts';
import { authCalls } from './admin-auth.ts';
import { convictionCalls } from './admin-convictions.ts';
import { intentCalls } from './admin-intents.ts';
import { liquidityCalls } from './admin-liquidity.ts';
import { roundCalls } from './admin-rounds.ts';
import { termCalls } from './admin-terms.ts';
import { initializerCalls, listUtxos, listWithdrawals, walletCalls } from './admin-wallet.ts';
import type { ArkContext } from './context.ts';
import type { Door } from './door.ts';
import { liquidityReport } from './liquidity.ts';
import type { LiveSettings } from './live-settings.ts';
import { mountSignerApi } from './signer-api.ts';
import type { Sweeper } from './sweeper.ts';
import type { Withdrawals } from './withdrawals.ts';

export interface AdminApiParts {
  readonly ctx: ArkContext;
  readonly settings: LiveSettings;
  readonly sweeper: Sweeper;
  readonly withdrawals: Withdrawals;
  readonly token: AdminToken;
}

/** `door` asks for the operator's token. */
export function mountAdminApi(door: Door, { ctx, settings, sweeper, withdrawals, token }: AdminApiParts): void {
  mountSignerApi(door, ctx.signers);
  door.serve(WalletInitializerService, initializerCalls(ctx));
  door.serve(WalletService, walletCalls(ctx, withdrawals));
  door.serve(AdminService, {
    ...termCalls(settings),
    ...intentCalls(ctx),
    ...roundCalls(ctx, sweeper),
    ...convictionCalls(ctx),
    ...liquidityCalls(ctx),
    ...authCalls(token),
    getMainAccountUtxos: () => listUtxos(ctx),
  });
  door.on(ADMIN_ROUTES.withdrawals, () => listWithdrawals(ctx));
  door.on(ADMIN_ROUTES.liquidityReport, (c) => liquidityReport(ctx, c.req.query()));
}

import type { ConfigSource } from '../../runtime/config.ts';
import { call, controlUrl, runningProcess } from '../remote.ts';

interface ChainStatus {
  readonly height: number;
  readonly tip: string;
}

interface WalletBalance {
  readonly mainAccount: { readonly available: string; readonly locked: string };
}

/** `canalworks status`: what runs where, how high the chain is, what the server's wallet holds. */
export async function status(flags: ConfigSource, json: boolean): Promise<void> {
  const running = runningProcess(flags);
  const [chain, wallet] = await Promise.all([
    call<ChainStatus>(running, controlUrl(running, 'status')),
    call<WalletBalance>(running, `${running.ark.adminUrl}/v1/admin/wallet/balance`),
  ]);
  const { available, locked } = wallet.mainAccount;
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...running, tip: chain, wallet: { available, locked } })}\n`);
    return;
  }
  process.stdout.write(
    `canalworks ${running.version} on ${running.network}, process ${running.pid}
Ark server      ${running.ark.url}
Ark admin       ${running.ark.adminUrl}
Delegator       ${running.ark.delegatorUrl}
Block explorer  ${running.chain.esplora}
Chain           height ${chain.height}, tip ${chain.tip}
Server wallet   ${available} BTC available, ${locked} BTC locked
`,
  );
}

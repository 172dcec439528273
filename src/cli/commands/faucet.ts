import { parseSats } from '../../base/units.ts';
import type { ConfigSource } from '../../runtime/config.ts';
import { argument } from '../argument.ts';
import { call, controlUrl, runningProcess } from '../remote.ts';

/** `canalworks faucet ADDRESS SATS`: broadcasts a payment and prints its txid; a block has to confirm it. */
export async function faucet(address: string, sats: string, flags: ConfigSource): Promise<void> {
  const amount = String(argument('SATS', sats, parseSats));
  const running = runningProcess(flags);
  const { txid } = await call<{ txid: string }>(running, controlUrl(running, 'faucet'), { address, amount });
  process.stdout.write(`${txid}\n`);
}

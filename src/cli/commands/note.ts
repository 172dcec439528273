import { parseSats } from '../../base/units.ts';
import type { ConfigSource } from '../../runtime/config.ts';
import { argument } from '../argument.ts';
import { call, runningProcess } from '../remote.ts';

/** `canalworks note SATS`: prints an Ark note, which a wallet redeems for that much. */
export async function note(sats: string, flags: ConfigSource): Promise<void> {
  const amount = String(argument('SATS', sats, parseSats));
  const running = runningProcess(flags);
  const url = `${running.ark.adminUrl}/v1/admin/note`;
  const { notes } = await call<{ notes: readonly string[] }>(running, url, { amount, quantity: 1 });
  process.stdout.write(`${notes.join('\n')}\n`);
}

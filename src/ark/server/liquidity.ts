/** How the server's money stands: what it has, what batches hold, what it owes, and what the next days will ask for. */
import { sumSats, unixSeconds } from '../../base/units.ts';
import { secondsUntil } from '../protocol/expiry.ts';
import { type Dated, forecast, SECONDS_PER_DAY } from '../protocol/liquidity.ts';
import { type Fields, malformed, whole } from '../wire/request.ts';
import { printTime } from '../wire/settings.ts';
import { connectorBalance } from './admin-wallet.ts';
import type { ArkContext } from './context.ts';
import { type Expiring, liveByExpiry, lockedByExpiry, outstandingNotes, owed } from './store/liquidity.ts';

const DEFAULT_DAYS = 14;
const MAX_DAYS = 366;
/** Wallets of the Arkade SDK renew three days before expiry. */
const DEFAULT_LEAD = 3;

/** When each amount expires, in seconds from now. */
export async function dated({ chain, nowSeconds }: ArkContext, list: readonly Expiring[]): Promise<Dated[]> {
  const [tip, now] = [await chain.tip(), nowSeconds()];
  return list.map(({ expiresAt, amount }) => ({ inSeconds: secondsUntil(expiresAt, tip, now), amount }));
}

function bounded(fields: Fields, name: string, least: number, fallback: number): number {
  const value = whole(fields[name], name, fallback);
  if (value < least || value > MAX_DAYS) throw malformed(`${name} must be from ${least} to ${MAX_DAYS}`);
  return value;
}

/** Amounts are satoshi; `days` and `lead` (days before expiry at which VTXOs are renewed) may be asked for. */
export async function liquidityReport(ctx: ArkContext, request: Fields) {
  const [days, lead] = [bounded(request, 'days', 1, DEFAULT_DAYS), bounded(request, 'lead', 0, DEFAULT_LEAD)];
  const { db, wallet } = ctx;
  const [balance, connectors] = [await wallet.balance(), await connectorBalance(ctx)];
  const [live, locked] = [await dated(ctx, await liveByExpiry(db)), await dated(ctx, await lockedByExpiry(db))];
  const [{ recoverable }, notes] = [await owed(db), await outstandingNotes(db)];
  const facts = { available: balance.available, live, locked, claimable: recoverable + notes };
  const now = ctx.nowSeconds();
  const total = (list: readonly Dated[]): string => `${sumSats(list.map(({ amount }) => amount))}`;
  return {
    wallet: {
      available: `${balance.available}`,
      locked: `${balance.locked}`,
      connectors: `${connectors.available + connectors.locked}`,
    },
    locked: total(locked),
    live: total(live),
    recoverable: `${recoverable}`,
    notes: `${notes}`,
    days: forecast(facts, days, lead).map(({ day, expiring, returning, renewing, balance: left }) => ({
      day,
      from: printTime(unixSeconds(now + day * SECONDS_PER_DAY)),
      expiring: `${expiring}`,
      returning: `${returning}`,
      renewing: `${renewing}`,
      balance: `${left}`,
    })),
  };
}

/** Convictions and what they lead to: an input script with too many of them is shut out for a while. */
import type { OutpointKey } from '../../base/bytes.ts';
import { arkError } from '../protocol/errors.ts';
import type { ArkContext } from './context.ts';
import { activeConvictions, type Conviction, type CrimeType, insertConviction } from './store/convictions.ts';

/**
 * Throws `VTXO_BANNED` while `script` (hex) has as many convictions as the settings tolerate, or one by the operator's
 * own hand.
 */
export async function checkNotBanned(ctx: ArkContext, script: string, outpoint: OutpointKey): Promise<void> {
  const convictions = await activeConvictions(ctx.db, script, ctx.nowSeconds());
  if (!isBanned(convictions, ctx.settings().banThreshold)) return;
  const never = convictions.some(({ expiresAt }) => expiresAt === 0);
  const until = never ? 0 : Math.max(...convictions.map(({ expiresAt }) => expiresAt));
  const reason = convictions.at(-1)!.reason;
  throw arkError('VTXO_BANNED', `${outpoint} is banned ${never ? 'for good' : `until ${until}`}: ${reason}`, {
    vtxo_outpoint: outpoint,
    banned_until: `${until}`,
  });
}

const isBanned = (convictions: readonly Conviction[], threshold: number): boolean =>
  convictions.some(({ crime }) => crime === 'MANUAL') || (threshold > 0 && convictions.length >= threshold);

/** Shuts a script (hex) out by the operator's own hand, for `seconds` or for good. Returns the conviction's id. */
export async function banScript(
  ctx: ArkContext,
  { script, seconds, reason }: { readonly script: string; readonly seconds?: number; readonly reason: string },
): Promise<string> {
  const [id, createdAt] = [ctx.newId(), ctx.nowSeconds()];
  const expiresAt = seconds === undefined ? 0 : createdAt + seconds;
  await ctx.db.write((tx) =>
    insertConviction(tx, { id, script, crime: 'MANUAL', batchId: '', reason, createdAt, expiresAt }),
  );
  ctx.metrics.convictions.add({ crime: 'MANUAL' });
  return id;
}

export interface Charge {
  readonly script: string;
  readonly crime: CrimeType;
  readonly reason: string;
}

/** Writes down what happened in a batch; each script is charged once for it. */
export async function convict(ctx: ArkContext, batchId: string, charges: readonly Charge[]): Promise<void> {
  const byScript = new Map(charges.map((charge) => [charge.script, charge]));
  if (byScript.size === 0) return;
  const createdAt = ctx.nowSeconds();
  const expiresAt = createdAt + ctx.settings().banDuration;
  await ctx.db.write(async (tx) => {
    for (const charge of byScript.values()) {
      await insertConviction(tx, { ...charge, id: ctx.newId(), batchId, createdAt, expiresAt });
    }
  });
  for (const { crime } of byScript.values()) ctx.metrics.convictions.add({ crime });
}

/** Convictions and what they lead to: an input script with too many of them is shut out for a while. */
import type { OutpointKey } from '../../base/bytes.ts';
import { arkError } from '../protocol/errors.ts';
import type { ArkContext } from './context.ts';
import { activeConvictions, type CrimeType, insertConviction } from './store/convictions.ts';

/** Throws `VTXO_BANNED` while `script` (hex) has as many convictions as the settings tolerate. */
export async function checkNotBanned(ctx: ArkContext, script: string, outpoint: OutpointKey): Promise<void> {
  const { banThreshold } = ctx.settings();
  if (banThreshold === 0) return;
  const convictions = await activeConvictions(ctx.db, script, ctx.nowSeconds());
  if (convictions.length < banThreshold) return;
  const until = Math.max(...convictions.map((conviction) => conviction.expiresAt));
  throw arkError('VTXO_BANNED', `${outpoint} is banned until ${until}: ${convictions.at(-1)!.reason}`, {
    vtxo_outpoint: outpoint,
    banned_until: `${until}`,
  });
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

/** Boarding coins that their owners spent on chain while a batch was to spend them: nobody else could have. */
import { type OutpointKey, parseOutpoint, type Txid } from '../../base/bytes.ts';
import { isBoarding } from './batch-build.ts';
import type { ArkContext } from './context.ts';
import type { StoredIntent } from './store/intents.ts';

/** Intent id → its boarding coins that another transaction than `commitmentTxid` spends, in a block or on the way. */
export async function doubleSpends(
  ctx: ArkContext,
  intents: readonly StoredIntent[],
  commitmentTxid?: Txid,
): Promise<ReadonlyMap<string, readonly OutpointKey[]>> {
  const found = new Map<string, OutpointKey[]>();
  for (const { id, intent } of intents) {
    for (const { outpoint } of intent.inputs.filter(isBoarding)) {
      const { spentBy } = (await ctx.chain.output(parseOutpoint(outpoint))) ?? {};
      if (spentBy && spentBy.txid !== commitmentTxid) found.set(id, [...(found.get(id) ?? []), outpoint]);
    }
  }
  return found;
}

/** Asks the operator's batch trigger about the intents that a batch would begin with. */
import { sumSats } from '../../base/units.ts';
import { mayStart } from '../protocol/batch-trigger.ts';
import { isBoarding } from './batch-build.ts';
import type { ArkContext } from './context.ts';
import type { StoredIntent } from './store/intents.ts';

const CONFIRM_WITHIN_BLOCKS = 2;

/** True as well when the trigger fails: a bad formula is logged and must not keep everybody waiting. */
export async function mayBegin(
  ctx: ArkContext,
  intents: readonly StoredIntent[],
  sinceLastBatch: number,
): Promise<boolean> {
  const { batchTrigger } = ctx.settings();
  if (batchTrigger === '') return true;
  const inputs = intents.flatMap(({ intent }) => intent.inputs);
  const outputs = intents.flatMap(({ intent }) => [...intent.receivers, ...intent.onchain]);
  const boarding = inputs.filter(isBoarding);
  const total = sumSats(inputs.map((input) => input.amount));
  try {
    return mayStart(batchTrigger, {
      intents: intents.length,
      boardingInputs: boarding.length,
      boardingAmount: sumSats(boarding.map((input) => input.amount)),
      intentFees: total - sumSats(outputs.map((output) => output.value)),
      feeRate: await ctx.chain.feeRate(CONFIRM_WITHIN_BLOCKS),
      sinceLastBatch,
      now: ctx.nowSeconds(),
    });
  } catch (error) {
    ctx.log.error({ err: error }, 'the batch trigger failed, so the batch may start');
    return true;
  }
}

/** The operator's calls about the queue, and about notes that will come to stand in it. */
import { parseOutpoint, toHex } from '../../base/bytes.ts';
import { addressOf } from '../../bitcoin/address.ts';
import { demand } from '../protocol/errors.ts';
import type { AdminService } from '../wire/gen/ark/v1/admin_pb.ts';
import { amount, commaTexts, texts, whole } from '../wire/request.ts';
import { isBoarding } from './batch-build.ts';
import type { Calls } from './call.ts';
import type { ArkContext } from './context.ts';
import { createNotes } from './notes.ts';
import type { RegisteredInput } from './registration.ts';
import { allIntents, deleteIntents, type StoredIntent } from './store/intents.ts';

export const intentCalls = (ctx: ArkContext): Partial<Calls<typeof AdminService>> => ({
  async createNote(request) {
    const [value, quantity] = [amount(request.amount, 'amount'), whole(request.quantity, 'quantity')];
    return { notes: await createNotes(ctx, value, quantity === 0 ? 1 : quantity) };
  },
  async listIntents(request) {
    const ids = commaTexts(request, 'intentIds');
    const intents = (await allIntents(ctx.db)).filter((stored) => ids.length === 0 || ids.includes(stored.id));
    return { intents: intents.map((stored) => printIntent(ctx, stored)) };
  },
  /** What a batch under way has taken stays: its owner may have signed already. */
  async deleteIntents(request) {
    const ids = texts(request, 'intentIds');
    const wanted = (await allIntents(ctx.db)).filter(
      ({ id, batchId }) => batchId === undefined && (ids.length === 0 || ids.includes(id)),
    );
    demand(wanted.length > 0 || ids.length === 0, 'INTENT_NOT_FOUND', 'no queued intent has such an id');
    const queued = wanted.map(({ id }) => id);
    await ctx.db.write((tx) => deleteIntents(tx, queued));
    return {};
  },
});

function printIntent(ctx: ArkContext, { id, createdAt, intent, message: text, proof }: StoredIntent) {
  const input = ({ outpoint, amount: value }: RegisteredInput) => {
    const { txid, vout } = parseOutpoint(outpoint);
    return { txid, vout, amount: `${value}` };
  };
  return {
    id,
    createdAt: `${Math.floor(createdAt / 1000)}`,
    receivers: [
      ...intent.receivers.map(({ value, script }) => ({ vtxoScript: toHex(script), amount: `${value}` })),
      ...intent.onchain.map(({ value, script }) => ({
        onchainAddress: addressOf(ctx.chain.network, script) ?? '',
        amount: `${value}`,
      })),
    ],
    inputs: intent.inputs.filter((item) => !isBoarding(item)).map(input),
    boardingInputs: intent.inputs.filter(isBoarding).map(input),
    cosignersPublicKeys: intent.cosigners,
    intent: { proof, message: text },
  };
}

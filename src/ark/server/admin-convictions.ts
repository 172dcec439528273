/** The operator's calls about who misbehaved, and who is shut out. */
import type { AdminService, CrimeTypeJson } from '../wire/gen/ark/v1/admin_pb.ts';
import { commaTexts, malformed, range, requiredText, scriptHex, text, whole } from '../wire/request.ts';
import { refused } from '../wire/status.ts';
import { banScript } from './bans.ts';
import type { Calls } from './call.ts';
import type { ArkContext } from './context.ts';
import {
  activeConvictions,
  type Conviction,
  type CrimeType,
  convictionById,
  convictionsInRange,
  convictionsOfBatch,
  pardonConviction,
} from './store/convictions.ts';

/** Those that arkd does not know are told by their reason alone. */
const CRIMES = {
  NONCES: 'CRIME_TYPE_MUSIG2_NONCE_SUBMISSION',
  SIGNATURES: 'CRIME_TYPE_MUSIG2_SIGNATURE_SUBMISSION',
  FORFEIT: 'CRIME_TYPE_FORFEIT_SUBMISSION',
  BOARDING_SIGNATURE: 'CRIME_TYPE_BOARDING_INPUT_SUBMISSION',
  CONFIRMATION: 'CRIME_TYPE_UNSPECIFIED',
  DOUBLE_SPEND: 'CRIME_TYPE_UNSPECIFIED',
  MANUAL: 'CRIME_TYPE_MANUAL_BAN',
} as const satisfies Record<CrimeType, CrimeTypeJson>;

const MAX_REASON = 500;

const print = ({ id, createdAt, expiresAt, pardoned, script, crime, batchId, reason }: Conviction) => ({
  id,
  type: 'CONVICTION_TYPE_SCRIPT' as const,
  createdAt: `${createdAt}`,
  expiresAt: `${expiresAt}`,
  pardoned,
  script,
  crimeType: CRIMES[crime],
  roundId: batchId,
  reason,
});
const printAll = (convictions: readonly Conviction[]) => ({ convictions: convictions.map(print) });

const unknown = (id: string): Error => refused('NOT_FOUND', `there is no conviction ${id.slice(0, 100)}`);

export const convictionCalls = (ctx: ArkContext): Partial<Calls<typeof AdminService>> => ({
  async getConvictions(request) {
    const ids = commaTexts(request, 'ids');
    if (ids.length === 0) throw malformed('missing ids');
    const found: Conviction[] = [];
    for (const id of ids) {
      const conviction = await convictionById(ctx.db, id);
      if (!conviction) throw unknown(id);
      found.push(conviction);
    }
    return printAll(found);
  },
  async getConvictionsInRange(request) {
    const { after, before } = range(request, 'from', 'to');
    return printAll(await convictionsInRange(ctx.db, after, before));
  },
  getConvictionsByRound: async (request) =>
    printAll(await convictionsOfBatch(ctx.db, requiredText(request, 'roundId'))),
  getActiveScriptConvictions: async (request) =>
    printAll(await activeConvictions(ctx.db, scriptHex(requiredText(request, 'script')), ctx.nowSeconds())),
  async pardonConviction(request) {
    const id = requiredText(request, 'id');
    if (!(await ctx.db.write((tx) => pardonConviction(tx, id)))) throw unknown(id);
    return {};
  },
  async banScript(request) {
    const script = scriptHex(requiredText(request, 'script'));
    const seconds = whole(request.banDuration, 'banDuration');
    const reason = text(request, 'reason');
    if (seconds < 0) throw malformed('banDuration must not be negative');
    if (reason.length > MAX_REASON) throw malformed(`reason has more than ${MAX_REASON} characters`);
    await banScript(ctx, { script, reason, ...(seconds > 0 && { seconds }) });
    return {};
  },
});

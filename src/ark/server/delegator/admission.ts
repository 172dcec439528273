/** Takes delegations in: verified against the server's word, and durable before the owner is told so. */
import { equal, type OutpointKey, outpointKey, toHex } from '../../../base/bytes.ts';
import { ProtocolError } from '../../../base/errors.ts';
import { LOCKTIME_THRESHOLD } from '../../../bitcoin/timelock.ts';
import { createAccount } from '../../client/account.ts';
import type { ArkClient } from '../../client/client.ts';
import { type ReportedVtxo, vtxosByOutpoint } from '../../client/vtxos.ts';
import {
  type Delegation,
  type DelegationRequest,
  type DelegationRules,
  parseDelegation,
} from '../../protocol/delegation.ts';
import { demand } from '../../protocol/errors.ts';
import type { IntentCoin } from '../../protocol/intent.ts';
import { CLOCK_LEEWAY } from '../../protocol/intent-message.ts';
import {
  countWaitingDelegations,
  delegationsHolding,
  deleteDelegation,
  insertDelegation,
} from '../store/delegations.ts';
import { type DelegatorParts, nowSeconds } from './parts.ts';

/** Why the delegator refuses, besides what the Ark server would refuse, too. */
export type DelegationErrorCode =
  /** A coin stands in another delegation, and the owner asked to leave it so. */
  | 'DELEGATION_EXISTS'
  /** A coin's delegation is being carried out right now. */
  | 'DELEGATION_UNDER_WAY'
  | 'DELEGATOR_FULL';

/** Bounds what strangers can make the delegator hold. */
const MAX_WAITING = 100_000;
/** Nobody sleeps longer. */
const LONGEST_WAIT_SECONDS = 400 * 86_400;
/** Before its expiry a VTXO must be renewed by this many seconds, so that a failed batch or two do no harm. */
const MARGIN_SECONDS = 60;
const OUTPOINTS_PER_CALL = 64;

export const rulesOf = ({ secp, terms }: ArkClient, { secret, fee }: DelegatorParts): DelegationRules => ({
  delegate: toHex(secp.publicKey(secret)),
  signers: terms.signers,
  forfeitScript: terms.forfeitScript,
  dust: terms.dust,
  fee,
  feeScript: createAccount(secp, terms, secret).vtxo.script,
});

/** What the server says of a delegation's coins, by outpoint. */
export async function reportedCoins(
  client: ArkClient,
  { coins }: Delegation,
): Promise<ReadonlyMap<OutpointKey, ReportedVtxo>> {
  const found = new Map<OutpointKey, ReportedVtxo>();
  const outpoints = coins.map(({ outpoint }) => outpoint);
  for (let at = 0; at < outpoints.length; at += OUTPOINTS_PER_CALL) {
    for (const vtxo of await vtxosByOutpoint(client, outpoints.slice(at, at + OUTPOINTS_PER_CALL))) {
      found.set(outpointKey(vtxo.outpoint), vtxo);
    }
  }
  return found;
}

function checkCoin(
  { outpoint, amount, script }: IntentCoin,
  vtxo: ReportedVtxo | undefined,
  hasForfeit: boolean,
): void {
  const key = outpointKey(outpoint);
  const data = { vtxo_outpoint: key };
  demand(vtxo, 'VTXO_NOT_FOUND', `${key} is no VTXO`, data);
  const same = vtxo.amount === amount && equal(vtxo.script, script);
  demand(same, 'INVALID_INTENT_PROOF', `amount or script of ${key} differ`, data);
  demand(!vtxo.isSpent, 'VTXO_ALREADY_SPENT', `${key} is already spent`, data);
  demand(!vtxo.isUnrolled, 'VTXO_ALREADY_UNROLLED', `${key} is unrolled`, data);
  demand(vtxo.isSwept || hasForfeit, 'INVALID_FORFEIT_TXS', `there is no forfeit for ${key}`, data);
}

/** An expiry told as a height cannot be compared with the time that the owner chose. */
function checkInTime(validAt: number, vtxos: readonly ReportedVtxo[], now: number): void {
  const ends = vtxos.filter((vtxo) => !vtxo.isSwept && vtxo.expiresAt >= LOCKTIME_THRESHOLD);
  const end = Math.min(...ends.map((vtxo) => vtxo.expiresAt));
  const data = { valid_at: `${validAt}`, expire_at: `${end}`, now: `${now}` };
  const soon = validAt - now <= LONGEST_WAIT_SECONDS;
  demand(soon, 'INVALID_INTENT_TIMERANGE', 'the intent becomes valid in more than 400 days', data);
  const inTime = validAt <= now || validAt + MARGIN_SECONDS <= end;
  demand(inTime, 'INVALID_INTENT_TIMERANGE', 'the intent becomes valid when its VTXOs are about to expire', data);
}

/**
 * Verifies and stores a delegation under `id`, in the place of earlier ones of its coins unless `rejectReplace`. Those in
 * `active` are being carried out. Throws an `ArkError` or one of {@link DelegationErrorCode}.
 */
export async function admit(
  parts: DelegatorParts,
  client: ArkClient,
  request: DelegationRequest,
  options: { readonly id: string; readonly rejectReplace: boolean; readonly active: ReadonlySet<string> },
): Promise<void> {
  const delegation = parseDelegation(parts.secp, request, rulesOf(client, parts));
  const { coins, forfeits, validAt } = delegation;
  const reported = await reportedCoins(client, delegation);
  for (const coin of coins) {
    const key = outpointKey(coin.outpoint);
    checkCoin(coin, reported.get(key), forfeits.has(key));
  }
  const now = nowSeconds(parts);
  checkInTime(validAt, [...reported.values()], now);
  const refuse = (code: DelegationErrorCode, message: string) => new ProtocolError(code, message);
  const { id, rejectReplace, active } = options;
  const keys = coins.map(({ outpoint }) => outpointKey(outpoint));
  await parts.db.write(async (tx) => {
    for (const earlier of await delegationsHolding(tx, keys)) {
      if (rejectReplace) throw refuse('DELEGATION_EXISTS', `a coin is part of delegation ${earlier}`);
      if (active.has(earlier)) throw refuse('DELEGATION_UNDER_WAY', `delegation ${earlier} is being carried out`);
      await deleteDelegation(tx, earlier);
    }
    const isFull = (await countWaitingDelegations(tx)) >= MAX_WAITING;
    if (isFull) throw refuse('DELEGATOR_FULL', 'no more delegations are taken for now');
    await insertDelegation(
      tx,
      { ...request, id, validAt, createdAt: now, dueAt: Math.max(validAt - CLOCK_LEEWAY, now) },
      keys,
    );
  });
}

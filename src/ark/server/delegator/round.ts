/**
 * One round of the delegator: what is due is looked up, queued at the server and seen through its batches together,
 * since one key cosigns for all of them. What a round leaves undone the next one tries again.
 */
import { outpointKey } from '../../../base/bytes.ts';
import { messageOf, ProtocolError } from '../../../base/errors.ts';
import { unixSeconds } from '../../../base/units.ts';
import { parsePsbt, psbtBase64 } from '../../../bitcoin/psbt.ts';
import { SIGHASH } from '../../../bitcoin/sighash.ts';
import type { RelativeTimelock } from '../../../bitcoin/timelock.ts';
import { type ArkClient, post } from '../../client/client.ts';
import { insist, reading } from '../../client/errors.ts';
import type { MessageStream } from '../../client/transport.ts';
import type { CosignerKey } from '../../client/tree-cosigning.ts';
import type { ReportedVtxo } from '../../client/vtxos.ts';
import { type Delegation, parseDelegation } from '../../protocol/delegation.ts';
import { SECONDS_PER_BLOCK, secondsUntil } from '../../protocol/expiry.ts';
import { signLeaves } from '../../protocol/leaf-spend.ts';
import { requiredText } from '../../wire/request.ts';
import { ARK_ROUTES } from '../../wire/routes.ts';
import {
  endDelegation,
  noteDelegationIntent,
  postponeDelegation,
  type StoredDelegation,
} from '../store/delegations.ts';
import { reportedCoins, rulesOf } from './admission.ts';
import { type DelegatorParts, nowSeconds } from './parts.ts';
import { createDelegateSession, needsDelegate, type QueuedDelegation } from './session.ts';

/** Silence about its delegations after which a round ends. */
const PATIENCE_MS = 60_000;
const FIRST_RETRY_SECONDS = 5;
const LONGEST_RETRY_SECONDS = 600;

/** A delegation whose coins are still there. */
interface Fit {
  readonly stored: StoredDelegation;
  readonly delegation: Delegation;
  readonly vtxos: readonly ReportedVtxo[];
}

export interface RoundParts extends DelegatorParts {
  readonly client: ArkClient;
  readonly cosigner: CosignerKey;
  readonly signal: AbortSignal;
}

const retryIn = (attempts: number): number =>
  Math.min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** Math.min(attempts, 10));

/** Never throws: whatever goes wrong is logged, and what is not settled by the end is due again later. */
export async function runRound(parts: RoundParts, due: readonly StoredDelegation[]): Promise<void> {
  const open = new Map(due.map((stored) => [stored.id, stored]));
  try {
    const fit: Fit[] = [];
    for (const stored of due) {
      const found = await examine(parts, stored).catch((error) => giveTime(parts, stored, error));
      if (found === 'ended') open.delete(stored.id);
      else if (found !== 'later') fit.push(found);
    }
    if (fit.length > 0) await carryOut(parts, fit, (id) => open.delete(id));
  } catch (error) {
    parts.log.warn({ err: error, delegations: [...open.keys()] }, 'a round of delegated renewals failed');
  }
  for (const { id, attempts } of open.values()) {
    if (parts.signal.aborted) return;
    await parts.db.write((tx) => postponeDelegation(tx, id, nowSeconds(parts) + retryIn(attempts)));
  }
}

/** A key in its leaves may have been retired by the server since: nothing to be done, until it is back or all is spent. */
function giveTime({ log }: RoundParts, { id }: StoredDelegation, error: unknown): 'later' {
  if (!(error instanceof ProtocolError)) throw error;
  log.warn(
    { delegation: id, code: error.code, reason: error.message },
    'a delegated renewal cannot be carried out now',
  );
  return 'later';
}

/** Ends a delegation that is done already or cannot be carried out any more; else returns it with its coins. */
async function examine(parts: RoundParts, stored: StoredDelegation): Promise<Fit | 'ended'> {
  const { client, secp } = parts;
  const delegation = parseDelegation(secp, stored, { ...rulesOf(client, parts), fee: 0n });
  const reported = await reportedCoins(client, delegation);
  const vtxos = delegation.coins.map(({ outpoint }) => reported.get(outpointKey(outpoint)));
  const [settledBy] = vtxos.map((vtxo) => vtxo?.settledBy);
  if (settledBy && vtxos.every((vtxo) => vtxo?.settledBy === settledBy)) {
    return end(parts, stored.id, 'done', settledBy);
  }
  const gone = vtxos.findIndex((vtxo) => !vtxo || vtxo.isSpent || vtxo.isUnrolled);
  if (gone >= 0) {
    const reason = vtxos[gone]?.isUnrolled ? 'was put on chain' : 'was spent by its owner';
    return end(parts, stored.id, 'failed', `${outpointKey(delegation.coins[gone]!.outpoint)} ${reason}`);
  }
  const { expireAt } = delegation;
  if (expireAt > 0 && nowSeconds(parts) > expireAt) return end(parts, stored.id, 'failed', 'has expired');
  return { stored, delegation, vtxos: vtxos as ReportedVtxo[] };
}

async function end({ db, log }: RoundParts, id: string, state: 'done' | 'failed', outcome: string): Promise<'ended'> {
  const ended = await db.write((tx) => endDelegation(tx, id, state, outcome));
  if (ended) log[state === 'done' ? 'info' : 'warn']({ delegation: id, outcome }, `a delegated renewal is ${state}`);
  return 'ended';
}

async function carryOut(parts: RoundParts, fit: readonly Fit[], onSettled: (id: string) => void): Promise<void> {
  const { client, cosigner, signal } = parts;
  const coins = fit.flatMap(({ delegation }) => delegation.coins.map(({ outpoint }) => outpointKey(outpoint)));
  const query = { topics: [cosigner.id, ...coins] };
  const stream = await client.transport.open({ route: ARK_ROUTES.batchEvents, query });
  signal.addEventListener('abort', stream.close);
  const watch = patience(parts, stream);
  try {
    const queued: QueuedDelegation[] = [];
    for (const each of fit) queued.push(...(await enqueue(parts, each)));
    const session = createDelegateSession({ client, cosigner, queued, checkLife: await lifeCheck(parts, fit) });
    try {
      if (session.isOver()) return;
      for await (const message of stream) {
        const calls = session.receive(message);
        if (calls.length > 0) watch.renew();
        for (const call of calls) await post(client, call);
        for (const { id, commitmentTxid } of session.settled()) {
          await end(parts, id, 'done', commitmentTxid);
          onSettled(id);
        }
        if (session.isOver()) return;
      }
    } finally {
      session.forget();
    }
  } finally {
    watch.end();
    signal.removeEventListener('abort', stream.close);
    stream.close();
  }
}

function patience({ clock }: RoundParts, stream: MessageStream) {
  let cancel = clock.setTimer(PATIENCE_MS, stream.close);
  return {
    renew() {
      cancel();
      cancel = clock.setTimer(PATIENCE_MS, stream.close);
    },
    end: () => cancel(),
  };
}

/** Queues a delegation at the server. Empty when the server refuses it for now. */
async function enqueue(parts: RoundParts, { stored, delegation, vtxos }: Fit): Promise<QueuedDelegation[]> {
  const { client, secp, entropy, secret, cosigner, db, log } = parts;
  const { id, message, proof } = stored;
  const queuedAs = (intentId: string): QueuedDelegation[] => {
    const owing = new Set(vtxos.filter((vtxo) => !vtxo.isSwept).map(({ outpoint }) => outpointKey(outpoint)));
    const owed = [...delegation.forfeits].filter(([key]) => owing.has(key)).map(([, forfeit]) => forfeit);
    return [{ id, intentId, delegation, owed }];
  };
  const signed = needsDelegate(delegation, cosigner.public.slice(1))
    ? psbtBase64(signLeaves(secp, parsePsbt(proof), secret, entropy.bytes(32), SIGHASH.ALL))
    : proof;
  try {
    const body = { intent: { proof: signed, message } };
    const answer = await post(client, { route: ARK_ROUTES.registerIntent, body });
    const intentId = reading(() => requiredText(answer, 'intentId'));
    await db.write((tx) => noteDelegationIntent(tx, id, intentId));
    return queuedAs(intentId);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    // It may be ours, from before a crash or from a round that lost patience.
    const isQueued = error.code === 'INTERNAL_ERROR' && messageOf(error).includes('already registered');
    if (isQueued && stored.intentId) return queuedAs(stored.intentId);
    log.warn({ delegation: id, code: error.code, reason: messageOf(error) }, 'the server refuses a delegated renewal');
    return [];
  }
}

/** A new batch must not end before the VTXOs that it replaces. */
async function lifeCheck(parts: RoundParts, fit: readonly Fit[]) {
  const tip = await parts.chain.tip();
  const now = unixSeconds(nowSeconds(parts));
  const left = new Map(
    fit.map(({ stored, vtxos }) => [
      stored.id,
      Math.max(...vtxos.filter((vtxo) => !vtxo.isSwept).map(({ expiresAt }) => secondsUntil(expiresAt, tip, now))),
    ]),
  );
  return ({ type, value }: RelativeTimelock, members: readonly QueuedDelegation[]): void => {
    const life = type === 'blocks' ? value * SECONDS_PER_BLOCK : value;
    const outlives = members.every(({ id }) => life >= left.get(id)!);
    insist(outlives, 'EXPIRY_TOO_SOON', 'the batch would end before the VTXOs that it replaces');
  };
}

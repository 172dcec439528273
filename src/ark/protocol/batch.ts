/**
 * One batch from the first queued intent to its commitment transaction:
 *
 *   idle → gathering → confirming → building → noncing → signing → forfeiting → finalizing → idle
 *
 * The machine knows who owes what by when, and whom to blame; it never sees a key, a nonce or a signature. Batches
 * without a VTXO tree skip noncing and signing. A batch that fails names its offenders, whose inputs are convicted;
 * everybody else's intent is queued again, and the next batch begins as soon as clients can be back. What turns out
 * before there is a tree costs the others nothing: the batch goes on without. Nothing here survives a restart: a batch
 * that was running then has failed, and its inputs are free.
 */
import type { OutpointKey } from '../../base/bytes.ts';
import { go, type Step, stay } from '../../base/step.ts';

/** An intent selected for a batch, as far as the machine cares. */
export interface BatchMember {
  readonly intentId: string;
  /** What its owner's event stream listens to: input outpoints and cosigner keys. */
  readonly topics: readonly string[];
  /** Tree cosigner keys of its owner (compressed hex); empty when it asks for no VTXO. */
  readonly cosigners: readonly string[];
  /** Inputs owing a forfeit, and on-chain inputs owing a signature on the commitment transaction. */
  readonly owes: readonly OutpointKey[];
}

/**
 * An intent that did not deliver in a phase, or whose on-chain coin its owner spent elsewhere (`spending`). Anybody may
 * post under anybody's key, so an invalid delivery is refused and blamed on nobody; what counts is that no valid one
 * came in time.
 */
export interface Offence {
  readonly intentId: string;
  readonly phase: 'noncing' | 'signing' | 'forfeiting' | 'spending';
}

/**
 * Why an intent goes back to the queue. `wronged`: others spoiled the batch, which costs it nothing. `unconfirmed`: its
 * owner did not answer. `failed`: the server's own fault, or nobody's.
 */
export type RequeueCause = 'wronged' | 'unconfirmed' | 'failed';

interface Running {
  readonly id: string;
  /** Unix milliseconds by which the whole batch must be done. */
  readonly end: number;
  readonly members: readonly BatchMember[];
}

export type BatchState =
  | { readonly at: 'idle' }
  | { readonly at: 'gathering' }
  | (Running & { readonly at: 'confirming'; readonly acked: readonly string[] })
  | (Running & { readonly at: 'building' })
  | (Running & { readonly at: 'noncing' | 'signing'; readonly awaiting: readonly string[] })
  | (Running & { readonly at: 'forfeiting'; readonly awaiting: readonly OutpointKey[] })
  | (Running & { readonly at: 'finalizing' });

/** Every event carries `now` in unix milliseconds. */
export type BatchEvent = { readonly now: number } & (
  | { readonly type: 'intentQueued' }
  | { readonly type: 'timedOut'; readonly phase: BatchState['at']; readonly id?: string }
  | {
      readonly type: 'intentsSelected';
      readonly id: string;
      readonly members: readonly BatchMember[];
      /** It is not the time for a batch yet: they wait on. */
      readonly held?: boolean;
    }
  | { readonly type: 'intentAcked'; readonly intentId: string }
  | { readonly type: 'batchBuilt'; readonly hasTree: boolean }
  /** `unfit` intents are dropped; those among them in `spent` are to blame for it. */
  | {
      readonly type: 'buildFailed';
      readonly reason: string;
      readonly unfit: readonly string[];
      readonly spent: readonly string[];
    }
  | { readonly type: 'noncesReceived' | 'signaturesReceived'; readonly cosigner: string }
  | { readonly type: 'debtSettled'; readonly outpoint: OutpointKey }
  | { readonly type: 'batchSettled'; readonly commitmentTxid: string; readonly more: boolean }
  | { readonly type: 'settlementFailed'; readonly reason: string; readonly spent: readonly string[] }
);

export type BatchEffect =
  | { readonly type: 'schedule'; readonly phase: BatchState['at']; readonly id?: string; readonly until: number }
  | { readonly type: 'selectIntents' }
  | { readonly type: 'announceStart'; readonly id: string; readonly members: readonly BatchMember[] }
  | { readonly type: 'build'; readonly id: string; readonly members: readonly BatchMember[] }
  | { readonly type: 'openSigning'; readonly id: string }
  | { readonly type: 'shareNonces'; readonly id: string }
  | { readonly type: 'shareSignatures'; readonly id: string }
  | { readonly type: 'askForDebts'; readonly id: string }
  | { readonly type: 'settle'; readonly id: string }
  | { readonly type: 'announceEnd'; readonly id: string; readonly commitmentTxid: string }
  | {
      readonly type: 'announceFailure';
      readonly id: string;
      readonly reason: string;
      readonly topics: readonly string[];
    }
  /** The batch goes on without some; `topics` are theirs. */
  | { readonly type: 'leaveOut'; readonly id: string; readonly reason: string; readonly topics: readonly string[] }
  /** Back to the queue, as often as the cause allows. */
  | {
      readonly type: 'requeue';
      readonly id: string;
      readonly intentIds: readonly string[];
      readonly cause: RequeueCause;
    }
  | { readonly type: 'drop'; readonly intentIds: readonly string[] }
  | { readonly type: 'convict'; readonly id: string; readonly offences: readonly Offence[] }
  /** Forget nonces, reservations and everything else of this batch. */
  | { readonly type: 'release'; readonly id: string };

export interface BatchTerms {
  /** Milliseconds from the first intent to the end. */
  readonly sessionMs: number;
  readonly minParticipants: number;
}

type BatchStep = Step<BatchState, BatchEffect>;

export const IDLE: BatchState = { at: 'idle' };

/**
 * Clients open their event stream about when they register: a batch never starts sooner than this after an intent. As
 * long wait those whose batch failed, so that who must register again for it can be back in time.
 */
export const MIN_GATHERING_MS = 1_000;

const gatheringMs = (terms: BatchTerms): number => Math.max(MIN_GATHERING_MS, Math.floor(terms.sessionMs / 6));

const gather = (until: number, ...before: BatchEffect[]): BatchStep =>
  go<BatchState, BatchEffect>({ at: 'gathering' }, ...before, { type: 'schedule', phase: 'gathering', until });

/** A phase may use up to `share` of the time that is left. */
const schedule = (phase: BatchState['at'], { id, end }: Running, now: number, share: number): BatchEffect => ({
  type: 'schedule',
  phase,
  id,
  until: now + Math.max(0, end - now) * share,
});

const idsOf = (members: readonly BatchMember[]): string[] => members.map((member) => member.intentId);
const topicsOf = (members: readonly BatchMember[]): string[] => members.flatMap((member) => member.topics);
const running = ({ id, end, members }: Running): Running => ({ id, end, members });
const without = <T>(list: readonly T[], item: T): T[] => list.filter((other) => other !== item);

export function step(state: BatchState, event: BatchEvent, terms: BatchTerms): BatchStep {
  switch (event.type) {
    case 'intentQueued':
      return state.at === 'idle' ? gather(event.now + gatheringMs(terms)) : stay(state);
    case 'timedOut':
      return isCurrent(state, event) ? timeOut(state, event.now, terms) : stay(state);
    case 'intentsSelected':
      return state.at === 'gathering' ? start(event, terms) : stay(state);
    case 'intentAcked':
      return state.at === 'confirming' ? acknowledge(state, event.intentId) : stay(state);
    case 'batchBuilt':
      return state.at === 'building' ? openAfterBuild(state, event) : stay(state);
    case 'buildFailed':
      return state.at === 'building' ? rebuild(state, event, terms) : stay(state);
    case 'noncesReceived':
      return state.at === 'noncing' ? receiveNonces(state, event) : stay(state);
    case 'signaturesReceived':
      return state.at === 'signing' ? receiveSignatures(state, event) : stay(state);
    case 'debtSettled':
      return state.at === 'forfeiting' ? receiveDebt(state, event.outpoint) : stay(state);
    case 'batchSettled':
      return state.at === 'finalizing' ? finish(state, event, terms) : stay(state);
    case 'settlementFailed':
      return state.at === 'finalizing' ? breakUp(state, event.now, event.reason, spenders(event.spent)) : stay(state);
  }
}

const isCurrent = (state: BatchState, event: { phase: BatchState['at']; id?: string }): boolean =>
  state.at === event.phase && ('id' in state ? state.id : undefined) === event.id;

function start(
  { now, id, members, held = false }: { now: number; id: string; members: readonly BatchMember[]; held?: boolean },
  terms: BatchTerms,
): BatchStep {
  if (members.length === 0) return go(IDLE);
  if (held || members.length < terms.minParticipants) return gather(now + gatheringMs(terms));
  const end = now + terms.sessionMs - gatheringMs(terms);
  const batch: Running = { id, end, members };
  return go<BatchState, BatchEffect>(
    { ...batch, at: 'confirming', acked: [] },
    { type: 'announceStart', id, members },
    schedule('confirming', batch, now, 1 / 2),
  );
}

function acknowledge(state: BatchState & { at: 'confirming' }, intentId: string): BatchStep {
  if (state.acked.includes(intentId) || !state.members.some((member) => member.intentId === intentId))
    return stay(state);
  const acked = [...state.acked, intentId];
  if (acked.length < state.members.length) return stay({ ...state, acked });
  return build(state, state.members);
}

const build = (state: Running, members: readonly BatchMember[], ...before: BatchEffect[]): BatchStep =>
  go<BatchState, BatchEffect>({ ...running(state), members, at: 'building' }, ...before, {
    type: 'build',
    id: state.id,
    members,
  });

function openAfterBuild(state: Running, { now, hasTree }: { now: number; hasTree: boolean }): BatchStep {
  if (!hasTree) return askForDebts(state);
  const awaiting = [...new Set(state.members.flatMap((member) => member.cosigners))];
  return go<BatchState, BatchEffect>(
    { ...running(state), at: 'noncing', awaiting },
    { type: 'openSigning', id: state.id },
    schedule('noncing', state, now, 1 / 3),
  );
}

type Awaiting = BatchState & { at: 'noncing' | 'signing' };

function receiveNonces(state: Awaiting, { cosigner, now }: { cosigner: string; now: number }): BatchStep {
  const awaiting = without(state.awaiting, cosigner);
  if (awaiting.length > 0) return stay({ ...state, awaiting });
  const everybody = [...new Set(state.members.flatMap((member) => member.cosigners))];
  return go<BatchState, BatchEffect>(
    { ...running(state), at: 'signing', awaiting: everybody },
    { type: 'shareNonces', id: state.id },
    schedule('signing', state, now, 1 / 2),
  );
}

function receiveSignatures(state: Awaiting, { cosigner }: { cosigner: string }): BatchStep {
  const awaiting = without(state.awaiting, cosigner);
  if (awaiting.length > 0) return stay({ ...state, awaiting });
  return askForDebts(state, { type: 'shareSignatures', id: state.id });
}

function askForDebts(state: Running, ...before: BatchEffect[]): BatchStep {
  const awaiting = state.members.flatMap((member) => member.owes);
  const ask: BatchEffect = { type: 'askForDebts', id: state.id };
  if (awaiting.length === 0) {
    const settle: BatchEffect = { type: 'settle', id: state.id };
    return go<BatchState, BatchEffect>({ ...running(state), at: 'finalizing' }, ...before, ask, settle);
  }
  const timer: BatchEffect = { type: 'schedule', phase: 'forfeiting', id: state.id, until: state.end };
  return go<BatchState, BatchEffect>({ ...running(state), at: 'forfeiting', awaiting }, ...before, ask, timer);
}

function receiveDebt(state: BatchState & { at: 'forfeiting' }, outpoint: OutpointKey): BatchStep {
  const awaiting = without(state.awaiting, outpoint);
  if (awaiting.length > 0) return stay({ ...state, awaiting });
  return go<BatchState, BatchEffect>({ ...running(state), at: 'finalizing' }, { type: 'settle', id: state.id });
}

function timeOut(state: BatchState, now: number, terms: BatchTerms): BatchStep {
  switch (state.at) {
    case 'gathering':
      return go<BatchState, BatchEffect>(state, { type: 'selectIntents' });
    case 'confirming':
      return closeConfirmation(state, now, terms);
    case 'noncing':
      return breakUp(state, now, 'tree nonces missing', absent(state));
    case 'signing':
      return breakUp(state, now, 'tree signatures missing', absent(state));
    case 'forfeiting':
      return breakUp(state, now, 'forfeits or boarding signatures missing', debtors(state));
    default:
      return stay(state);
  }
}

/** Who did not confirm goes back to the queue without blame; the others go on, if they are enough. */
function closeConfirmation(state: BatchState & { at: 'confirming' }, now: number, terms: BatchTerms): BatchStep {
  const { id, members, acked } = state;
  const present = members.filter((member) => acked.includes(member.intentId));
  const missing = idsOf(members.filter((member) => !present.includes(member)));
  const requeue: BatchEffect = { type: 'requeue', id, intentIds: missing, cause: 'unconfirmed' };
  if (present.length >= Math.max(1, terms.minParticipants)) return build(state, present, requeue);
  const others: BatchEffect = { type: 'requeue', id, intentIds: idsOf(present), cause: 'wronged' };
  return gather(now + gatheringMs(terms), requeue, others, { type: 'release', id });
}

const spenders = (intentIds: readonly string[]): Offence[] =>
  intentIds.map((intentId) => ({ intentId, phase: 'spending' }));

/** Clients have seen nothing of a batch that is being built: who turns out unfit for it is left out and told so. */
function rebuild(
  state: BatchState & { at: 'building' },
  { now, reason, unfit, spent }: BatchEvent & { type: 'buildFailed' },
  terms: BatchTerms,
): BatchStep {
  const { id, members } = state;
  const rest = members.filter((member) => !unfit.includes(member.intentId));
  const tooFew = rest.length < Math.max(1, terms.minParticipants);
  if (unfit.length === 0 || tooFew) return breakUp(state, now, reason, spenders(spent), unfit);
  const out = members.filter((member) => unfit.includes(member.intentId));
  return build(
    state,
    rest,
    { type: 'convict', id, offences: spenders(spent) },
    { type: 'drop', intentIds: idsOf(out) },
    { type: 'leaveOut', id, reason, topics: topicsOf(out) },
  );
}

const absent = ({ at, awaiting, members }: Awaiting): Offence[] =>
  members
    .filter((member) => member.cosigners.some((cosigner) => awaiting.includes(cosigner)))
    .map((member) => ({ intentId: member.intentId, phase: at }));

const debtors = ({ awaiting, members }: BatchState & { at: 'forfeiting' }): Offence[] =>
  members
    .filter((member) => member.owes.some((outpoint) => awaiting.includes(outpoint)))
    .map((member) => ({ intentId: member.intentId, phase: 'forfeiting' }));

/**
 * A member that asks for no VTXO and has not been asked for a forfeit takes part in the next batch as if it were the
 * first: for everybody else the clients' protocol leads on from a failure only through another registration.
 */
const canGoOn = (at: BatchState['at'], { cosigners, owes }: BatchMember): boolean =>
  cosigners.length === 0 && (owes.length === 0 || (at !== 'forfeiting' && at !== 'finalizing'));

/** Ends a batch without a commitment: offenders and unfit intents are dropped, the others get another try at once. */
function breakUp(
  state: BatchState & Running,
  now: number,
  reason: string,
  offences: readonly Offence[],
  unfit: readonly string[] = [],
): BatchStep {
  const { id, members } = state;
  const out = [...new Set([...offences.map((offence) => offence.intentId), ...unfit])];
  const rest = members.filter((member) => !out.includes(member.intentId));
  const cause = out.length > 0 ? 'wronged' : 'failed';
  const told = members.filter((member) => !rest.includes(member) || !canGoOn(state.at, member));
  return gather(
    now + MIN_GATHERING_MS,
    { type: 'convict', id, offences },
    { type: 'drop', intentIds: out },
    { type: 'requeue', id, intentIds: idsOf(rest), cause },
    { type: 'announceFailure', id, reason, topics: topicsOf(told) },
    { type: 'release', id },
  );
}

function finish(
  state: Running,
  { now, commitmentTxid, more }: { now: number; commitmentTxid: string; more: boolean },
  terms: BatchTerms,
): BatchStep {
  const effects: BatchEffect[] = [
    { type: 'announceEnd', id: state.id, commitmentTxid },
    { type: 'release', id: state.id },
  ];
  return more ? gather(now + gatheringMs(terms), ...effects) : go<BatchState, BatchEffect>(IDLE, ...effects);
}

/** Runs the batch machine: turns calls and timers into events, and effects into deeds. One batch at a time. */
import type { OutpointKey } from '../../base/bytes.ts';
import { invariant, messageOf } from '../../base/errors.ts';
import { addressed } from '../../runtime/message-stream.ts';
import type { GraphSignatures } from '../../txgraph/cosign.ts';
import {
  type BatchEffect,
  type BatchEvent,
  type BatchState,
  IDLE,
  type Offence,
  type RequeueCause,
  step,
} from '../protocol/batch.ts';
import { nodePsbt } from '../protocol/batch-tree.ts';
import { demand } from '../protocol/errors.ts';
import { wireDelay } from '../protocol/settings.ts';
import * as wire from '../wire/batch-events.ts';
import { createAliases } from './aliases.ts';
import { type Charge, convict } from './bans.ts';
import { type BuiltBatch, buildBatch, isBoarding, memberOf, UnfitError } from './batch-build.ts';
import type { Settler } from './batch-settle.ts';
import { mayBegin } from './batch-start.ts';
import type { ArkContext } from './context.ts';
import { createDebts, type Debts } from './debts.ts';
import { doubleSpends } from './double-spends.ts';
import type { EventHub } from './event-hub.ts';
import { createPhaseWatch } from './metrics.ts';
import type { Registration } from './registration.ts';
import { createStanding } from './standing.ts';
import {
  countQueued,
  deleteIntents,
  queuedIntents,
  requeueIntents,
  type StoredIntent,
  takeIntents,
} from './store/intents.ts';
import { createTreeSigning, type TreeSigning } from './tree-signing.ts';

/** How long to wait before a new start after a failure of our own. */
const RETRY_MS = 1_000;
/**
 * Batches an intent may take part in, in vain, or leave unconfirmed before it is forgotten. What others spoil does not
 * count: each time somebody is sent away for it, so it ends.
 */
const MAX_ATTEMPTS = 3;
/** Stands for the batch's id in a message that goes to many. */
const ANY = '';
/** How many batches' worth of the queue is looked at to put the next one together. */
const LOOKAHEAD = 4;

export type HexByTxid = Readonly<Record<string, string>>;

export interface BatchRunner {
  /** Says that the queue has something in it. */
  intentQueued(): void;
  /** Throws `CONFIRMATION_SESSION_NOT_STARTED` or `INTENT_NOT_FOUND`. */
  acknowledge(intentId: string): Promise<void>;
  submitNonces(batchId: string, cosigner: string, nonces: HexByTxid): Promise<void>;
  submitSignatures(batchId: string, cosigner: string, partials: HexByTxid): Promise<void>;
  submitForfeits(forfeits: readonly string[], commitment: string | undefined): Promise<void>;
  /** What a listener that comes now has missed and still needs: the start of a batch that its topics take part in. */
  missedBy(listenerId: string, topics: ReadonlySet<string>): object | undefined;
  stop(): Promise<void>;
}

/** A batch under way: in memory only, gone with the process. */
interface RunningBatch {
  readonly id: string;
  readonly startedAt: number;
  readonly intents: ReadonlyMap<string, StoredIntent>;
  present: readonly StoredIntent[];
  built?: BuiltBatch;
  signing?: TreeSigning;
  signatures: GraphSignatures;
  debts?: Debts;
  /** Intent id → its coins that their owner spent elsewhere. */
  spent: ReadonlyMap<string, readonly OutpointKey[]>;
}

export interface BatchRunnerParts {
  readonly ctx: ArkContext;
  readonly hub: EventHub;
  readonly registration: Registration;
  readonly settler: Settler;
}

export function createBatchRunner({ ctx, hub, registration, settler }: BatchRunnerParts): BatchRunner {
  let state: BatchState = IDLE;
  let batch: RunningBatch | undefined;
  let tail: Promise<void> = Promise.resolve();
  let cancelTimer = (): void => {};
  let stopped = false;
  /** Unix seconds; 0 as long as there was no batch. */
  let lastBatchAt = 0;
  const aliases = createAliases(hub, ctx.newId);
  const standing = createStanding(ctx);

  /** Tells a message about the batch under way, whose id each listener knows as something else. */
  const tell = (message: object, topics: readonly string[] = []): void => hub.publish(message, topics, aliases.nameFor);
  const fail = (reason: string, topics: readonly string[]): void => {
    // No topics would be everybody.
    if (topics.length > 0) tell(wire.batchFailed(ANY, reason), topics);
  };
  const watchPhase = createPhaseWatch(ctx.metrics);

  /** Events are taken one at a time, each with its effects, in the order they came. */
  function dispatch(event: WithoutNow<BatchEvent>): Promise<void> {
    const turn = tail.then(async () => {
      if (stopped) return;
      const { sessionDuration, minParticipants } = ctx.settings();
      const terms = { sessionMs: sessionDuration * 1000, minParticipants };
      const next = step(state, { ...event, now: ctx.clock.now() } as BatchEvent, terms);
      state = next.state;
      watchPhase(state.at, ctx.clock.now());
      for (const effect of next.effects) await perform(effect);
    });
    tail = turn.catch((error) => {
      ctx.log.error({ err: error, event: event.type }, 'a batch effect failed');
      abandon();
    });
    return tail;
  }

  /** An effect failed for a reason of our own: gives up the batch under way and looks at the queue again soon. */
  function abandon(): void {
    cancelTimer();
    const lost = batch;
    if (lost) {
      ctx.wallet.release(lost.id);
      ctx.signer.forgetNonces(`${lost.id}:`);
      ctx.metrics.batches.add({ outcome: 'failed' });
      fail(
        'internal error',
        lost.present.map(memberOf).flatMap((member) => member.topics),
      );
      aliases.reset();
    }
    batch = undefined;
    state = IDLE;
    cancelTimer = ctx.clock.setTimer(RETRY_MS, () => {
      const ids = [...(lost?.intents.keys() ?? [])];
      ctx.db
        .write((tx) => requeueIntents(tx, ids, { name: 'attempts', most: MAX_ATTEMPTS }))
        .then(() => dispatch({ type: 'intentQueued' }))
        .catch((error) => ctx.log.error({ err: error }, 'could not requeue the intents of an abandoned batch'));
    });
  }

  function perform(effect: BatchEffect): Promise<void> | void {
    switch (effect.type) {
      case 'schedule':
        return schedule(effect);
      case 'selectIntents':
        return selectIntents();
      case 'announceStart':
        return tell(startMessage(running(effect.id)));
      case 'build':
        return build(
          running(effect.id),
          effect.members.map((member) => member.intentId),
        );
      case 'openSigning':
        return openSigning(running(effect.id));
      case 'shareNonces':
        return shareNonces(running(effect.id));
      case 'shareSignatures':
        return shareSignatures(running(effect.id));
      case 'askForDebts':
        return askForDebts(running(effect.id));
      case 'settle':
        return settle(running(effect.id));
      case 'announceEnd':
        return tell(wire.batchFinalized(ANY, effect.commitmentTxid));
      case 'announceFailure':
        ctx.metrics.batches.add({ outcome: 'failed' });
        ctx.log.warn({ batch: effect.id, reason: effect.reason }, 'batch failed');
        return fail(effect.reason, effect.topics);
      case 'leaveOut':
        return fail(effect.reason, effect.topics);
      case 'requeue':
        return requeue(running(effect.id), effect.intentIds, effect.cause);
      case 'drop':
        return ctx.db.write((tx) => deleteIntents(tx, effect.intentIds));
      case 'convict':
        return convict(ctx, effect.id, chargesFor(running(effect.id), effect.offences));
      case 'release':
        ctx.wallet.release(effect.id);
        ctx.signer.forgetNonces(`${effect.id}:`);
        aliases.reset();
        batch = undefined;
    }
  }

  function running(id: string): RunningBatch {
    invariant(batch?.id === id, `batch ${id} is not the one running`);
    return batch;
  }

  function schedule({ phase, id, until }: BatchEffect & { type: 'schedule' }): void {
    cancelTimer();
    cancelTimer = ctx.clock.setTimer(Math.max(0, until - ctx.clock.now()), () => {
      const late = phase === 'noncing' && batch?.id === id ? batch?.signing?.adoptHeldNonces() : undefined;
      for (const cosigner of late ?? []) void dispatch({ type: 'noncesReceived', cosigner });
      void dispatch({ type: 'timedOut', phase, ...(id === undefined ? {} : { id }) });
    });
  }

  async function requeue(current: RunningBatch, intentIds: readonly string[], cause: RequeueCause): Promise<void> {
    const intents = intentIds.map((intentId) => current.intents.get(intentId)!);
    if (cause === 'wronged') standing.vouchFor(intents);
    const name = COUNTERS[cause];
    const forgotten = await ctx.db.write((tx) => requeueIntents(tx, intentIds, name && { name, most: MAX_ATTEMPTS }));
    const gone = intents.filter(({ id }) => forgotten.includes(id));
    if (cause === 'unconfirmed') await convict(ctx, current.id, gone.flatMap(unconfirmed));
    fail(
      `given up after ${MAX_ATTEMPTS} batches`,
      gone.map(memberOf).flatMap((member) => member.topics),
    );
  }

  async function selectIntents(): Promise<void> {
    const id = ctx.newId();
    const { minParticipants, maxParticipants } = ctx.settings();
    const queued = await queuedIntents(ctx.db, maxParticipants * LOOKAHEAD);
    const candidates = await standing.choose(queued, minParticipants, maxParticipants);
    // Too few: they stay in the queue, which costs them no attempt.
    const held = candidates.length >= minParticipants && !(await mayBegin(ctx, candidates, sinceLastBatch()));
    const wanted = held || candidates.length < minParticipants ? [] : candidates.map((intent) => intent.id);
    const taken = await ctx.db.write((tx) => takeIntents(tx, wanted, id));
    const intents = candidates.filter((intent) => wanted.length === 0 || taken.includes(intent.id));
    if (taken.length > 0) {
      const byId = new Map(intents.map((intent) => [intent.id, intent]));
      batch = { id, startedAt: ctx.nowSeconds(), intents: byId, present: intents, signatures: {}, spent: new Map() };
    }
    void dispatch({ type: 'intentsSelected', id, members: intents.map(memberOf), held });
  }

  const sinceLastBatch = (): number => (lastBatchAt === 0 ? 0 : ctx.nowSeconds() - lastBatchAt);

  const startMessage = ({ intents }: RunningBatch) =>
    wire.batchStarted(ANY, [...intents.keys()], wireDelay(ctx.settings().batchExpiry));

  async function build(current: RunningBatch, intentIds: readonly string[]): Promise<void> {
    current.present = intentIds.map((intentId) => current.intents.get(intentId)!);
    try {
      current.built = await buildBatch(ctx, registration, current.id, current.present);
      current.debts = createDebts(ctx, current.present, current.built);
      void dispatch({ type: 'batchBuilt', hasTree: current.built.vtxoGraph !== undefined });
    } catch (error) {
      if (!(error instanceof UnfitError)) ctx.log.error({ err: error }, 'building a batch failed');
      const unfit = error instanceof UnfitError ? error.intentIds : [];
      current.spent = await doubleSpends(
        ctx,
        current.present.filter((intent) => unfit.includes(intent.id)),
      );
      void dispatch({ type: 'buildFailed', reason: reasonOf(error), unfit, spent: [...current.spent.keys()] });
    }
  }

  function openSigning(current: RunningBatch): void {
    const { built, id } = current;
    const graph = built?.vtxoGraph;
    invariant(built && graph, 'only a batch with a tree signs one');
    const { operator } = ctx.publicKeys;
    const { secp, signer } = ctx;
    current.signing = createTreeSigning({ secp, signer, aggregator: built.aggregator, batchId: id, graph, operator });
    const clients = [...new Set(current.present.flatMap(({ intent }) => intent.cosigners))];
    aliases.publish(clients);
    for (const node of graph.nodes) {
      const psbt = nodePsbt(node, ctx.settings().batchExpiry);
      tell(wire.treeTx(ANY, node.cosigners, 0, node, psbt), node.cosigners);
    }
    tell(wire.treeSigningStarted(ANY, clients, built.commitment.psbt));
  }

  function shareNonces({ signing }: RunningBatch): void {
    for (const { node, nonces } of signing!.shareNonces()) {
      tell(wire.treeNonces(ANY, node.cosigners, node.txid, nonces), node.cosigners);
    }
  }

  function shareSignatures(current: RunningBatch): void {
    current.signatures = current.signing!.signatures();
    for (const node of current.built!.vtxoGraph!.nodes) {
      const signature = current.signatures[node.txid]!;
      tell(wire.treeSignature(ANY, node.cosigners, node.txid, signature), node.cosigners);
    }
  }

  function askForDebts({ built }: RunningBatch): void {
    for (const node of built!.connectorGraph?.nodes ?? []) {
      const topics = built!.connectorTopics.get(node.txid) ?? [];
      const psbt = nodePsbt(node);
      tell(wire.treeTx(ANY, topics, 1, node, psbt), topics);
    }
    tell(wire.batchFinalization(ANY, built!.commitment.psbt));
  }

  async function settle(current: RunningBatch): Promise<void> {
    const { id, startedAt, present: intents, signatures } = current;
    const { built, debts } = current;
    invariant(built && debts, 'a batch settles after it was built');
    try {
      const [forfeits, boardingSigs] = [debts.forfeits(), debts.boardingSigs()];
      const txid = await settler.settle({ id, startedAt, intents, built, signatures, forfeits, boardingSigs });
      lastBatchAt = ctx.nowSeconds();
      ctx.log.info({ batch: id, commitmentTxid: txid, intents: intents.length }, 'batch settled');
      ctx.metrics.batches.add({ outcome: 'settled' });
      ctx.metrics.batchIntents.observe({}, intents.length);
      void dispatch({ type: 'batchSettled', commitmentTxid: txid, more: (await countQueued(ctx.db)) > 0 });
    } catch (error) {
      ctx.log.error({ err: error, batch: id }, 'settling a batch failed');
      current.spent = await doubleSpends(ctx, intents, built.commitmentTxid);
      void dispatch({ type: 'settlementFailed', reason: reasonOf(error), spent: [...current.spent.keys()] });
    }
  }

  function chargesFor(current: RunningBatch, offences: readonly Offence[]): Charge[] {
    return offences.flatMap(({ intentId, phase }) => {
      const { intent } = current.intents.get(intentId)!;
      if (phase === 'spending') {
        const spent = intent.inputs.filter(({ outpoint }) => current.spent.get(intentId)?.includes(outpoint));
        return spent.map(({ script }) => ({ script, crime: 'DOUBLE_SPEND', reason: REASONS.spending }));
      }
      // Where somebody posed as this cosigner, silence proves nothing.
      if (intent.cosigners.some((cosigner) => current.signing?.isContested(cosigner))) return [];
      const invalid = intent.cosigners.some((cosigner) => current.signing?.sentInvalidSignature(cosigner));
      const reason = phase === 'signing' && invalid ? 'invalid tree signatures' : REASONS[phase];
      const paid = new Set<string>([
        ...(current.debts?.forfeits().map((forfeit) => forfeit.outpoint) ?? []),
        ...(current.debts?.boardingSigs().keys() ?? []),
      ]);
      return intent.inputs
        .filter((input) => phase !== 'forfeiting' || !paid.has(input.outpoint))
        .map((input) => ({ script: input.script, crime: crimeOf(phase, isBoarding(input)), reason }));
    });
  }

  /** The running batch, if it is the one meant and in the phase meant. */
  function phase(at: BatchState['at'], name?: string): RunningBatch {
    const current = state.at === at && (name === undefined || aliases.isKnown(name)) ? batch : undefined;
    demand(current, 'SIGNING_SESSION_TIMED_OUT', `no batch${name === undefined ? '' : ` ${name}`} waits for this now`);
    return current;
  }

  return {
    intentQueued: () => void dispatch({ type: 'intentQueued' }),

    async acknowledge(intentId) {
      demand(state.at === 'confirming', 'CONFIRMATION_SESSION_NOT_STARTED', 'no batch waits for confirmations now');
      demand(batch?.intents.has(intentId), 'INTENT_NOT_FOUND', `intent ${intentId} is not part of the batch`);
      await dispatch({ type: 'intentAcked', intentId });
    },

    async submitNonces(batchId, cosigner, nonces) {
      // Also once all are in: who comes then may find that somebody else has spoken in its name.
      const { signing } = phase(state.at === 'signing' ? 'signing' : 'noncing', batchId);
      const isCertain = aliases.isOwners(batchId, cosigner);
      const origin = isCertain ? 'certain' : aliases.isListening(cosigner) ? 'foreign' : 'unknown';
      if (signing!.receiveNonces(cosigner, nonces, origin)) {
        await dispatch({ type: 'noncesReceived', cosigner });
      }
    },

    async submitSignatures(batchId, cosigner, partials) {
      if (phase('signing', batchId).signing!.receiveSignatures(cosigner, partials)) {
        await dispatch({ type: 'signaturesReceived', cosigner });
      }
    },

    async submitForfeits(forfeits, commitment) {
      const { debts } = phase('forfeiting');
      const settle = async (outpoints: readonly OutpointKey[]): Promise<void> => {
        for (const outpoint of outpoints) await dispatch({ type: 'debtSettled', outpoint });
      };
      await settle(debts!.receiveForfeits(forfeits, await ctx.chain.tip()));
      if (commitment) await settle(debts!.receiveCommitment(commitment));
    },

    missedBy(listenerId, topics) {
      if (state.at !== 'confirming' || !batch) return undefined;
      const concerned = state.members.some((member) => member.topics.some((topic) => topics.has(topic)));
      return concerned ? addressed(startMessage(batch), aliases.nameFor(listenerId)) : undefined;
    },

    async stop() {
      stopped = true;
      cancelTimer();
      await tail;
    },
  };
}

type WithoutNow<Event> = Event extends unknown ? Omit<Event, 'now'> : never;

const REASONS: Readonly<Record<Offence['phase'], string>> = {
  noncing: 'tree nonces not delivered',
  signing: 'tree signatures not delivered',
  forfeiting: 'forfeit or boarding signature not delivered',
  spending: 'boarding coin spent elsewhere during the batch',
};

const COUNTERS: Readonly<Record<RequeueCause, 'attempts' | 'missed' | undefined>> = {
  wronged: undefined,
  unconfirmed: 'missed',
  failed: 'attempts',
};

const unconfirmed = ({ intent }: StoredIntent): Charge[] =>
  intent.inputs.map(({ script }) => ({
    script,
    crime: 'CONFIRMATION',
    reason: `${MAX_ATTEMPTS} batches left unconfirmed`,
  }));

function crimeOf(phase: Offence['phase'], boarding: boolean): Charge['crime'] {
  if (phase === 'noncing') return 'NONCES';
  if (phase === 'signing') return 'SIGNATURES';
  return boarding ? 'BOARDING_SIGNATURE' : 'FORFEIT';
}

/** A reason fit for strangers: refusals speak for themselves, anything else stays in the log. */
const reasonOf = (error: unknown): string =>
  error instanceof UnfitError || (error instanceof Error && error.name === 'ProtocolError')
    ? messageOf(error)
    : 'internal error';

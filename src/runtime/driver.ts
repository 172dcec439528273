/**
 * Runs pure machines: events of one entity are taken one at a time; each becomes a step, the step's state and effects
 * are saved together, and only then are the effects carried out. What an effect brings back is the next event.
 */
import type { Step } from '../base/step.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { createMailbox } from './mailbox.ts';

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 60_000;

/** An effect that is not done yet. `key` never changes, so whoever carries it out twice can tell. */
export interface PendingEffect<Effect> {
  readonly entity: string;
  readonly key: string;
  readonly effect: Effect;
}

/** Where states and pending effects are kept. */
export interface MachineStore<State, Effect> {
  load(entity: string): Promise<State | undefined>;
  /** In one transaction: the new state, its effects as pending, and `done`, the key of the effect whose result this is. */
  save(entity: string, step: Step<State, Effect>, done?: string): Promise<readonly PendingEffect<Effect>[]>;
  /** Forgets an effect that brought nothing back. */
  drop(key: string): Promise<void>;
  pending(): Promise<readonly PendingEffect<Effect>[]>;
}

export interface DriverParts<State, Event, Effect> {
  /** Gets `undefined` for an entity that does not exist yet. A throw refuses the event and changes nothing. */
  readonly step: (state: State | undefined, event: Event) => Step<State, Effect>;
  /** Carries out an effect, possibly for the second time. What it resolves with is the entity's next event. */
  readonly perform: (effect: Effect, key: string) => Promise<Event | undefined>;
  readonly store: MachineStore<State, Effect>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Driver<State, Event> {
  /** Resolves with the new state once it is saved; the effects are under way then. */
  dispatch(entity: string, event: Event): Promise<State>;
  /** Takes up the effects that an earlier run left pending. Call once, at the start. */
  resume(): Promise<void>;
  /** Gives up waiting retries; what is pending stays so. Resolves when nothing runs any more. */
  stop(): Promise<void>;
}

export function createDriver<State, Event, Effect>(parts: DriverParts<State, Event, Effect>): Driver<State, Event> {
  const { step, perform, store, clock, log } = parts;
  const mailbox = createMailbox();
  const running = new Set<Promise<void>>();
  const retries = new Set<() => void>();
  let stopped = false;

  const take = (entity: string, event: Event, done?: string): Promise<State> =>
    mailbox.run(entity, async () => {
      const next = step(await store.load(entity), event);
      for (const pending of await store.save(entity, next, done)) start(pending);
      return next.state;
    });

  function start(pending: PendingEffect<Effect>, attempt = 0): void {
    if (stopped) return;
    const run = carryOut(pending)
      .catch((error) => retryLater(pending, attempt, error))
      .finally(() => running.delete(run));
    running.add(run);
  }

  async function carryOut({ entity, key, effect }: PendingEffect<Effect>): Promise<void> {
    const event = await perform(effect, key);
    if (event === undefined) await store.drop(key);
    else await take(entity, event, key);
  }

  /** Each effect waits for itself alone, so that a stuck one holds up nobody. */
  function retryLater(pending: PendingEffect<Effect>, attempt: number, error: unknown): void {
    if (stopped) return;
    const delay = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt);
    log.warn({ err: error, key: pending.key, attempt, delay }, 'an effect failed and will be tried again');
    const cancel = clock.setTimer(delay, () => {
      retries.delete(cancel);
      start(pending, attempt + 1);
    });
    retries.add(cancel);
  }

  return {
    dispatch: (entity, event) => take(entity, event),
    async resume() {
      for (const pending of await store.pending()) start(pending);
    },
    async stop() {
      stopped = true;
      for (const cancel of retries) cancel();
      while (running.size > 0) await Promise.all(running);
    },
  };
}

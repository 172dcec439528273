/** Time as a dependency: the system's, or one that a test moves by hand. */

export interface Clock {
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number;
  /** Calls `fire` once, `ms` milliseconds from now. Returns the canceller, which may be called at any time. */
  setTimer(ms: number, fire: () => void): () => void;
}

/** A clock that stands still until told otherwise. */
export interface ManualClock extends Clock {
  /** Moves time forward, firing due timers in order and letting what they start settle before the next one. */
  advance(ms: number): Promise<void>;
}

/** Node fires at once above this; longer waits are made of several. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(ms, fire) {
    const due = Date.now() + ms;
    let handle: ReturnType<typeof setTimeout>;
    const arm = (left: number): void => {
      handle = setTimeout(
        () => (left > LONGEST_TIMEOUT_MS ? arm(due - Date.now()) : fire()),
        Math.min(left, LONGEST_TIMEOUT_MS),
      );
    };
    arm(ms);
    return () => clearTimeout(handle);
  },
};

/** `startMs` defaults to 2025-01-01, so that forgotten conversions of seconds show. */
export function createManualClock(startMs = Date.UTC(2025, 0, 1)): ManualClock {
  const timers = new Set<{ readonly due: number; readonly fire: () => void }>();
  let now = startMs;
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    now: () => now,
    setTimer(ms, fire) {
      const timer = { due: now + Math.max(0, ms), fire };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advance(ms) {
      const target = now + ms;
      for (;;) {
        await settle();
        let next: { readonly due: number; readonly fire: () => void } | undefined;
        for (const timer of timers) if (timer.due <= target && (!next || timer.due < next.due)) next = timer;
        if (!next) break;
        timers.delete(next);
        now = Math.max(now, next.due);
        next.fire();
      }
      now = target;
    },
  };
}

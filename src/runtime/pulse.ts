/** One timer for everybody who wants to be called every so often: thousands of listeners cost no more than one. */
import type { Clock } from './clock.ts';

export interface Pulse {
  /** Calls `beat` every interval from now on, the first time within one. Returns what ends it. */
  join(beat: () => void): () => void;
}

/** Members are spread over this many turns of an interval, so that they are not all called at once. */
const TURNS = 20;

/** The timer runs while somebody has joined. */
export function createPulse(clock: Clock, intervalMs: () => number): Pulse {
  const turns = Array.from({ length: TURNS }, () => new Set<() => void>());
  let members = 0;
  let now = 0;
  let cancel = (): void => {};

  function tick(): void {
    cancel = clock.setTimer(intervalMs() / TURNS, () => {
      now = (now + 1) % TURNS;
      tick();
      for (const beat of turns[now]!) beat();
    });
  }

  return {
    join(beat) {
      const turn = turns.reduce((least, each) => (each.size < least.size ? each : least));
      const own = (): void => beat();
      turn.add(own);
      if (members++ === 0) tick();
      return () => {
        if (!turn.delete(own)) return;
        if (--members === 0) cancel();
      };
    },
  };
}

/** So many at once, so many waiting, and a clear no to the rest. */
import type { Clock } from './clock.ts';
import { overLimit } from './over-limit.ts';

export interface SlotLimits {
  readonly mostRunning: number;
  readonly mostWaiting: number;
  /** Who has waited this long is refused. */
  readonly patienceMs: number;
}

export interface Slots {
  /** Resolves when it is one's turn with what ends it. Throws `UNAVAILABLE` when too many wait already, or for too long. */
  take(): Promise<() => void>;
  readonly running: number;
  readonly waiting: number;
}

const RETRY_AFTER_SECONDS = 1;

export function createSlots(clock: Clock, { mostRunning, mostWaiting, patienceMs }: SlotLimits): Slots {
  const queue = new Set<() => void>();
  let running = 0;

  /** One's own turn, which ends once. */
  function turn(): () => void {
    let ended = false;
    running++;
    return () => {
      if (ended) return;
      ended = true;
      running--;
      const [next] = queue;
      next?.();
    };
  }

  return {
    get running() {
      return running;
    },
    get waiting() {
      return queue.size;
    },
    async take() {
      if (running < mostRunning) return turn();
      if (queue.size >= mostWaiting) throw overLimit('UNAVAILABLE', 'the server is busy', RETRY_AFTER_SECONDS);
      return new Promise((resolve, reject) => {
        const start = (): void => {
          queue.delete(start);
          cancel();
          resolve(turn());
        };
        const cancel = clock.setTimer(patienceMs, () => {
          queue.delete(start);
          reject(overLimit('UNAVAILABLE', 'the server is busy', RETRY_AFTER_SECONDS));
        });
        queue.add(start);
      });
    },
  };
}

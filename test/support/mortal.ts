/**
 * Things that die together, as they do when a process is killed: from one moment on nothing they were asked is
 * answered, no timer fires, no event arrives. What was committed or broadcast before stays so.
 */
import type { Chain } from '../../src/chain/chain.ts';
import type { Clock } from '../../src/runtime/clock.ts';
import type { Db } from '../../src/store/db.ts';

const never = (): Promise<never> => new Promise(() => {});

export interface Life {
  readonly isOver: boolean;
  /** Aborts when life ends. */
  readonly signal: AbortSignal;
  end(): void;
  /** `work` as long as it is answered in time; no answer at all after that. */
  during<T>(work: () => Promise<T>): Promise<T>;
}

export function createLife(): Life {
  const end = new AbortController();
  const isOver = (): boolean => end.signal.aborted;
  return {
    get isOver() {
      return isOver();
    },
    signal: end.signal,
    end: () => end.abort(new Error('the server is dead')),
    async during(work) {
      if (isOver()) await never();
      try {
        return await work();
      } finally {
        if (isOver()) await never();
      }
    },
  };
}

export const mortalClock = (life: Life, clock: Clock): Clock => ({
  now: clock.now,
  setTimer: (ms, fire) => clock.setTimer(ms, () => (life.isOver ? undefined : fire())),
});

/** Ways to broadcast may be replaced, to refuse or to die. */
export type Broadcasting = Pick<Chain, 'broadcast' | 'broadcastPackage'>;

export const mortalChain = (
  life: Life,
  chain: Chain,
  { broadcast, broadcastPackage }: Broadcasting = chain,
): Chain => ({
  network: chain.network,
  tip: () => life.during(() => chain.tip()),
  transaction: (txid) => life.during(() => chain.transaction(txid)),
  output: (outpoint) => life.during(() => chain.output(outpoint)),
  unspent: (script) => life.during(() => chain.unspent(script)),
  feeRate: (target) => life.during(() => chain.feeRate(target)),
  broadcast: (tx) => life.during(() => broadcast(tx)),
  broadcastPackage: (parent, child) => life.during(() => broadcastPackage(parent, child)),
  subscribe: (listener) => chain.subscribe((event) => (life.isOver ? undefined : listener(event))),
});

/** Called before and after each write; whoever ends the life there has crashed it on that side of the commit. */
export type WriteHook = (when: 'before' | 'after') => void;

export const mortalDb = (life: Life, db: Db, onWrite: WriteHook): Db => ({
  read: (sql, args) => life.during(() => db.read(sql, args)),
  write(work) {
    if (!life.isOver) onWrite('before');
    return life.during(async () => {
      const result = await db.write(work);
      onWrite('after');
      return result;
    });
  },
  close: async () => {},
});

/** An application reached as over a network: when its life ends, so do its answers and streams. */
export function mortalFetch(
  life: Life,
  answer: (url: string, init: RequestInit) => Response | Promise<Response>,
): (url: string, init: RequestInit) => Promise<Response> {
  return async (url, init) => {
    life.signal.throwIfAborted();
    const dead = new Promise<never>((_, reject) => {
      life.signal.addEventListener('abort', () => reject(life.signal.reason), { once: true });
    });
    const response = await Promise.race([answer(url, init), dead]);
    const body = response.body?.pipeThrough(new TransformStream(), { signal: life.signal }) ?? null;
    return new Response(body, { status: response.status, headers: response.headers });
  };
}

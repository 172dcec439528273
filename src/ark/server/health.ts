/** Whether the server can do its work right now: neither chain nor database may be away. */
import { NodeError } from '../../chain/node-error.ts';
import type { Clock } from '../../runtime/clock.ts';
import { remembered } from '../../runtime/recent.ts';
import { StoreError } from '../../store/db.ts';
import type { ArkContext } from './context.ts';
import type { Door } from './door.ts';
import { askAnything } from './store/liquidity.ts';

/** Something the server cannot work without, and why it cannot. */
export interface Trouble {
  readonly part: 'chain' | 'database';
  readonly code: string;
}

export interface Health {
  /** What keeps the server from working; empty when nothing does. */
  troubles(): Promise<readonly Trouble[]>;
}

/** Who does not answer within this is away. */
const PATIENCE_MS = 2_000;
/** However many ask, chain and database are asked once in so long. */
const REMEMBERED_MS = 500;

function inTime<R>(clock: Clock, work: Promise<R>): Promise<R> {
  return new Promise((resolve, reject) => {
    const cancel = clock.setTimer(PATIENCE_MS, () => reject(new Error('no answer in time')));
    work.then(resolve, reject).finally(cancel);
  });
}

/** A code that tells an operator what to look at and a stranger nothing. */
const codeOf = (error: unknown): string =>
  error instanceof NodeError || error instanceof StoreError ? error.code : 'NO_ANSWER';

export function createHealth({ db, chain, clock }: Pick<ArkContext, 'db' | 'chain' | 'clock'>): Health {
  const ask = async (part: Trouble['part'], work: () => Promise<unknown>): Promise<Trouble[]> => {
    try {
      await inTime(clock, work());
      return [];
    } catch (error) {
      return [{ part, code: codeOf(error) }];
    }
  };
  const look = async (): Promise<readonly Trouble[]> => {
    const [chainTroubles, databaseTroubles] = await Promise.all([
      ask('chain', () => chain.tip()),
      ask('database', () => askAnything(db)),
    ]);
    return [...chainTroubles, ...databaseTroubles];
  };
  return { troubles: remembered(REMEMBERED_MS, clock.now, look) };
}

/** `/healthz`: the process lives. `/readyz`: it can do its work, or 503 and why not. */
export function mountHealth({ app }: Door, health: Health): void {
  app.get('/healthz', (c) => c.json({ status: 'SERVING' }));
  app.get('/readyz', async (c) => {
    const troubles = await health.troubles();
    return troubles.length === 0
      ? c.json({ status: 'SERVING', troubles })
      : c.json({ status: 'NOT_SERVING', troubles }, 503);
  });
}

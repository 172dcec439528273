/**
 * Who goes into a batch with whom. A fresh identity costs nothing, so an attacker always has one more to spoil the next
 * batch with; having delivered all that a spoiled batch asked for is what it does not have. So those who were wronged
 * go first and among themselves, whether their intent is still queued or they registered the coin again. Who was
 * convicted lately, or left a batch unconfirmed, goes with others of that kind. Remembered in memory only.
 */
import type { OutpointKey } from '../../base/bytes.ts';
import type { ArkContext } from './context.ts';
import { convictedAmong } from './store/convictions.ts';
import type { StoredIntent } from './store/intents.ts';

export interface Standing {
  /** These intents did all they owed to a batch that others spoiled. */
  vouchFor(intents: readonly StoredIntent[]): void;
  /** Who of the queue, oldest first, takes part next: all of it when it is less than `least`. */
  choose(queued: readonly StoredIntent[], least: number, most: number): Promise<readonly StoredIntent[]>;
}

/** How long a wronged owner has time to come again. */
const VOUCHED_MS = 600_000;

type Rank = 'wronged' | 'ordinary' | 'doubtful';

export function createStanding(ctx: ArkContext): Standing {
  const vouched = new Map<OutpointKey, number>();
  let turn: Rank = 'ordinary';

  const isVouched = ({ intent }: StoredIntent): boolean =>
    intent.inputs.some(({ outpoint }) => (vouched.get(outpoint) ?? 0) > ctx.clock.now());

  async function ranked(queued: readonly StoredIntent[]): Promise<Record<Rank, StoredIntent[]>> {
    const scripts = [...new Set(queued.flatMap(({ intent }) => intent.inputs.map(({ script }) => script)))];
    const convicted = await convictedAmong(ctx.db, scripts, ctx.nowSeconds());
    const groups: Record<Rank, StoredIntent[]> = { wronged: [], ordinary: [], doubtful: [] };
    for (const stored of queued) {
      const isDoubtful = stored.missed > 0 || stored.intent.inputs.some(({ script }) => convicted.has(script));
      groups[isDoubtful ? 'doubtful' : isVouched(stored) ? 'wronged' : 'ordinary'].push(stored);
    }
    return groups;
  }

  return {
    vouchFor(intents) {
      const now = ctx.clock.now();
      for (const [outpoint, until] of vouched) if (until <= now) vouched.delete(outpoint);
      for (const { intent } of intents) {
        for (const { outpoint } of intent.inputs) vouched.set(outpoint, now + VOUCHED_MS);
      }
    },

    async choose(queued, least, most) {
      if (queued.length < least) return queued;
      const groups = await ranked(queued);
      const first = groups.wronged.length > 0 ? 'wronged' : groups[turn].length > 0 ? turn : other(turn);
      if (first !== 'wronged') turn = other(first);
      const chosen = fairly(groups[first]).slice(0, most);
      if (chosen.length >= least) return chosen;
      const rest = [...groups.wronged, ...groups.ordinary, ...groups.doubtful].filter((one) => !chosen.includes(one));
      return [...chosen, ...rest.slice(0, least - chosen.length)];
    },
  };
}

const other = (rank: Rank): Rank => (rank === 'ordinary' ? 'doubtful' : 'ordinary');

/** Nobody's second intent before everybody's first: an owner is known by the script of its first input. */
function fairly(intents: readonly StoredIntent[]): readonly StoredIntent[] {
  const seen = new Map<string, number>();
  const nth = new Map(
    intents.map((stored) => {
      const owner = stored.intent.inputs[0]!.script;
      const count = seen.get(owner) ?? 0;
      seen.set(owner, count + 1);
      return [stored, count];
    }),
  );
  return intents.toSorted((a, b) => nth.get(a)! - nth.get(b)!);
}

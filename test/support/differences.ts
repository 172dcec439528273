/** What we refuse and bitcoind accepts: the list in docs/chain.md, which a judged run may not go beyond. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = join(import.meta.dirname, '..', '..', 'docs', 'chain.md');
const HEADING = '## What we refuse and bitcoind accepts';

/** The reasons in the first column of the table under the heading. */
function listedReasons(): ReadonlySet<string> {
  const [, section = ''] = readFileSync(FILE, 'utf8').split(HEADING);
  const [table = ''] = section.split('\n## ');
  return new Set([...table.matchAll(/^\| `([^`]+)` \|/gm)].map(([, reason]) => reason!));
}

/** Counts verdicts; fails at the end when we refused for a reason that is not in the list. */
export class Tally {
  readonly #ours = new Map<string, number>();
  readonly #stricter = new Map<string, number>();
  #accepted = 0;

  add(ours: string | undefined, isTheirs: boolean): void {
    if (ours === undefined) this.#accepted++;
    else {
      this.#ours.set(ours, (this.#ours.get(ours) ?? 0) + 1);
      if (isTheirs) this.#stricter.set(ours, (this.#stricter.get(ours) ?? 0) + 1);
    }
  }

  get accepted(): number {
    return this.#accepted;
  }

  /** How many different reasons we gave. */
  get reasons(): number {
    return this.#ours.size;
  }

  checkListed(): void {
    const listed = listedReasons();
    const unlisted = [...this.#stricter].filter(([reason]) => !listed.has(reason));
    assert.deepEqual(unlisted, [], 'what only we refuse is listed in docs/chain.md');
  }

  toString(): string {
    const all = [...this.#ours].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${reason} ${count}`);
    const stricter = [...this.#stricter].map(([reason, count]) => `${reason} ${count}`);
    return `${this.#accepted} accepted; refused: ${all.join(', ')}; by us alone: ${stricter.join(', ') || 'none'}`;
  }
}

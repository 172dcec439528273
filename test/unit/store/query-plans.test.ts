/** SQLite finds by index what is asked for most, and never walks through everybody's VTXOs for one owner's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { owed } from '../../../src/ark/server/store/liquidity.ts';
import { ARK_MIGRATIONS } from '../../../src/ark/server/store/schema.ts';
import { type VtxoFilter, vtxosByScript } from '../../../src/ark/server/store/vtxos.ts';
import type { Db, Row, SqlValue } from '../../../src/store/db.ts';
import { migrate } from '../../../src/store/migrate.ts';
import { openSqlite } from '../../../src/store/sqlite.ts';

/** How the engine goes about each statement that `work` reads by. */
async function plansOf(work: (db: Pick<Db, 'read'>) => Promise<unknown>): Promise<string[]> {
  const db = openSqlite(':memory:');
  await migrate(db, 'ark', ARK_MIGRATIONS);
  const plans: string[] = [];
  await work({
    async read<T extends Row>(sql: string, args?: readonly SqlValue[]): Promise<T[]> {
      for (const { detail } of await db.read(`explain query plan ${sql}`, args)) plans.push(detail as string);
      return db.read<T>(sql, args);
    },
  });
  await db.close();
  return plans.filter((plan) => plan.includes('ark_vtxo'));
}

test('VTXOs of scripts are looked up by script, whatever the filter, the page and the time', async () => {
  for (const filter of ['all', 'spendable', 'spent', 'recoverable', 'renewable', 'pending'] as VtxoFilter[]) {
    for (const scripts of [['5120aa'], ['5120aa', '5120bb']]) {
      for (const after of [0, 5]) {
        const query = { scripts, filter, after, before: 0, limit: 500, offset: 500 };
        const plans = await plansOf((db) => vtxosByScript(db, query));
        assert.ok(plans.length >= 2);
        for (const plan of plans) assert.match(plan, /^SEARCH ark_vtxo USING .*\(script=\?/, `${filter}: ${plan}`);
      }
    }
  }
});

test('what can be spent is counted without reading it', async () => {
  const query = { scripts: ['5120aa'], filter: 'spendable', after: 0, before: 0, limit: 500, offset: 0 } as const;
  const [count] = await plansOf((db) => vtxosByScript(db, query));
  assert.match(count!, /COVERING INDEX ark_vtxo_unspent \(script=\? AND unrolled=\? AND swept=\?\)/);
});

test('sums pass over what is spent', async () => {
  assert.match((await plansOf(owed))[0]!, /COVERING INDEX ark_vtxo_unspent/);
});

/** Where a {@link Driver} keeps machines: in the database, or in memory for what need not survive. */
import * as codec from '../base/codec.ts';
import type { Db, Migration } from '../store/db.ts';
import type { MachineStore, PendingEffect } from './driver.ts';

/** Apply as module `machine` before {@link durableStore} is used. */
export const MACHINE_MIGRATIONS: readonly Migration[] = [
  {
    id: '0001-machine-and-outbox',
    sql: `
      create table machine (
        kind text not null,
        entity text not null,
        effects bigint not null,
        state text not null,
        primary key (kind, entity)
      );
      create table outbox (
        key text primary key,
        kind text not null,
        entity text not null,
        effect text not null
      );
      create index outbox_kind on outbox (kind);
    `,
  },
];

export interface DurableOptions {
  readonly db: Db;
  /** Names the machine; entities of different kinds do not meet. */
  readonly kind: string;
  /** Of the shapes of state and effect; what another version wrote is refused. */
  readonly version: number;
}

export function durableStore<State, Effect>({ db, kind, version }: DurableOptions): MachineStore<State, Effect> {
  return {
    async load(entity) {
      const sql = 'select state from machine where kind = $1 and entity = $2';
      const [row] = await db.read<{ state: string }>(sql, [kind, entity]);
      return row && codec.parse<State>(version, row.state);
    },
    save: (entity, { state, effects }, done) =>
      db.write(async (tx) => {
        const [row] = await tx.run<{ effects: bigint }>(
          `insert into machine (kind, entity, effects, state) values ($1, $2, $3, $4)
           on conflict (kind, entity) do update set effects = machine.effects + $3, state = $4 returning effects`,
          [kind, entity, effects.length, codec.print(version, state)],
        );
        if (done !== undefined) await tx.run('delete from outbox where key = $1', [done]);
        const first = Number(row!.effects) - effects.length;
        const pending = effects.map((effect, i) => ({ entity, key: `${kind}/${entity}/${first + i}`, effect }));
        for (const { key, effect } of pending) {
          const args = [key, kind, entity, codec.print(version, effect)];
          await tx.run('insert into outbox (key, kind, entity, effect) values ($1, $2, $3, $4)', args);
        }
        return pending;
      }),
    drop: (key) => db.write(async (tx) => void (await tx.run('delete from outbox where key = $1', [key]))),
    async pending() {
      const sql = 'select entity, key, effect from outbox where kind = $1 order by key';
      const rows = await db.read<{ entity: string; key: string; effect: string }>(sql, [kind]);
      return rows.map(({ entity, key, effect }) => ({ entity, key, effect: codec.parse<Effect>(version, effect) }));
    },
  };
}

/** For machines that end with the process. */
export function volatileStore<State, Effect>(): MachineStore<State, Effect> {
  const states = new Map<string, State>();
  let count = 0;
  return {
    load: async (entity) => states.get(entity),
    async save(entity, { state, effects }): Promise<readonly PendingEffect<Effect>[]> {
      states.set(entity, state);
      return effects.map((effect) => ({ entity, key: `${entity}/${count++}`, effect }));
    },
    drop: async () => {},
    pending: async () => [],
  };
}

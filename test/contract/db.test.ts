/** What every storage adapter must do; {@link ADAPTERS} lists those it is shown for. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';
import { ConstraintError, type Db } from '../../src/store/db.ts';
import { openPlace } from '../support/database.ts';
import { startPostgres, takePlace } from '../support/postgres.ts';

interface Adapter {
  readonly name: string;
  /** A place where nothing is stored yet, see `openPlace`. */
  create(): Promise<{ readonly url: string; remove(): Promise<void> }>;
  /** Whether what is written outlives the process. */
  readonly durable: boolean;
  /** Why it cannot be shown here. */
  readonly skip?: string;
}

const postgres = await startPostgres();
after(() => (typeof postgres === 'string' ? undefined : postgres.close()));

const ADAPTERS: readonly Adapter[] = [
  {
    name: 'sqlite file',
    durable: true,
    async create() {
      const folder = await mkdtemp(join(tmpdir(), 'canalworks-db-'));
      return { url: join(folder, 'test.sqlite'), remove: () => rm(folder, { recursive: true }) };
    },
  },
  {
    name: 'sqlite memory',
    durable: false,
    create: async () => ({ url: ':memory:', remove: async () => {} }),
  },
  typeof postgres === 'string'
    ? { name: 'postgres', durable: true, skip: postgres, create: () => assert.fail(postgres) }
    : { name: 'postgres', durable: true, create: () => takePlace(postgres.url) },
];

const WRITER = join(import.meta.dirname, '..', 'support', 'db-writer.ts');
const COIN = 'create table coin (id text primary key, amount bigint not null, script bytea, spent_by text)';
const INSERT = 'insert into coin (id, amount) values ($1, $2)';

for (const adapter of ADAPTERS) {
  describe(`Db contract: ${adapter.name}`, { skip: adapter.skip ?? false }, () => {
    const withDb = async (body: (db: Db, reopen: () => Promise<Db>, url: string) => Promise<void>): Promise<void> => {
      const place = await adapter.create();
      const opened: Db[] = [await openPlace(place.url)];
      try {
        await opened[0]!.write((tx) => tx.run(COIN));
        const reopen = async (): Promise<Db> => {
          opened.push(await openPlace(place.url));
          return opened.at(-1)!;
        };
        await body(opened[0]!, reopen, place.url);
      } finally {
        for (const db of opened) await db.close();
        await place.remove();
      }
    };
    const ids = async (db: Db): Promise<unknown[]> =>
      (await db.read('select id from coin order by id')).map((row) => row.id);

    test('values come back as what they went in as', () =>
      withDb(async (db) => {
        const largest = 2n ** 63n - 1n;
        const script = Uint8Array.of(0, 255, 7);
        const sql = 'insert into coin (id, amount, script) values ($1, $2, $3) returning *';
        const inserted = await db.write((tx) => tx.run(sql, ["a ' ä \u{1f600}", largest, script]));
        assert.deepEqual(inserted, [{ id: "a ' ä \u{1f600}", amount: largest, script, spent_by: null }]);
        assert.deepEqual(await db.read('select * from coin'), inserted);
        await db.write((tx) => tx.run(INSERT, ['small', 7]));
        assert.deepEqual(await db.read('select amount from coin where id = $1', ['small']), [{ amount: 7n }]);
        assert.deepEqual(await db.read('select count(*) as n from coin'), [{ n: 2n }]);
      }));

    test('arguments go by number, not by place, and must all be there', () =>
      withDb(async (db) => {
        await db.write((tx) => tx.run('insert into coin (amount, id, spent_by) values ($2, $1, $1)', ['x', 5n]));
        assert.deepEqual(await db.read('select id, amount, spent_by from coin'), [
          { id: 'x', amount: 5n, spent_by: 'x' },
        ]);
        await assert.rejects(db.read('select * from coin where id = $1'));
        await assert.rejects(
          db.write((tx) => tx.run(INSERT, ['y', 0.5])),
          TypeError,
        );
        await assert.rejects(
          db.write((tx) => tx.run(INSERT, ['y\0', 1n])),
          TypeError,
        );
        await assert.rejects(db.write((tx) => tx.run(`${INSERT}; delete from coin`, ['y', 1n])));
        assert.deepEqual(await ids(db), ['x']);
      }));

    test('a work that throws leaves no trace, and its error is passed on', () =>
      withDb(async (db) => {
        const trouble = new Error('no');
        const failing = db.write(async (tx) => {
          await tx.run(INSERT, ['a', 1n]);
          throw trouble;
        });
        await assert.rejects(failing, (error) => error === trouble);
        assert.deepEqual(await ids(db), []);
      }));

    test('a work sees what it wrote; readers outside do not, until it is committed', () =>
      withDb(async (db) => {
        let outside: Promise<unknown[]> | undefined;
        await db.write(async (tx) => {
          await tx.run(INSERT, ['a', 1n]);
          assert.equal((await tx.read('select id from coin')).length, 1);
          outside = ids(db);
          await new Promise((resolve) => setTimeout(resolve, 5));
        });
        // An engine may answer early with nothing or wait for the commit; it may not answer early with something.
        assert.ok([0, 1].includes((await outside)!.length));
        assert.deepEqual(await ids(db), ['a']);

        let dirty: Promise<unknown[]> | undefined;
        await assert.rejects(
          db.write(async (tx) => {
            await tx.run(INSERT, ['b', 1n]);
            dirty = ids(db);
            await new Promise((resolve) => setTimeout(resolve, 5));
            throw new Error('no');
          }),
        );
        assert.deepEqual(await dirty, ['a']);
      }));

    test('a broken uniqueness is a ConstraintError and undoes its whole work', () =>
      withDb(async (db) => {
        await db.write((tx) => tx.run(INSERT, ['a', 1n]));
        const twice = db.write(async (tx) => {
          await tx.run(INSERT, ['b', 1n]);
          await tx.run(INSERT, ['a', 2n]);
        });
        await assert.rejects(twice, ConstraintError);
        const notNull = db.write((tx) => tx.run(INSERT, ['c', null]));
        await assert.rejects(notNull, (error) => !(error instanceof ConstraintError));
        assert.deepEqual(await ids(db), ['a']);
      }));

    test('a failed statement dooms its work even when the work swallows the error', () =>
      withDb(async (db) => {
        await db.write((tx) => tx.run(INSERT, ['a', 1n]));
        const stubborn = db.write(async (tx) => {
          await tx.run(INSERT, ['a', 2n]).catch(() => {});
          await tx.run(INSERT, ['b', 2n]).catch(() => {});
        });
        await assert.rejects(stubborn, ConstraintError);
        assert.deepEqual(await ids(db), ['a']);
      }));

    test('a transaction cannot be used after its end', () =>
      withDb(async (db) => {
        const kept = await db.write(async (tx) => tx);
        await assert.rejects(kept.run(INSERT, ['late', 1n]));
        assert.deepEqual(await ids(db), []);
      }));

    test('concurrent works are serial: no update is lost', () =>
      withDb(async (db) => {
        await db.write((tx) => tx.run(INSERT, ['counter', 0n]));
        const increment = (): Promise<unknown> =>
          db.write(async (tx) => {
            const [row] = await tx.read<{ amount: bigint }>('select amount from coin');
            await new Promise((resolve) => setImmediate(resolve));
            await tx.run('update coin set amount = $1', [row!.amount + 1n]);
          });
        await Promise.all(Array.from({ length: 50 }, increment));
        assert.deepEqual(await db.read('select amount from coin'), [{ amount: 50n }]);
      }));

    test('of many who spend one coin at once, one succeeds', () =>
      withDb(async (db) => {
        await db.write((tx) => tx.run(INSERT, ['coin', 1n]));
        const sql = 'update coin set spent_by = $1 where id = $2 and spent_by is null returning id';
        const spent = await Promise.all(
          Array.from({ length: 20 }, (_, i) => db.write((tx) => tx.run(sql, [`tx${i}`, 'coin']))),
        );
        assert.equal(spent.filter((rows) => rows.length === 1).length, 1);
      }));

    test('in a crowd the failing works fail alone', () =>
      withDb(async (db) => {
        const results = await Promise.allSettled(
          Array.from({ length: 600 }, (_, i) =>
            db.write(async (tx) => {
              await tx.run(INSERT, [`c${i}`, BigInt(i)]);
              if (i % 3 === 0) throw new Error('third');
            }),
          ),
        );
        assert.equal(results.filter((result) => result.status === 'fulfilled').length, 400);
        assert.deepEqual(await db.read('select count(*) as n from coin'), [{ n: 400n }]);
      }));

    test('close waits for what was accepted and refuses what comes later', () =>
      withDb(async (db, reopen) => {
        const accepted = db.write((tx) => tx.run(INSERT, ['a', 1n]));
        await db.close();
        await accepted;
        await assert.rejects(db.write((tx) => tx.run(INSERT, ['b', 1n])));
        await assert.rejects(ids(db));
        if (adapter.durable) assert.deepEqual(await ids(await reopen()), ['a']);
      }));

    /** A database in memory has nothing to survive. */
    const survivesKill = (): Promise<void> =>
      withDb(async (db, reopen, url) => {
        await db.close();
        const child = spawn(process.execPath, [WRITER, url], { stdio: ['ignore', 'pipe', 'inherit'] });
        const acknowledged: string[] = [];
        for await (const id of createInterface(child.stdout)) {
          acknowledged.push(id);
          if (acknowledged.length === 40) child.kill('SIGKILL');
        }
        const stored = new Set(await ids(await reopen()));
        assert.ok(acknowledged.length >= 40);
        assert.deepEqual(
          acknowledged.filter((id) => !stored.has(id)),
          [],
        );
        // Works write pairs: half a pair would be half a transaction.
        assert.equal(stored.size % 2, 0);
      });
    if (adapter.durable) test('what was acknowledged survives kill -9', survivesKill);
  });
}

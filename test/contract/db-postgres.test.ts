/** What PostgreSQL adds to the storage contract: other writers, and a server that can go away at any moment. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Db } from '../../src/store/db.ts';
import { type Alone, openPostgres } from '../../src/store/postgres.ts';
import { type Cut, startCuttingProxy } from '../support/cutting-proxy.ts';
import { onServer, type Place, startPostgres, takePlace } from '../support/postgres.ts';

const server = await startPostgres();
after(() => (typeof server === 'string' ? undefined : server.close()));
const url = typeof server === 'string' ? '' : server.url;
const power = typeof server === 'string' ? undefined : server.power;

const COIN = 'create table coin (id text primary key, amount bigint not null)';
const INSERT = 'insert into coin (id, amount) values ($1, $2)';

async function withPlace(body: (db: Db, place: Place) => Promise<void>): Promise<void> {
  const place = await takePlace(url);
  const db = await openPostgres(place.url);
  try {
    await db.write((tx) => tx.run(COIN));
    await body(db, place);
  } finally {
    await db.close();
    await place.remove();
  }
}

const insert = (db: Db, id: string): Promise<unknown> => db.write((tx) => tx.run(INSERT, [id, 1n]));
const ids = async (db: Db): Promise<unknown[]> =>
  (await db.read('select id from coin order by id')).map((row) => row.id);

describe('PostgreSQL', { skip: typeof server === 'string' ? server : false }, () => {
  test('numbers of every width are bigint, truth is 1 or 0, and a fraction is refused', () =>
    withPlace(async (db) => {
      const [row] = await db.read("select 1 as a, 2::smallint as b, sum(3::bigint) as c, 1 = 1 as d, 'x' as e");
      assert.deepEqual(row, { a: 1n, b: 2n, c: 3n, d: 1n, e: 'x' });
      await assert.rejects(db.read('select 0.5 as half'), TypeError);
      assert.deepEqual(await db.read('select 1 as a'), [{ a: 1n }]);
    }));

  test('a read cannot write', () =>
    withPlace(async (db) => {
      await assert.rejects(db.read("insert into coin (id, amount) values ('a', 1)"));
      assert.deepEqual(await ids(db), []);
    }));

  test('a commit is durable and serializable whatever the server is set to', () =>
    withPlace(async (db) => {
      const settings = await db.write((tx) =>
        tx.read(
          "select current_setting('synchronous_commit') as sync, current_setting('transaction_isolation') as isolation",
        ),
      );
      assert.deepEqual(settings, [{ sync: 'on', isolation: 'serializable' }]);
    }));

  test('two writers on one database lose no update', () =>
    withPlace(async (db, place) => {
      const other = await openPostgres(place.url);
      await insert(db, 'counter');
      let runs = 0;
      const increment = (on: Db): Promise<unknown> =>
        on.write(async (tx) => {
          runs++;
          const [row] = await tx.read<{ amount: bigint }>('select amount from coin');
          await setTimeout(2);
          await tx.run('update coin set amount = $1', [row!.amount + 1n]);
        });
      const rounds = async (on: Db): Promise<void> => {
        for (let i = 0; i < 10; i++) await increment(on);
      };
      await Promise.all([rounds(db), rounds(other)]);
      assert.deepEqual(await db.read('select amount from coin'), [{ amount: 21n }]);
      assert.ok(runs > 20, 'no conflict happened');
      await other.close();
    }));

  test('write skew is refused: of two who each rely on the other, one sees what the other did', () =>
    withPlace(async (db, place) => {
      const other = await openPostgres(place.url);
      await Promise.all([insert(db, 'a'), insert(db, 'b')]);
      const spendUnlessLast = (on: Db, id: string): Promise<boolean> =>
        on.write(async (tx) => {
          const left = await tx.read('select id from coin where amount > 0');
          await setTimeout(20);
          if (left.length < 2) return false;
          await tx.run('update coin set amount = 0 where id = $1', [id]);
          return true;
        });
      const spent = await Promise.all([spendUnlessLast(db, 'a'), spendUnlessLast(other, 'b')]);
      assert.deepEqual(spent.toSorted(), [false, true]);
      await other.close();
    }));

  test('whoever is always too late is told so after some attempts, and has written nothing', () =>
    withPlace(async (db, place) => {
      const other = await openPostgres(place.url);
      await insert(db, 'a');
      let runs = 0;
      const late = db.write(async (tx) => {
        runs++;
        await tx.run(INSERT, [`run ${runs}`, 1n]);
        await tx.read('select amount from coin where id = $1', ['a']);
        await other.write((quick) => quick.run('update coin set amount = amount + 1 where id = $1', ['a']));
        await tx.run('update coin set amount = 0 where id = $1', ['a']);
      });
      const next = insert(db, 'b');
      await assert.rejects(late, { code: 'STORE_CONTENDED' });
      assert.ok(runs > 1);
      await next;
      assert.deepEqual(await db.read('select id, amount from coin order by id'), [
        { id: 'a', amount: 1n + BigInt(runs) },
        { id: 'b', amount: 1n },
      ]);
      await other.close();
    }));

  test('the marks of commits do not pile up', () =>
    withPlace(async (db, place) => {
      for (let i = 0; i < 1_200; i++) await db.write((tx) => tx.read('select 1'));
      const marks = async (): Promise<unknown> =>
        (await onServer(place.url, 'select count(*)::int as n from commit_mark'))[0]!.n;
      assert.ok(((await marks()) as number) < 1_000);
      await db.close();
      assert.equal(await marks(), 0);
    }));

  test('a connection that breaks between statements is replaced and the work runs again, as a whole', () =>
    withPlace(async (db) => {
      const pids: unknown[] = [];
      await db.write(async (tx) => {
        pids.push((await tx.read('select pg_backend_pid() as pid'))[0]!.pid);
        await tx.run(INSERT, [`try ${pids.length} a`, 1n]);
        if (pids.length === 1) await onServer(url, `select pg_terminate_backend(${pids[0]})`);
        await tx.run(INSERT, [`try ${pids.length} b`, 1n]);
      });
      assert.equal(new Set(pids).size, 2);
      assert.deepEqual(await ids(db), ['try 2 a', 'try 2 b']);
    }));

  test('idle connections that break are replaced unnoticed', () =>
    withPlace(async (db) => {
      await insert(db, 'a');
      await ids(db);
      const others = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'canalworks'";
      await onServer(url, others);
      assert.deepEqual(await ids(db), ['a']);
      await onServer(url, others);
      await insert(db, 'b');
      assert.deepEqual(await ids(db), ['a', 'b']);
    }));

  test('a statement that takes too long fails alone', () =>
    withPlace(async (db) => {
      const slow = db.write(async (tx) => {
        await tx.run(INSERT, ['slow', 1n]);
        await tx.run('set local statement_timeout = 50');
        await tx.run('select pg_sleep(5)');
      });
      const quick = insert(db, 'quick');
      await assert.rejects(slow, { code: 'STORE_TIMEOUT' });
      await quick;
      assert.deepEqual(await ids(db), ['quick']);
    }));

  describe('a commit whose answer is lost', () => {
    async function cutOff(cut: Cut, body: (writing: Promise<unknown>, runs: () => number, sure: Db) => Promise<void>) {
      await withPlace(async (sure, place) => {
        const target = new URL(place.url);
        const proxy = await startCuttingProxy({ host: target.hostname, port: Number(target.port) });
        target.port = `${proxy.port}`;
        const db = await openPostgres(target.href);
        proxy.arm(cut);
        let runs = 0;
        const writing = db.write(async (tx) => {
          runs++;
          await tx.run(INSERT, [`run ${runs}`, 1n]);
        });
        try {
          await body(writing, () => runs, sure);
        } finally {
          await db.close();
          await proxy.close();
        }
      });
    }

    test('is found to have happened, and is not done twice', () =>
      cutOff({ at: 'commit\0', when: 'after', afterwards: 'recover' }, async (writing, runs, sure) => {
        await writing;
        assert.equal(runs(), 1);
        assert.deepEqual(await ids(sure), ['run 1']);
      }));

    test('is found not to have happened, and is done again', () =>
      cutOff({ at: 'commit\0', when: 'before', afterwards: 'recover' }, async (writing, runs, sure) => {
        await writing;
        assert.equal(runs(), 2);
        assert.deepEqual(await ids(sure), ['run 2']);
      }));

    test('is told as unknown while nobody can be asked, and not tried again', () =>
      cutOff({ at: 'commit\0', when: 'after', afterwards: 'refuse' }, async (writing, runs, sure) => {
        await assert.rejects(writing, { code: 'COMMIT_UNKNOWN' });
        assert.equal(runs(), 1);
        assert.deepEqual(await ids(sure), ['run 1']);
      }));
  });

  describe('when the server goes away', { skip: power ? false : 'THE SERVER IS NOT OURS TO STOP' }, () => {
    for (const mode of ['fast', 'immediate'] as const) {
      test(`in mid-traffic (${mode}), every pair is there whole or was refused, and what was acknowledged is there`, () =>
        withPlace(async (db) => {
          let stopping = false;
          const refused: unknown[] = [];
          const acknowledged: string[] = [];
          const traffic = async (lane: number): Promise<void> => {
            for (let i = 0; !stopping; i++) {
              const pair = [`${lane}-${i}-a`, `${lane}-${i}-b`];
              try {
                await db.write(async (tx) => {
                  for (const id of pair) await tx.run(INSERT, [id, 1n]);
                });
                acknowledged.push(...pair);
              } catch (error) {
                refused.push((error as { code?: unknown }).code);
              }
            }
          };
          const lanes = [0, 1, 2, 3].map(traffic);
          await setTimeout(300);
          await power!.stop(mode);
          await assert.rejects(ids(db), { code: 'STORE_UNAVAILABLE' });
          await assert.rejects(insert(db, 'nowhere'), { code: 'STORE_UNAVAILABLE' });
          await power!.start();
          const before = acknowledged.length;
          while (acknowledged.length < before + 20) await setTimeout(10);
          stopping = true;
          await Promise.all(lanes);

          const stored = new Set((await ids(db)) as string[]);
          assert.deepEqual(
            acknowledged.filter((id) => !stored.has(id)),
            [],
          );
          for (const id of stored) assert.ok(stored.has(id.replace(/[ab]$/, (end) => (end === 'a' ? 'b' : 'a'))), id);
          assert.deepEqual(
            refused.filter((code) => code !== 'STORE_UNAVAILABLE' && code !== 'COMMIT_UNKNOWN'),
            [],
          );
          // Whoever was not told "unknown" was told the truth.
          if (!refused.includes('COMMIT_UNKNOWN')) assert.equal(stored.size, acknowledged.length);
        }));
    }
  });

  describe('alone on a database', () => {
    interface Waiting {
      readonly db: Promise<Db>;
      readonly said: string[];
      abort(): void;
    }
    function openAlone(place: Place): Waiting {
      const said: string[] = [];
      const control = new AbortController();
      const alone: Alone = {
        onStandby: () => said.push('standby'),
        onLost: (error) => said.push(error.code),
        signal: control.signal,
      };
      return { db: openPostgres(place.url, alone), said, abort: () => control.abort() };
    }

    test('the second waits until the first closes, and says so once', () =>
      withPlace(async (_, place) => {
        const first = openAlone(place);
        const active = await first.db;
        const second = openAlone(place);
        assert.equal(await Promise.race([second.db, setTimeout(1_500, 'waiting')]), 'waiting');
        assert.deepEqual(second.said, ['standby']);
        await insert(active, 'a');
        await active.close();
        const successor = await second.db;
        assert.deepEqual(await ids(successor), ['a']);
        await successor.close();
        assert.deepEqual([first.said, second.said], [[], ['standby']]);
      }));

    test('whoever loses the hold writes and reads no more, and the next takes over', () =>
      withPlace(async (db, place) => {
        const first = openAlone(place);
        const active = await first.db;
        const second = openAlone(place);
        const [{ pid } = {}] = await active.write((tx) => tx.read('select pg_backend_pid() as pid'));
        const interrupted = active.write(async (tx) => {
          await tx.run(INSERT, ['half', 1n]);
          await onServer(url, `select pg_terminate_backend(${pid})`);
          await tx.run(INSERT, ['whole', 1n]);
        });
        await assert.rejects(interrupted, { code: 'STORE_UNAVAILABLE' });
        const successor = await second.db;
        await assert.rejects(insert(active, 'late'), { code: 'STORE_UNAVAILABLE' });
        await assert.rejects(ids(active), { code: 'STORE_UNAVAILABLE' });
        assert.deepEqual(first.said, ['STORE_UNAVAILABLE']);
        await insert(successor, 'next');
        assert.deepEqual(await ids(db), ['next']);
        await Promise.all([active.close(), successor.close()]);
      }));

    test('waiting can be called off, and databases do not wait for each other', () =>
      withPlace(async (_, place) => {
        const active = await openAlone(place).db;
        const second = openAlone(place);
        await setTimeout(100);
        second.abort();
        await assert.rejects(second.db, { name: 'AbortError' });
        await withPlace(async (_other, elsewhere) => (await openAlone(elsewhere).db).close());
        await active.close();
      }));
  });

  test('what cannot be opened is an operator error that keeps the password to itself', async () => {
    for (const bad of [
      'postgres://u:hush@127.0.0.1:1/x',
      'postgres://u:hush@no.such.host.invalid/x',
      url.replace(/postgres$/, 'absent'),
      `${url}?options=-c%20search_path%3Dabsent`,
    ]) {
      await assert.rejects(openPostgres(bad), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'DATABASE_UNREACHABLE');
        assert.doesNotMatch(error.message, /hush/);
        return true;
      });
    }
  });
});

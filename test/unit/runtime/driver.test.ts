import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ProtocolError } from '../../../src/base/errors.ts';
import { go, type Step } from '../../../src/base/step.ts';
import { createManualClock } from '../../../src/runtime/clock.ts';
import { createDriver, type MachineStore } from '../../../src/runtime/driver.ts';
import { silentLog } from '../../../src/runtime/log.ts';
import { durableStore, MACHINE_MIGRATIONS, volatileStore } from '../../../src/runtime/machine-store.ts';
import { migrate } from '../../../src/store/migrate.ts';
import { observed, testDatabase } from '../../support/database.ts';

/** An order that is paid for, and shipped by an effect whose result closes it. */
interface Order {
  readonly at: 'paid' | 'shipped';
  readonly amount: bigint;
}
type OrderEvent = { readonly type: 'paid'; readonly amount: bigint } | { readonly type: 'shipped' };
interface Ship {
  readonly type: 'ship';
  readonly amount: bigint;
}

function step(state: Order | undefined, event: OrderEvent): Step<Order, Ship> {
  if (event.type === 'paid') {
    if (state) throw new ProtocolError('PAID_ALREADY', 'once is enough');
    return go({ at: 'paid', amount: event.amount }, { type: 'ship', amount: event.amount });
  }
  return go({ at: 'shipped', amount: state!.amount });
}

let isBusy = (): boolean => false;

/** Lets saves and effects that wait for nothing but the event loop and the database come to their end. */
const settle = async (): Promise<void> => {
  for (let quiet = 0; quiet < 10; quiet++) {
    await turn();
    if (isBusy()) quiet = 0;
  }
};

async function setUp(store: MachineStore<Order, Ship>, failures = new Map<bigint, number>()) {
  const clock = createManualClock();
  const shipped: string[] = [];
  const driver = createDriver<Order, OrderEvent, Ship>({
    step,
    store,
    clock,
    log: silentLog,
    async perform({ amount }, key) {
      const left = failures.get(amount) ?? 0;
      failures.set(amount, left - 1);
      if (left > 0) throw new Error('the van broke down');
      shipped.push(key);
      return { type: 'shipped' };
    },
  });
  return { driver, clock, shipped };
}

async function durable() {
  const seen = observed(await (await testDatabase())());
  const { db } = seen;
  isBusy = seen.isBusy;
  await migrate(db, 'machine', MACHINE_MIGRATIONS);
  return { db, store: durableStore<Order, Ship>({ db, kind: 'order', version: 1 }) };
}

for (const [name, create] of [
  ['durable', async () => (await durable()).store],
  ['volatile', async () => volatileStore<Order, Ship>()],
] as const) {
  test(`${name}: a step's effect is carried out and its result is the next event`, async () => {
    const store = await create();
    const { driver, shipped } = await setUp(store);
    assert.deepEqual(await driver.dispatch('a', { type: 'paid', amount: 7n }), { at: 'paid', amount: 7n });
    await driver.stop();
    assert.equal(shipped.length, 1);
    assert.deepEqual(await store.load('a'), { at: 'shipped', amount: 7n });
    assert.deepEqual(await store.pending(), []);
  });

  test(`${name}: a refused event changes nothing and does not block the next`, async () => {
    const store = await create();
    const { driver, shipped } = await setUp(store);
    const [first, second] = await Promise.allSettled([
      driver.dispatch('a', { type: 'paid', amount: 7n }),
      driver.dispatch('a', { type: 'paid', amount: 8n }),
    ]);
    assert.equal(first.status, 'fulfilled');
    assert.equal(second.status === 'rejected' && second.reason.code, 'PAID_ALREADY');
    await driver.stop();
    assert.equal(shipped.length, 1);
  });

  test(`${name}: a stuck effect is tried again ever later and holds up nobody`, async () => {
    const store = await create();
    const { driver, clock, shipped } = await setUp(store, new Map([[1n, 3]]));
    await driver.dispatch('stuck', { type: 'paid', amount: 1n });
    await driver.dispatch('free', { type: 'paid', amount: 2n });
    await clock.advance(400);
    await settle();
    assert.equal((await store.load('free'))!.at, 'shipped');
    await clock.advance(3_000);
    assert.equal((await store.load('stuck'))!.at, 'paid');
    await clock.advance(200);
    await settle();
    assert.equal((await store.load('stuck'))!.at, 'shipped');
    assert.equal(shipped.length, 2);
    await driver.stop();
  });
}

test('what a crash left undone is taken up again, under the same key', async () => {
  const { db, store } = await durable();
  const crashed = await setUp(store, new Map([[7n, 1]]));
  await crashed.driver.dispatch('a', { type: 'paid', amount: 7n });
  await crashed.clock.advance(0);
  await crashed.driver.stop();
  const [pending] = await store.pending();
  assert.deepEqual(pending, { entity: 'a', key: 'order/a/0', effect: { type: 'ship', amount: 7n } });

  const next = await setUp(store);
  await next.driver.resume();
  await next.driver.stop();
  assert.deepEqual(next.shipped, ['order/a/0']);
  assert.deepEqual(await store.load('a'), { at: 'shipped', amount: 7n });
  assert.deepEqual(await db.read('select * from outbox'), []);
});

test('state, effects and the end of the effect they answer are saved in one transaction', async () => {
  const { db, store } = await durable();
  await store.save('a', go<Order, Ship>({ at: 'paid', amount: 1n }, { type: 'ship', amount: 1n }));
  // The outbox refuses the effect, so the state must not move either.
  await db.write((tx) => tx.run("insert into outbox (key, kind, entity, effect) values ('order/a/1', 'x', 'x', '')"));
  const failing = store.save(
    'a',
    go<Order, Ship>({ at: 'shipped', amount: 1n }, { type: 'ship', amount: 2n }),
    'order/a/0',
  );
  await assert.rejects(failing);
  assert.deepEqual(await store.load('a'), { at: 'paid', amount: 1n });
  assert.equal((await store.pending()).length, 1);
});

/** The batch machine: every transition, every timeout, and that nobody is ever lost on the way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type BatchEffect,
  type BatchEvent,
  type BatchMember,
  type BatchState,
  IDLE,
  MIN_GATHERING_MS,
  step,
} from '../../../../src/ark/protocol/batch.ts';
import type { OutpointKey } from '../../../../src/base/bytes.ts';
import { parse, print } from '../../../../src/base/codec.ts';

const TERMS = { sessionMs: 10_000, minParticipants: 1 };
const owe = (name: string): OutpointKey => `${name}:0` as OutpointKey;

const member = (name: string, change: Partial<BatchMember> = {}): BatchMember => ({
  intentId: name,
  topics: [`${name}:0`, `key-${name}`],
  cosigners: [`key-${name}`],
  owes: [owe(name)],
  ...change,
});

const A = member('a');
const B = member('b');

type Event = BatchEvent extends infer E ? (E extends unknown ? Omit<E, 'now'> : never) : never;

/** Runs events one after another, a second apart from 0 on. */
function play(events: readonly Event[], state: BatchState = IDLE, terms = TERMS) {
  let effects: readonly BatchEffect[] = [];
  events.forEach((event, i) => {
    const next = step(state, { ...event, now: i * 1000 } as BatchEvent, terms);
    state = next.state;
    effects = next.effects;
  });
  return { state, effects, types: effects.map(({ type }) => type) };
}

const gathered: Event[] = [{ type: 'intentQueued' }];
const started = (...members: BatchMember[]): Event[] => [...gathered, { type: 'intentsSelected', id: 'x', members }];
const acked = (...members: BatchMember[]): Event[] => [
  ...started(...members),
  ...members.map(({ intentId }): Event => ({ type: 'intentAcked', intentId })),
];
const built = (...members: BatchMember[]): Event[] => [...acked(...members), { type: 'batchBuilt', hasTree: true }];
const nonced = (...members: BatchMember[]): Event[] => [
  ...built(...members),
  ...members.flatMap(({ cosigners }) => cosigners.map((cosigner): Event => ({ type: 'noncesReceived', cosigner }))),
];
const signed = (...members: BatchMember[]): Event[] => [
  ...nonced(...members),
  ...members.flatMap(({ cosigners }) => cosigners.map((cosigner): Event => ({ type: 'signaturesReceived', cosigner }))),
];
const paidUp = (...members: BatchMember[]): Event[] => [
  ...signed(...members),
  ...members.flatMap(({ owes }) => owes.map((outpoint): Event => ({ type: 'debtSettled', outpoint }))),
];

test('a batch that goes well, from the first intent to the last', () => {
  const at = (events: Event[]) => [play(events).state.at, play(events).types];
  assert.deepEqual(at(gathered), ['gathering', ['schedule']]);
  assert.deepEqual(at([...gathered, { type: 'timedOut', phase: 'gathering' }]), ['gathering', ['selectIntents']]);
  assert.deepEqual(at(started(A, B)), ['confirming', ['announceStart', 'schedule']]);
  assert.deepEqual(at(acked(A, B)), ['building', ['build']]);
  assert.deepEqual(at(built(A, B)), ['noncing', ['openSigning', 'schedule']]);
  assert.deepEqual(at(nonced(A, B)), ['signing', ['shareNonces', 'schedule']]);
  assert.deepEqual(at(signed(A, B)), ['forfeiting', ['shareSignatures', 'askForDebts', 'schedule']]);
  assert.deepEqual(at(paidUp(A, B)), ['finalizing', ['settle']]);
  const done = (more: boolean): Event => ({ type: 'batchSettled', commitmentTxid: 'c', more });
  assert.deepEqual(at([...paidUp(A, B), done(false)]), ['idle', ['announceEnd', 'release']]);
  assert.deepEqual(at([...paidUp(A, B), done(true)]), ['gathering', ['announceEnd', 'release', 'schedule']]);
});

test('a batch without a tree asks for debts at once, one without debts settles at once', () => {
  const bare: Event = { type: 'batchBuilt', hasTree: false };
  assert.deepEqual(play([...acked(A), bare]).types, ['askForDebts', 'schedule']);
  const free = member('n', { owes: [] });
  assert.deepEqual(play([...acked(free), bare]).types, ['askForDebts', 'settle']);
  assert.deepEqual(play(signed(free)).types, ['shareSignatures', 'askForDebts', 'settle']);
  assert.equal(play(signed(free)).state.at, 'finalizing');
});

test('gathering lasts a sixth of the session and never less than it takes to open a stream', () => {
  const until = (sessionMs: number): number => {
    const { effects } = play(gathered, IDLE, { ...TERMS, sessionMs });
    return (effects[0] as BatchEffect & { type: 'schedule' }).until;
  };
  assert.equal(until(60_000), 10_000);
  assert.equal(until(1_000), MIN_GATHERING_MS);
});

test('an empty selection ends in rest, one too small waits on', () => {
  assert.deepEqual(play(started()).state, IDLE);
  const held = play([...gathered, { type: 'intentsSelected', id: 'x', members: [A, B], held: true }]);
  assert.deepEqual([held.state, held.types], [{ at: 'gathering' }, ['schedule']]);
  const few = play(started(A), IDLE, { ...TERMS, minParticipants: 2 });
  assert.deepEqual([few.state.at, few.types], ['gathering', ['schedule']]);
});

test('who does not confirm goes back to the queue, the others go on if they are enough', () => {
  const late: Event = { type: 'timedOut', phase: 'confirming', id: 'x' };
  const one: Event[] = [...started(A, B), { type: 'intentAcked', intentId: 'a' }, late];
  const { state, effects } = play(one);
  assert.equal(state.at, 'building');
  assert.deepEqual(effects, [
    { type: 'requeue', id: 'x', intentIds: ['b'], cause: 'unconfirmed' },
    { type: 'build', id: 'x', members: [A] },
  ]);
  assert.deepEqual(play(one, IDLE, { ...TERMS, minParticipants: 2 }).effects.slice(0, 3), [
    { type: 'requeue', id: 'x', intentIds: ['b'], cause: 'unconfirmed' },
    { type: 'requeue', id: 'x', intentIds: ['a'], cause: 'wronged' },
    { type: 'release', id: 'x' },
  ]);
  assert.deepEqual(play([...started(A, B), late]).effects[0], {
    type: 'requeue',
    id: 'x',
    intentIds: ['a', 'b'],
    cause: 'unconfirmed',
  });
});

interface Breakup {
  readonly after: Event[];
  readonly event: Event;
  readonly phase?: string;
  readonly drop: string[];
  readonly requeue: string[];
}

const BREAKUPS: Readonly<Record<string, Breakup>> = {
  'nonces missing': {
    after: [...built(A, B), { type: 'noncesReceived', cosigner: 'key-a' }],
    event: { type: 'timedOut', phase: 'noncing', id: 'x' },
    phase: 'noncing',
    drop: ['b'],
    requeue: ['a'],
  },
  'signatures missing': {
    after: [...nonced(A, B), { type: 'signaturesReceived', cosigner: 'key-b' }],
    event: { type: 'timedOut', phase: 'signing', id: 'x' },
    phase: 'signing',
    drop: ['a'],
    requeue: ['b'],
  },
  'forfeits missing': {
    after: [...signed(A, B), { type: 'debtSettled', outpoint: owe('a') }],
    event: { type: 'timedOut', phase: 'forfeiting', id: 'x' },
    phase: 'forfeiting',
    drop: ['b'],
    requeue: ['a'],
  },
  'everything missing': {
    after: built(A, B),
    event: { type: 'timedOut', phase: 'noncing', id: 'x' },
    phase: 'noncing',
    drop: ['a', 'b'],
    requeue: [],
  },
  'a coin spent elsewhere': {
    after: paidUp(A, B),
    event: { type: 'settlementFailed', reason: 'r', spent: ['b'] },
    phase: 'spending',
    drop: ['b'],
    requeue: ['a'],
  },
  'everybody unfit': {
    after: acked(A, B),
    event: { type: 'buildFailed', reason: 'r', unfit: ['a', 'b'], spent: [] },
    drop: ['a', 'b'],
    requeue: [],
  },
  'no liquidity': {
    after: acked(A, B),
    event: { type: 'buildFailed', reason: 'r', unfit: [], spent: [] },
    drop: [],
    requeue: ['a', 'b'],
  },
  'a commitment refused': {
    after: paidUp(A, B),
    event: { type: 'settlementFailed', reason: 'r', spent: [] },
    drop: [],
    requeue: ['a', 'b'],
  },
};

for (const [name, { after, event, phase, drop, requeue }] of Object.entries(BREAKUPS)) {
  test(`a batch breaks up over ${name}: its culprits are named, the others queued again and soon under way`, () => {
    const { state, effects } = play([...after, event]);
    assert.equal(state.at, 'gathering');
    const [convict, dropped, requeued, failure, release, schedule] = effects as [
      BatchEffect & { type: 'convict' },
      BatchEffect,
      BatchEffect,
      BatchEffect & { type: 'announceFailure' },
      BatchEffect,
      BatchEffect & { type: 'schedule' },
    ];
    assert.deepEqual(convict.offences, phase ? drop.map((intentId) => ({ intentId, phase })) : []);
    assert.deepEqual(dropped, { type: 'drop', intentIds: drop });
    const cause = drop.length > 0 ? 'wronged' : 'failed';
    assert.deepEqual(requeued, { type: 'requeue', id: 'x', intentIds: requeue, cause });
    assert.deepEqual(release, { type: 'release', id: 'x' });
    assert.deepEqual(failure.topics, [...A.topics, ...B.topics]);
    assert.equal(schedule.until, after.length * 1000 + MIN_GATHERING_MS);
  });
}

test('who turns out unfit while the batch is built is left out and told; the others notice nothing', () => {
  const unfit: Event = { type: 'buildFailed', reason: 'r', unfit: ['b'], spent: ['b'] };
  const { state, effects } = play([...acked(A, B), unfit]);
  assert.deepEqual([state.at, 'members' in state && state.members], ['building', [A]]);
  assert.deepEqual(effects, [
    { type: 'convict', id: 'x', offences: [{ intentId: 'b', phase: 'spending' }] },
    { type: 'drop', intentIds: ['b'] },
    { type: 'leaveOut', id: 'x', reason: 'r', topics: B.topics },
    { type: 'build', id: 'x', members: [A] },
  ]);
  assert.equal(play([...acked(A, B), unfit], IDLE, { ...TERMS, minParticipants: 2 }).state.at, 'gathering');
});

test('who has seen nothing that binds it to the batch goes on to the next without hearing of a failure', () => {
  const leaver = member('l', { cosigners: [] });
  const late = (phase: 'noncing' | 'signing' | 'forfeiting'): Event => ({ type: 'timedOut', phase, id: 'x' });
  const told = (events: Event[]) => play(events).effects.flatMap((e) => (e.type === 'announceFailure' ? e.topics : []));
  assert.deepEqual(told([...built(A, leaver), late('noncing')]), A.topics);
  assert.deepEqual(told([...nonced(A, leaver), late('signing')]), A.topics);
  const forfeited: Event = { type: 'debtSettled', outpoint: owe('l') };
  assert.deepEqual(told([...signed(A, leaver), forfeited, late('forfeiting')]), [...A.topics, ...leaver.topics]);
  const free = member('f', { cosigners: [], owes: [] });
  assert.deepEqual(told([...signed(A, free), late('forfeiting')]), A.topics);
});

test('what comes twice, from strangers, or in the wrong phase changes nothing', () => {
  const strays: Event[] = [
    { type: 'intentAcked', intentId: 'stranger' },
    { type: 'noncesReceived', cosigner: 'stranger' },
    { type: 'signaturesReceived', cosigner: 'stranger' },
    { type: 'debtSettled', outpoint: owe('stranger') },
    { type: 'intentQueued' },
    { type: 'timedOut', phase: 'confirming', id: 'older' },
    { type: 'timedOut', phase: 'noncing', id: 'older' },
    { type: 'timedOut', phase: 'signing', id: 'older' },
    { type: 'timedOut', phase: 'forfeiting', id: 'older' },
    { type: 'timedOut', phase: 'building', id: 'x' },
    { type: 'timedOut', phase: 'finalizing', id: 'x' },
  ];
  const phases = [started(A, B), acked(A, B), built(A, B), nonced(A, B), signed(A, B), paidUp(A, B)];
  for (const events of phases) {
    const { state } = play(events);
    for (const stray of strays) {
      const next = step(state, { ...stray, now: 50_000 } as BatchEvent, TERMS);
      assert.deepEqual(next, { state, effects: [] }, `${state.at}: ${stray.type}`);
    }
  }
  const twice = [
    ...started(A, B),
    { type: 'intentAcked', intentId: 'a' },
    { type: 'intentAcked', intentId: 'a' },
  ] as Event[];
  assert.equal(play(twice).state.at, 'confirming');
});

test('a timer of the gathering before does not end the one now', () => {
  assert.deepEqual(play([{ type: 'timedOut', phase: 'gathering' }]).effects, []);
  assert.deepEqual(play([...started(A), { type: 'timedOut', phase: 'gathering' }]).effects, []);
});

test('phases share the time that is left and none ends after the session', () => {
  const end = 1_000 + TERMS.sessionMs - 1_666;
  for (const events of [started(A), built(A), nonced(A), signed(A)]) {
    const schedule = play(events).effects.find(({ type }) => type === 'schedule') as BatchEffect & { type: 'schedule' };
    assert.ok(schedule.until <= end, `${schedule.phase} until ${schedule.until}`);
  }
});

/** What a server does between the machine's effects, at random. */
const MEMBERS = ['a', 'b', 'c', 'd'].map((name, i) =>
  member(name, { owes: i % 2 ? [owe(name)] : [], cosigners: i === 3 ? [] : [`key-${name}`] }),
);

function eventOf(state: BatchState, kind: number, who: number, flag: boolean): Event {
  const one = MEMBERS[who % MEMBERS.length]!;
  const cosigner = one.cosigners[0] ?? 'none';
  const id = flag && 'id' in state ? state.id : 'stale';
  const events: Event[] = [
    { type: 'intentQueued' },
    { type: 'timedOut', phase: state.at, ...(state.at !== 'gathering' && { id }) },
    { type: 'intentsSelected', id: `batch-${kind}-${who}`, members: MEMBERS.slice(0, 1 + (who % MEMBERS.length)) },
    { type: 'intentAcked', intentId: one.intentId },
    { type: 'batchBuilt', hasTree: flag },
    { type: 'buildFailed', reason: 'r', unfit: flag ? [one.intentId] : [], spent: flag ? [one.intentId] : [] },
    { type: 'noncesReceived', cosigner },
    { type: 'signaturesReceived', cosigner },
    { type: 'debtSettled', outpoint: owe(one.intentId) },
    { type: 'batchSettled', commitmentTxid: 'c', more: flag },
    { type: 'settlementFailed', reason: 'r', spent: flag ? [one.intentId] : [] },
  ];
  return events[kind % events.length]!;
}

test('whatever happens in whatever order, each member of a batch is settled, queued again, or dropped, once', () => {
  const events = fc.array(fc.tuple(fc.nat(10), fc.nat(3), fc.boolean()), { maxLength: 200 });
  fc.assert(
    fc.property(events, (choices) => {
      let state: BatchState = IDLE;
      let now = 0;
      let inside = new Set<string>();
      for (const [kind, who, flag] of choices) {
        const event = { ...eventOf(state, kind, who, flag), now: (now += 500) } as BatchEvent;
        const before = state;
        const next = step(before, event, TERMS);
        state = parse<BatchState>(1, print(1, next.state));
        assert.deepEqual(state, next.state, 'the state is plain data');
        for (const effect of next.effects) {
          if (effect.type === 'announceStart') {
            assert.equal(inside.size, 0);
            inside = new Set(effect.members.map(({ intentId }) => intentId));
          }
          if (effect.type === 'requeue' || effect.type === 'drop') {
            for (const intentId of effect.intentIds) assert.ok(inside.delete(intentId), `${intentId} left twice`);
          }
          if (effect.type === 'announceEnd') inside.clear();
        }
        const members = 'members' in state ? state.members.map(({ intentId }) => intentId) : [];
        assert.deepEqual([...inside].sort(), members.toSorted(), 'who is in is in');
      }
    }),
    { numRuns: 500 },
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../../../src/runtime/clock.ts';
import { createPeers, parseNetworks } from '../../../src/runtime/peer.ts';
import { createPulse } from '../../../src/runtime/pulse.ts';
import { createRateLimiter } from '../../../src/runtime/rate-limiter.ts';
import { createRecent, remembered } from '../../../src/runtime/recent.ts';
import { createSlots } from '../../../src/runtime/slots.ts';

const from = (remoteAddress: string, forwarded?: string) => ({
  headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  socket: { remoteAddress } as never,
});

test('a budget is used up, refills with time, and is one of its own for each peer and kind', () => {
  const clock = createManualClock();
  const budget = { perSecond: 10, burst: 3 };
  const limiter = createRateLimiter(clock, { read: budget, proof: budget });
  const spend = (peer: string | undefined, kind: 'read' | 'proof' = 'read') => limiter.spend(peer, kind);
  for (let i = 0; i < 3; i++) spend('a');
  assert.throws(() => spend('a'), { code: 'RATE_LIMITED', data: { retry_after: '1' } });
  spend('b');
  spend('a', 'proof');
  for (let i = 0; i < 100; i++) spend(undefined);
});

test('what was used comes back at its rate and never above the burst', async () => {
  const clock = createManualClock();
  const limiter = createRateLimiter(clock, { read: { perSecond: 10, burst: 3 } });
  for (let i = 0; i < 3; i++) limiter.spend('a', 'read');
  await clock.advance(200);
  for (let i = 0; i < 2; i++) limiter.spend('a', 'read');
  assert.throws(() => limiter.spend('a', 'read'), { code: 'RATE_LIMITED' });
  await clock.advance(3_600_000);
  for (let i = 0; i < 3; i++) limiter.spend('a', 'read');
  assert.throws(() => limiter.spend('a', 'read'), { code: 'RATE_LIMITED' });
});

test('so many run, so many wait in order, the rest is refused at once', async () => {
  const clock = createManualClock();
  const slots = createSlots(clock, { mostRunning: 2, mostWaiting: 2, patienceMs: 1_000 });
  const [first, second] = [await slots.take(), await slots.take()];
  const order: string[] = [];
  const third = slots.take().then((leave) => {
    order.push('third');
    return leave;
  });
  const fourth = slots.take().then((leave) => {
    order.push('fourth');
    return leave;
  });
  await assert.rejects(slots.take(), { code: 'UNAVAILABLE' });
  first();
  first();
  (await third)();
  await fourth;
  assert.deepEqual(order, ['third', 'fourth']);
  second();
  assert.deepEqual([slots.running, slots.waiting], [1, 0]);
});

test('nobody waits for longer than patience lasts', async () => {
  const clock = createManualClock();
  const slots = createSlots(clock, { mostRunning: 1, mostWaiting: 5, patienceMs: 1_000 });
  const leave = await slots.take();
  const refused = assert.rejects(slots.take(), { code: 'UNAVAILABLE' });
  await clock.advance(1_000);
  await refused;
  leave();
  assert.deepEqual([slots.running, slots.waiting], [0, 0]);
  await slots.take();
});

test('a forwarded address counts where a trusted proxy names it, and nowhere else', () => {
  const trusting = createPeers(parseNetworks('127.0.0.1, 10.0.0.0/8'));
  assert.equal(trusting.of(from('127.0.0.1', '203.0.113.7')), '203.0.113.7');
  // The client made up the first; the inner proxy is one of ours.
  assert.equal(trusting.of(from('127.0.0.1', '1.1.1.1, 203.0.113.7, 10.0.0.9')), '203.0.113.7');
  assert.equal(trusting.of(from('198.51.100.1', '203.0.113.7')), '198.51.100.1');
  assert.equal(trusting.of(from('127.0.0.1', 'unknown')), undefined);
  assert.equal(trusting.of(from('::ffff:10.1.2.3', '203.0.113.7')), '203.0.113.7');
  assert.equal(createPeers().of(from('203.0.113.9', '1.1.1.1')), '203.0.113.9');
  assert.equal(createPeers().of(from('127.0.0.1', '203.0.113.7')), undefined);
  assert.equal(trusting.connected(from('10.0.0.1').socket), undefined);
  assert.equal(trusting.connected(from('198.51.100.1').socket), '198.51.100.1');
});

test('an IPv6 household is one peer, however it writes its addresses', () => {
  const peers = createPeers();
  const name = peers.of(from('2001:db8:1:2:3:4:5:6'));
  assert.equal(name, '2001:db8:1:2');
  assert.equal(peers.of(from('2001:0db8:0001:0002::9')), name);
  assert.equal(peers.of(from('2001:db8:1:2:ffff::1.2.3.4')), name);
  assert.equal(peers.of(from('2001:db8::1')), '2001:db8:0:0');
  assert.equal(peers.of(from('::1')), undefined);
  assert.equal(peers.of(from('::ffff:203.0.113.7')), '203.0.113.7');
});

test('networks are addresses with an optional length', () => {
  for (const text of ['', 'localhost', '10.0.0.0/33', '10.0.0.0/x', '::1/129', '10.0.0.1,']) {
    assert.throws(() => parseNetworks(text), RangeError, text);
  }
});

test('one timer beats for everybody, spread over the interval, and rests when nobody is left', async () => {
  const clock = createManualClock();
  let timers = 0;
  const setTimer = (ms: number, fire: () => void) => {
    timers++;
    return clock.setTimer(ms, fire);
  };
  const counted = { ...clock, setTimer };
  const pulse = createPulse(counted, () => 20_000);
  const beats = new Map<number, number>();
  const leaves = Array.from({ length: 200 }, (_, i) => pulse.join(() => beats.set(i, (beats.get(i) ?? 0) + 1)));
  await clock.advance(1_000);
  assert.equal(beats.size, 10);
  await clock.advance(59_000);
  assert.deepEqual(new Set(beats.values()), new Set([3]));
  assert.equal([...beats].length, 200);
  assert.ok(timers <= 62);
  for (const leave of leaves) leave();
  const [before, told] = [timers, [...beats.values()]];
  await clock.advance(60_000);
  assert.equal(timers, before);
  assert.deepEqual([...beats.values()], told);
});

test('answers are remembered for a moment, and only so many', async () => {
  const clock = createManualClock();
  const recent = createRecent<string, string>({ clock, ageMs: 100, mostWeight: 10, weigh: (value) => value.length });
  recent.set('a', '12345');
  recent.set('b', '1234');
  assert.equal(recent.get('a'), '12345');
  recent.set('c', '12345');
  assert.deepEqual([recent.get('a'), recent.get('b'), recent.get('c')], [undefined, '1234', '12345']);
  recent.set('d', '12345678901');
  assert.deepEqual([recent.get('c'), recent.get('d')], ['12345', undefined]);
  await clock.advance(100);
  assert.deepEqual([recent.get('b'), recent.get('c')], [undefined, undefined]);
});

test('a question asked again soon is not asked twice, and a failure is forgotten at once', async () => {
  const clock = createManualClock();
  let [asked, fails] = [0, false];
  const ask = remembered(100, clock.now, async () => {
    asked++;
    if (fails) throw new Error('away');
    return asked;
  });
  assert.deepEqual([await ask(), await ask(), asked], [1, 1, 1]);
  await clock.advance(100);
  fails = true;
  await assert.rejects(ask());
  fails = false;
  assert.deepEqual([await ask(), asked], [3, 3]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEventHub } from '../../../../src/ark/server/event-hub.ts';

const event = (n: number) => ({ n });

function listener(id: string, ...topics: string[]) {
  const heard: unknown[] = [];
  const send = (message: object): void => void heard.push((message as { n: number }).n);
  return { id, topics: new Set(topics), send, heard };
}

test('an event reaches whoever shares a topic, once, and without topics everybody', () => {
  const hub = createEventHub();
  const [a, b, none] = [listener('a', 'x', 'y'), listener('b', 'y'), listener('none')];
  const removals = [a, b, none].map((each) => hub.add(each));
  hub.publish(event(1), ['x', 'y', 'unknown']);
  hub.publish(event(2));
  hub.publish(event(3), ['x']);
  assert.deepEqual([a.heard, b.heard, none.heard], [[1, 2, 3], [1, 2], [2]]);
  removals[0]!();
  removals[0]!();
  hub.publish(event(4), ['x', 'y']);
  assert.deepEqual([a.heard.length, b.heard.at(-1), hub.size], [3, 4, 2]);
});

test('changed topics count from then on', () => {
  const hub = createEventHub();
  const a = listener('a', 'x');
  const remove = hub.add(a);
  assert.deepEqual([...hub.setTopics('a', () => ['z'], 5)!], ['z']);
  hub.publish(event(1), ['x']);
  hub.publish(event(2), ['z']);
  assert.deepEqual(a.heard, [2]);
  assert.equal(
    hub.setTopics('a', () => ['1', '2'], 1),
    undefined,
  );
  assert.equal(
    hub.setTopics('b', () => [], 1),
    undefined,
  );
  remove();
  hub.publish(event(3), ['z']);
  assert.deepEqual([a.heard, hub.size], [[2], 0]);
});

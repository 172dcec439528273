/** Script subscriptions: named sets of scripts that outlive their stream for a minute, so that a client may reconnect. */
import type { Clock } from '../../runtime/clock.ts';
import type { MessageStream } from '../../runtime/message-stream.ts';
import { demand } from '../protocol/errors.ts';
import { subscriptionEvent, type VtxoChange } from '../wire/vtxo.ts';

interface Subscription {
  readonly id: string;
  readonly scripts: Set<string>;
  stream: MessageStream | undefined;
  cancelExpiry: () => void;
}

export interface Subscriptions {
  /** Adds scripts to a subscription, or makes a new one where no id is given. Throws `SUBSCRIPTION_NOT_FOUND`. */
  subscribe(scripts: readonly string[], id?: string): string;
  /** Removes scripts, or the whole subscription where none are named. Throws `SUBSCRIPTION_NOT_FOUND`. */
  unsubscribe(id: string, scripts: readonly string[]): void;
  /** Hands the subscription a stream, in place of the one before. Throws `SUBSCRIPTION_NOT_FOUND`. */
  attach(id: string, open: () => MessageStream): MessageStream;
  deliver(change: VtxoChange): void;
  readonly size: number;
  /** How many of them have a stream. */
  readonly attended: number;
}

const UNATTENDED_MS = 60_000;
const MAX_SUBSCRIPTIONS = 50_000;
const MAX_SCRIPTS = 10_000;

export function createSubscriptions(clock: Clock, newId: () => string): Subscriptions {
  const subscriptions = new Map<string, Subscription>();
  const byScript = new Map<string, Set<Subscription>>();

  function find(id: string): Subscription {
    const subscription = subscriptions.get(id);
    // Clients match these words before they subscribe anew.
    demand(subscription, 'SUBSCRIPTION_NOT_FOUND', `subscription ${id} not found`);
    return subscription;
  }

  function forget(subscription: Subscription): void {
    subscription.cancelExpiry();
    subscriptions.delete(subscription.id);
    drop(subscription, [...subscription.scripts]);
  }

  function drop(subscription: Subscription, scripts: readonly string[]): void {
    for (const script of scripts) {
      subscription.scripts.delete(script);
      const holders = byScript.get(script);
      holders?.delete(subscription);
      if (holders?.size === 0) byScript.delete(script);
    }
  }

  function expireUnattended(subscription: Subscription): void {
    subscription.cancelExpiry();
    subscription.cancelExpiry = clock.setTimer(UNATTENDED_MS, () => {
      if (!subscription.stream) forget(subscription);
    });
  }

  return {
    get size() {
      return subscriptions.size;
    },
    get attended() {
      return [...subscriptions.values()].filter(({ stream }) => stream !== undefined).length;
    },

    subscribe(scripts, id) {
      const known = id ? find(id) : undefined;
      demand(known || subscriptions.size < MAX_SUBSCRIPTIONS, 'INTERNAL_ERROR', 'too many subscriptions');
      demand((known?.scripts.size ?? 0) + scripts.length <= MAX_SCRIPTS, 'INTERNAL_ERROR', 'too many scripts');
      const subscription = known ?? { id: newId(), scripts: new Set(), stream: undefined, cancelExpiry: () => {} };
      subscriptions.set(subscription.id, subscription);
      for (const script of scripts) {
        subscription.scripts.add(script);
        byScript.set(script, (byScript.get(script) ?? new Set()).add(subscription));
      }
      if (!subscription.stream) expireUnattended(subscription);
      return subscription.id;
    },

    unsubscribe(id, scripts) {
      const subscription = find(id);
      if (scripts.length > 0) return drop(subscription, scripts);
      subscription.stream?.end();
      forget(subscription);
    },

    attach(id, open) {
      const subscription = find(id);
      const before = subscription.stream;
      const stream = open();
      subscription.stream = stream;
      subscription.cancelExpiry();
      before?.end();
      void stream.closed.then(() => {
        if (subscription.stream !== stream) return;
        subscription.stream = undefined;
        if (subscriptions.get(id) === subscription) expireUnattended(subscription);
      });
      return stream;
    },

    deliver(change) {
      const concerned = new Set<Subscription>();
      for (const vtxo of [...change.spent, ...change.created, ...change.swept]) {
        for (const subscription of byScript.get(vtxo.script) ?? []) concerned.add(subscription);
      }
      for (const subscription of concerned) {
        const event = subscriptionEvent(change, subscription.scripts);
        if (event) subscription.stream?.send(event);
      }
    },
  };
}

/**
 * Subscriptions: named sets of scripts, and of filters of transactions, that outlive their stream for a minute, so that a
 * client may reconnect.
 */
import type { Clock } from '../../runtime/clock.ts';
import type { MessageStream } from '../../runtime/message-stream.ts';
import { overLimit } from '../../runtime/over-limit.ts';
import type { Peer } from '../../runtime/peer.ts';
import { demand } from '../protocol/errors.ts';
import { changeByScript, subscriptionEvent, type VtxoChange } from '../wire/vtxo.ts';
import { createFilterBoard } from './filter-board.ts';

interface Subscription {
  readonly id: string;
  /** Who made it. */
  readonly peer: Peer;
  readonly scripts: Set<string>;
  filters: ReadonlySet<string>;
  stream: MessageStream | undefined;
  cancelExpiry: () => void;
}

/** What is to become of a subscription: scripts are added first and removed then. */
export interface SubscriptionChange {
  readonly add?: readonly string[];
  readonly remove?: readonly string[] | 'all';
  /** Expressions that take the place of those before. */
  readonly filters?: readonly string[];
}

export interface Subscriptions {
  /**
   * Changes a subscription, or makes a new one where no id is given; returns its id. All of the change happens or nothing.
   * Throws `SUBSCRIPTION_NOT_FOUND`, `TX_FILTERS_LIMIT_EXCEEDED`, `INVALID_TX_FILTER`, or `RATE_LIMITED` or
   * `UNAVAILABLE` when there would be too many.
   */
  change(id: string | undefined, change: SubscriptionChange, peer: Peer): string;
  /**
   * Removes scripts, or where none are named all of them, and with them a subscription without filters. Throws
   * `SUBSCRIPTION_NOT_FOUND`.
   */
  unsubscribe(id: string, scripts: readonly string[]): void;
  /** Hands the subscription a stream, in place of the one before. Throws `SUBSCRIPTION_NOT_FOUND`. */
  attach(id: string, open: () => MessageStream): MessageStream;
  deliver(change: VtxoChange): void;
  readonly size: number;
  /** How many of them have a stream. */
  readonly attended: number;
}

const UNATTENDED_MS = 60_000;
/** In all. */
const MOST_SUBSCRIPTIONS = 50_000;
const MOST_SCRIPTS = 1_000_000;
/** Of one subscription, and of all that one peer has made. */
const MOST_SCRIPTS_EACH = 10_000;
const MOST_SCRIPTS_PER_PEER = 50_000;
const MOST_FILTERS_EACH = 64;
const RETRY_AFTER_SECONDS = 60;

export function createSubscriptions(clock: Clock, newId: () => string): Subscriptions {
  const subscriptions = new Map<string, Subscription>();
  const byScript = new Map<string, Set<Subscription>>();
  const board = createFilterBoard<Subscription>();
  const scriptsOf = new Map<Peer, number>();
  let scriptsInAll = 0;

  function find(id: string): Subscription {
    const subscription = subscriptions.get(id);
    // Clients match these words before they subscribe anew.
    demand(subscription, 'SUBSCRIPTION_NOT_FOUND', `subscription ${id} not found`);
    return subscription;
  }

  function forget(subscription: Subscription): void {
    subscription.cancelExpiry();
    subscriptions.delete(subscription.id);
    board.set(subscription, new Set());
    drop(subscription, [...subscription.scripts]);
  }

  function drop(subscription: Subscription, scripts: readonly string[]): void {
    for (const script of scripts) {
      if (!subscription.scripts.delete(script)) continue;
      count(subscription.peer, -1);
      const holders = byScript.get(script);
      holders?.delete(subscription);
      if (holders?.size === 0) byScript.delete(script);
    }
  }

  function count(peer: Peer, change: number): void {
    scriptsInAll += change;
    const own = (scriptsOf.get(peer) ?? 0) + change;
    if (own === 0) scriptsOf.delete(peer);
    else scriptsOf.set(peer, own);
  }

  function checkRoom(known: Subscription | undefined, more: number, peer: Peer): void {
    const refuse = (code: 'RATE_LIMITED' | 'UNAVAILABLE', what: string): never => {
      throw overLimit(code, `too many ${what}`, RETRY_AFTER_SECONDS);
    };
    if (!known && subscriptions.size >= MOST_SUBSCRIPTIONS) refuse('UNAVAILABLE', 'subscriptions');
    if (scriptsInAll + more > MOST_SCRIPTS) refuse('UNAVAILABLE', 'scripts');
    if ((known?.scripts.size ?? 0) + more > MOST_SCRIPTS_EACH) refuse('RATE_LIMITED', 'scripts in one subscription');
    const own = peer === undefined ? 0 : (scriptsOf.get(peer) ?? 0);
    if (own + more > MOST_SCRIPTS_PER_PEER) refuse('RATE_LIMITED', 'scripts of this address');
  }

  function setFilters(subscription: Subscription, filters: ReadonlySet<string>): void {
    demand(
      filters.size <= MOST_FILTERS_EACH,
      'TX_FILTERS_LIMIT_EXCEEDED',
      `a subscription has at most ${MOST_FILTERS_EACH} filters`,
      {
        subscription_id: subscription.id,
        max_tx_filters: `${MOST_FILTERS_EACH}`,
        got_tx_filters: `${filters.size}`,
      },
    );
    board.set(subscription, filters);
    subscription.filters = filters;
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

    change(id, { add = [], remove = [], filters }, peer) {
      const known = id ? find(id) : undefined;
      const added = [...new Set(add)].filter((script) => !known?.scripts.has(script));
      checkRoom(known, added.length, known?.peer ?? peer);
      const blank = {
        scripts: new Set<string>(),
        filters: new Set<string>(),
        stream: undefined,
        cancelExpiry: () => {},
      };
      const subscription: Subscription = known ?? { id: newId(), peer, ...blank };
      if (filters) setFilters(subscription, new Set(filters));
      subscriptions.set(subscription.id, subscription);
      for (const script of added) {
        subscription.scripts.add(script);
        count(subscription.peer, 1);
        byScript.set(script, (byScript.get(script) ?? new Set()).add(subscription));
      }
      drop(subscription, remove === 'all' ? [...subscription.scripts] : remove);
      if (!subscription.stream) expireUnattended(subscription);
      return subscription.id;
    },

    unsubscribe(id, scripts) {
      const subscription = find(id);
      if (scripts.length > 0) return drop(subscription, scripts);
      drop(subscription, [...subscription.scripts]);
      if (subscription.filters.size > 0) return;
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
      const changes = changeByScript(change);
      const concerned = new Map<Subscription, string[]>();
      for (const script of changes.keys()) {
        for (const subscription of byScript.get(script) ?? []) {
          if (!subscription.stream) continue;
          const scripts = concerned.get(subscription);
          if (scripts) scripts.push(script);
          else concerned.set(subscription, [script]);
        }
      }
      for (const subscription of board.wanting(change)) {
        if (subscription.stream && !concerned.has(subscription)) concerned.set(subscription, []);
      }
      // Whoever is concerned by the same scripts is told the very same.
      const events = new Map<string, object>();
      for (const [subscription, scripts] of concerned) {
        const key = scripts.join();
        const event = events.get(key) ?? subscriptionEvent(change, changes, scripts);
        events.set(key, event);
        subscription.stream?.send(event);
      }
    },
  };
}

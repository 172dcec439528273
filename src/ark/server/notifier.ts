/** Tells of changes that are durable: whoever hears of one can query it at once. */
import type { VtxoChange } from '../wire/vtxo.ts';

export interface Notifier {
  publish(change: VtxoChange): void;
  subscribe(listener: (change: VtxoChange) => void): () => void;
}

export function createNotifier(): Notifier {
  const listeners = new Set<(change: VtxoChange) => void>();
  return {
    publish(change) {
      for (const listener of listeners) listener(change);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/**
 * Address tracking over a WebSocket, as mempool.space serves it: a client names addresses, and hears of every
 * transaction that pays to or spends from them when it is first seen and again when it confirms.
 */
import { toHex } from '../../base/bytes.ts';
import { parseAddress } from '../../bitcoin/address.ts';
import type { TextSocket } from '../../runtime/web-socket.ts';
import type { Chain, ChainEvent, ChainTx } from '../chain.ts';
import type { Explorer } from '../explorer.ts';
import { txJson } from './json.ts';

const MAX_ADDRESSES = 1_000;

/** How a message speaks of several addresses, and of one alone. */
type Mode = 'many' | 'one';
type Told = 'mempool' | 'confirmed';

interface Tracker {
  readonly socket: TextSocket;
  mode: Mode;
  /** Output script (hex) → the address as the client wrote it. */
  scripts: ReadonlyMap<string, string>;
}

interface Wish {
  readonly mode: Mode;
  readonly addresses: readonly string[];
}

function parseWish(text: string): Wish | 'ping' | undefined {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof message !== 'object' || message === null) return undefined;
  const fields = message as Record<string, unknown>;
  if (fields.action === 'ping') return 'ping';
  const [many, one] = [fields['track-addresses'], fields['track-address']];
  if (typeof one === 'string') return { mode: 'one', addresses: [one] };
  const isList = Array.isArray(many) && many.every((address) => typeof address === 'string');
  return isList ? { mode: 'many', addresses: many } : undefined;
}

/** Accepts the connections of one chain's explorer. A message that is none is answered with an error. */
export function createTracking(
  { explorer, network, subscribe }: Pick<Chain, 'network' | 'subscribe'> & { readonly explorer: Explorer },
  onFault: (error: unknown) => void,
): (socket: TextSocket) => void {
  const trackers = new Set<Tracker>();
  let tail: Promise<void> = Promise.resolve();
  subscribe((event) => {
    if (trackers.size > 0) tail = tail.then(() => tell(event)).catch(onFault);
  });

  async function tell(event: ChainEvent): Promise<void> {
    if (event.type === 'mempool') await tellOf([event.tx], 'mempool');
    else if (event.type === 'block') await tellOf(event.txs, 'confirmed');
  }

  async function tellOf(txs: readonly ChainTx[], told: Told): Promise<void> {
    const found = new Map<Tracker, Map<string, object[]>>();
    for (const tx of txs) {
      const prevouts = await explorer.prevouts(tx.tx);
      const scripts = [...tx.tx.outputs, ...prevouts].flatMap((output) => (output ? [toHex(output.script)] : []));
      let json: object | undefined;
      for (const tracker of trackers) {
        const addresses = new Set(scripts.flatMap((script) => tracker.scripts.get(script) ?? []));
        for (const address of addresses) {
          json ??= txJson(network, tx, prevouts);
          const own = found.get(tracker) ?? new Map<string, object[]>();
          own.set(address, [...(own.get(address) ?? []), json]);
          found.set(tracker, own);
        }
      }
    }
    for (const [tracker, own] of found) tracker.socket.send(JSON.stringify(messageOf(tracker.mode, own, told)));
  }

  function track(tracker: Tracker, { mode, addresses }: Wish): void {
    if (addresses.length > MAX_ADDRESSES) {
      refuse(tracker, `at most ${MAX_ADDRESSES} addresses`);
      return;
    }
    try {
      const scripts = addresses.map((address) => [toHex(parseAddress(network, address)), address] as const);
      tracker.scripts = new Map(scripts);
      tracker.mode = mode;
    } catch (error) {
      refuse(tracker, error instanceof TypeError ? error.message : 'malformed address');
    }
  }

  const refuse = ({ socket }: Tracker, error: string): void => socket.send(JSON.stringify({ error }));

  return (socket) => {
    const tracker: Tracker = { socket, mode: 'many', scripts: new Map() };
    trackers.add(tracker);
    socket.onClose(() => trackers.delete(tracker));
    socket.onText((text) => {
      const wish = parseWish(text);
      if (wish === 'ping') socket.send(JSON.stringify({ pong: true }));
      else if (wish) track(tracker, wish);
      else refuse(tracker, 'expected track-addresses, track-address or a ping');
    });
  };
}

function messageOf(mode: Mode, own: ReadonlyMap<string, readonly object[]>, told: Told): object {
  if (mode === 'one')
    return { [told === 'mempool' ? 'address-transactions' : 'block-transactions']: [...own.values()][0] };
  const lists = [...own].map(([address, txs]) => [address, { mempool: [], confirmed: [], removed: [], [told]: txs }]);
  return { 'multi-address-transactions': Object.fromEntries(lists) };
}

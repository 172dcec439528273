/** Who asks: the address at the other end, or the one that a proxy we trust names. */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, type Socket } from 'node:net';
import type { Context } from 'hono';

/**
 * An IPv4 address, or the first 64 bits of an IPv6 address, which is what one household has. `undefined` for whoever is
 * on this machine and for calls without a socket: they have no limits of their own.
 */
export type Peer = string | undefined;

export interface Peers {
  /** Who sent a request. */
  of(request: Pick<IncomingMessage, 'headers' | 'socket'>): Peer;
  /** Who holds a connection; `undefined` for a proxy, which holds those of many. */
  connected(socket: Pick<Socket, 'remoteAddress'>): Peer;
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const plain = (address: string): string => MAPPED.exec(address.trim())?.[1] ?? address.trim();
const family = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** `10.0.0.0/8`, `::1` and the like. Throws `RangeError` with a reason. */
export function parseNetworks(text: string): BlockList {
  const list = new BlockList();
  for (const entry of text.split(',').map((part) => part.trim())) {
    const [address = '', length] = entry.split('/');
    const most = isIP(address) === 6 ? 128 : 32;
    const isLength = length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= most);
    if (isIP(address) === 0 || !isLength) throw new RangeError(`${JSON.stringify(entry)} is no address or network`);
    list.addSubnet(address, length === undefined ? most : Number(length), family(address));
  }
  return list;
}

const contains = (list: BlockList, address: string): boolean => list.check(address, family(address));

const loopback = parseNetworks('127.0.0.0/8,::1');

/** The first four groups of an IPv6 address, written out. */
function household(address: string): string {
  const [head = '', tail] = address.split('%')[0]!.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const rest = tail === '' ? [] : tail.split(':');
    // An embedded IPv4 address stands for two groups, all of them behind the first four.
    const width = rest.length + (rest.at(-1)?.includes('.') ? 1 : 0);
    while (groups.length + width < 8) groups.push('0');
    groups.push(...rest);
  }
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

const nameOf = (address: string): string => (isIP(address) === 6 ? household(address) : address);

/**
 * `trusted`: proxies whose X-Forwarded-For is believed. Of its addresses the last that is no trusted proxy counts, since
 * all before it may be made up.
 */
export function createPeers(trusted?: BlockList): Peers {
  const isProxy = (address: string): boolean => trusted !== undefined && contains(trusted, address);
  const nameUnlessLocal = (address: string): Peer => (contains(loopback, address) ? undefined : nameOf(address));
  const addressOf = (socket: Pick<Socket, 'remoteAddress'>): string | undefined => {
    const address = plain(socket.remoteAddress ?? '');
    return isIP(address) === 0 ? undefined : address;
  };
  return {
    connected(socket) {
      const address = addressOf(socket);
      return address === undefined || isProxy(address) ? undefined : nameUnlessLocal(address);
    },
    of({ headers, socket }) {
      let address = addressOf(socket);
      if (address === undefined) return undefined;
      const forwarded = headers['x-forwarded-for'];
      const hops = (Array.isArray(forwarded) ? forwarded.join(',') : (forwarded ?? '')).split(',').map(plain);
      while (isProxy(address)) {
        const hop = hops.pop();
        if (hop === undefined || isIP(hop) === 0) break;
        address = hop;
      }
      return nameUnlessLocal(address);
    },
  };
}

/** Who sent the request of `c`, as the HTTP server found it. */
export const peerOf = (c: Context): Peer => (c.env as { readonly peer?: Peer } | undefined)?.peer;

/** Where a bitcoind listens, and what to log in with. */
import type { Network } from '../bitcoin/address.ts';
import type { RpcCredentials } from '../chain/bitcoind/client.ts';

export interface NodeUrl {
  /** Without credentials. */
  readonly url: string;
  readonly credentials?: RpcCredentials;
}

/** Where each network's node listens unless told otherwise. */
const PORTS: Readonly<Record<Network, number>> = { mainnet: 8332, testnet: 18332, signet: 38332, regtest: 18443 };

export const localNode = (network: Network): NodeUrl => ({ url: `http://127.0.0.1:${PORTS[network]}` });

/** Throws `RangeError` with a reason that does not repeat the text, which holds a password. */
export function parseNodeUrl(text: string): NodeUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.pathname !== '/' || url.search || url.hash) {
    throw new RangeError('must be like http://user:password@host:port');
  }
  const { origin, username, password } = url;
  if (username === '' && password === '') return { url: origin };
  return { url: origin, credentials: { user: decodeURIComponent(username), password: decodeURIComponent(password) } };
}

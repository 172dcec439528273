/** The embedded chain's JSON-RPC: who may call it, and what answers. */
import type { Hono } from 'hono';
import { type Bytes, toHex } from '../base/bytes.ts';
import type { RegtestChain } from '../chain/regtest/chain.ts';
import { createRpcDoor } from '../chain/regtest/rpc/door.ts';
import { taggedHash } from '../crypto/hash.ts';
import type { Secp } from '../crypto/secp.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { VERSION } from './version.ts';

export interface RpcLogin {
  readonly user: string;
  readonly password: string;
}

/** As secret as the data folder's seed, and as lasting. */
export const rpcLogin = (seed: Bytes): RpcLogin => ({
  user: toHex(taggedHash('canalworks/rpc/user', seed)).slice(0, 16),
  password: toHex(taggedHash('canalworks/rpc/password', seed)),
});

export interface ChainRpcParts {
  readonly chain: RegtestChain;
  readonly secp: Secp;
  readonly login: RpcLogin;
  readonly log: Log;
}

export function createChainRpc({ chain, secp, login, log }: ChainRpcParts): Hono {
  const began = systemClock.now();
  return createRpcDoor({
    chain,
    secp,
    ...login,
    version: VERSION,
    uptime: () => Math.floor((systemClock.now() - began) / 1000),
    onFault: (error) => log.error({ err: error }, 'an RPC call failed'),
  });
}

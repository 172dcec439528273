/** Whether a node is one that can be built on, at the start and while it runs. */
import type { Network } from '../../bitcoin/address.ts';
import { NodeError } from '../node-error.ts';
import type { RpcClient } from './client.ts';

/** What `getblockchaininfo` says, as far as it matters. */
export interface ChainInfo {
  readonly chain: string;
  readonly blocks: number;
  readonly headers: number;
  readonly bestblockhash: string;
  readonly initialblockdownload: boolean;
  readonly pruned: boolean;
  /** The lowest block that is kept whole; only where some are pruned. */
  readonly pruneheight?: number;
}

/** TRUC and package relay, as far as an exit needs them, came with this version. */
const OLDEST = 290_000;
/** So many headers ahead of the blocks are a node that has fallen behind, and not one that is receiving a block. */
const MAX_LAG = 3;

const CHAINS: Readonly<Record<Network, readonly string[]>> = {
  mainnet: ['main'],
  testnet: ['test', 'testnet4'],
  signet: ['signet'],
  regtest: ['regtest'],
};

const fail = (code: NodeError['code'], message: string): never => {
  throw new NodeError(code, message);
};

/** Throws {@link NodeError} unless the node is new enough and of this network. */
export async function checkNode(client: RpcClient, network: Network): Promise<ChainInfo> {
  const { version } = await client.call<{ version: number }>('getnetworkinfo');
  if (typeof version !== 'number') fail('NODE_MISBEHAVES', `${client.url} is not a bitcoind: it tells no version`);
  if (version < OLDEST) {
    fail('NODE_TOO_OLD', `the node at ${client.url} has version ${version}, and at least ${OLDEST} (29.0) is needed`);
  }
  const info = await client.call<ChainInfo>('getblockchaininfo');
  checkNetwork(info, network);
  return info;
}

export function checkNetwork({ chain }: ChainInfo, network: Network): void {
  if (!CHAINS[network].includes(chain)) {
    fail('NODE_WRONG_NETWORK', `the node is on "${chain}", and ${network} was asked for (see --network)`);
  }
}

/**
 * Throws {@link NodeError} NODE_SYNCING while the node has not the whole chain. A regtest whose last block is old always
 * says that it is downloading, although there is nothing more to come.
 */
export function checkSynced({ initialblockdownload, blocks, headers }: ChainInfo, network: Network): void {
  const isBehind = headers - blocks > MAX_LAG || (initialblockdownload && network !== 'regtest');
  if (isBehind) fail('NODE_SYNCING', `the node is still catching up: it has ${blocks} of ${headers} known blocks`);
}

/** Throws {@link NodeError} NODE_PRUNED when the block at `height`, which is needed next, is gone. */
export function checkPruned({ pruned, pruneheight = 0 }: ChainInfo, height: number): void {
  if (pruned && height < pruneheight) {
    const remedy = 'start from a block that it has (--index-from, with a fresh index), or use a node that keeps all';
    fail(
      'NODE_PRUNED',
      `the node has pruned the blocks below ${pruneheight}, and block ${height} is needed: ${remedy}`,
    );
  }
}

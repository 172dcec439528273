/** The chain that a process runs on: the port, what explorers ask, and, where its coins are worthless, a hand on it. */
import type { Bytes, Txid } from '../base/bytes.ts';
import type { Sats } from '../base/units.ts';
import type { BlockHash } from '../bitcoin/block.ts';
import type { Chain } from './chain.ts';
import type { Explorer } from './explorer.ts';

export interface ControlledChain extends Chain {
  readonly explorer: Explorer;
  /** Mines blocks to `script` or the faucet; returns their hashes. Only on regtest. */
  mine(count: number, script?: Bytes): Promise<readonly BlockHash[]>;
  /** Broadcasts a payment of the faucet's; somebody has to mine it. Only on regtest. */
  faucet(script: Bytes, amount: Sats): Promise<Txid>;
  close(): Promise<void>;
}

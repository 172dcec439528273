/** Both kinds of chain, each with the controls that a test of the port needs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sats } from '../../src/base/units.ts';
import { type BitcoindChain, type BitcoindOptions, createBitcoindChain } from '../../src/chain/bitcoind/chain.ts';
import { createRpcClient } from '../../src/chain/bitcoind/client.ts';
import { CHAIN_MIGRATIONS } from '../../src/chain/bitcoind/schema.ts';
import type { ControlledChain } from '../../src/chain/controlled-chain.ts';
import { openBlockFile } from '../../src/chain/regtest/block-file.ts';
import { createRegtestChain } from '../../src/chain/regtest/chain.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLog } from '../../src/runtime/log.ts';
import type { Db } from '../../src/store/db.ts';
import { migrate } from '../../src/store/migrate.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { BITCOIND_PASSWORD, BITCOIND_USER, type Bitcoind } from './bitcoind.ts';
import { secp } from './regtest.ts';

/** Enough for what one test spends. */
const FUNDS = sats(10_0000_0000);

export interface ChainWorld {
  readonly chain: ControlledChain;
  /** Takes the topmost blocks off the chain, as if a longer branch without them were on its way. */
  disconnect(count: number): Promise<void>;
  /** Everything that runs ends, and begins again with what was stored. */
  restart(): Promise<void>;
  end(): Promise<void>;
}

export function embeddedWorld(): ChainWorld {
  const folder = mkdtempSync(join(tmpdir(), 'canalworks-chain-'));
  const open = () =>
    createRegtestChain({
      secp,
      now: () => Math.floor(Date.now() / 1000),
      store: openBlockFile(join(folder, 'chain.blocks')),
    });
  let chain = open();
  return {
    get chain() {
      return chain;
    },
    disconnect: (count) => chain.invalidateTip(count),
    async restart() {
      await chain.close();
      chain = open();
    },
    async end() {
      await chain.close();
      rmSync(folder, { recursive: true });
    },
  };
}

export const clientOf = (node: Bitcoind) =>
  createRpcClient({ url: node.url, credentials: () => ({ user: BITCOIND_USER, password: BITCOIND_PASSWORD }) });

/** The adapter on `node`, with an index of its own in `db`. */
export async function openBitcoindChain(
  node: Bitcoind,
  db: Db,
  options: Partial<BitcoindOptions> = {},
): Promise<BitcoindChain> {
  await migrate(db, 'chain', CHAIN_MIGRATIONS);
  return createBitcoindChain({
    client: clientOf(node),
    network: 'regtest',
    secp,
    clock: systemClock,
    log: silentLog,
    db,
    interval: 50,
    ...options,
  });
}

export interface BitcoindWorld extends ChainWorld {
  readonly chain: BitcoindChain;
  readonly node: Bitcoind;
}

/** A database that can be closed and opened again. */
export interface IndexPlace {
  open(): Promise<Db>;
  remove(): Promise<void>;
}

export function sqlitePlace(): IndexPlace {
  const folder = mkdtempSync(join(tmpdir(), 'canalworks-chain-'));
  return {
    open: async () => openSqlite(join(folder, 'index.sqlite')),
    remove: async () => rmSync(folder, { recursive: true }),
  };
}

/** Takes `node` and `place` over: they end with this world. */
export async function bitcoindWorld(node: Bitcoind, place: IndexPlace): Promise<BitcoindWorld> {
  let db: Db;
  const open = async () => openBitcoindChain(node, (db = await place.open()));
  const close = async (): Promise<void> => {
    await chain.close();
    await db.close();
  };
  let chain = await open();
  await chain.fillFaucet(FUNDS);
  return {
    node,
    get chain() {
      return chain;
    },
    async disconnect(count) {
      const { height } = await chain.tip();
      await node.rpc('invalidateblock', await node.rpc('getblockhash', height - count + 1));
      await chain.sync();
    },
    async restart() {
      await close();
      await node.halt();
      await node.resume();
      chain = await open();
    },
    async end() {
      await close();
      await node.stop();
      await place.remove();
    },
  };
}

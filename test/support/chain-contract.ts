/** The chains that the contract is shown for, and what its tests do with each. */
import assert from 'node:assert/strict';
import { after } from 'node:test';
import type { Bytes } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { sats } from '../../src/base/units.ts';
import type { ChainEvent } from '../../src/chain/chain.ts';
import type { ControlledChain } from '../../src/chain/controlled-chain.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { requireBitcoind, startBitcoind } from './bitcoind.ts';
import { bitcoindWorld, type ChainWorld, embeddedWorld, sqlitePlace } from './chains.ts';
import { type Lock, type Locks, locksOf } from './locks.ts';
import { startPostgres, takePlace } from './postgres.ts';
import { coinOf, secp, type TestCoin } from './regtest.ts';

export interface ChainAdapter {
  readonly name: string;
  readonly skip: false | string;
  create(): Promise<ChainWorld>;
}

const bitcoind = requireBitcoind('the chain contract on bitcoind');
const postgres = bitcoind.binary ? await startPostgres() : 'there is no bitcoind to index';
after(async () => {
  if (typeof postgres === 'object') await postgres.close();
});

export const CHAIN_ADAPTERS: readonly ChainAdapter[] = [
  { name: 'embedded', skip: false, create: async () => embeddedWorld() },
  {
    name: 'bitcoind',
    skip: bitcoind.skip,
    create: async () => bitcoindWorld(await startBitcoind(bitcoind.binary!), sqlitePlace()),
  },
  {
    name: 'bitcoind, its index in PostgreSQL',
    skip: bitcoind.skip || (typeof postgres === 'string' && postgres),
    async create() {
      assert.ok(typeof postgres === 'object');
      const { url, remove } = await takePlace(postgres.url);
      return bitcoindWorld(await startBitcoind(bitcoind.binary!), { open: () => openPostgres(url), remove });
    },
  },
];

/** The code of a refusal, with bitcoind's reason if it has one; `accepted` if there is none. */
export const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof ProtocolError, String(error));
    return error.data.reason === undefined ? error.code : `${error.code} ${error.data.reason}`;
  }
  return 'accepted';
};

let names = 0;
/** Locks that no other test pays to. */
export const freshLocks = (): Locks => locksOf(secp, `contract ${names++}`);

export interface ChainHand extends ChainWorld {
  /** Collects events until told to end. */
  listen(): { readonly events: ChainEvent[]; end(): void };
  /** A confirmed coin. */
  coin(lock: Lock, value?: bigint): Promise<TestCoin>;
  /** The unspent outputs of a script as `TXID:VOUT VALUE`, sorted. */
  unspentKeys(script: Bytes): Promise<string[]>;
}

export function chainHand(world: ChainWorld): ChainHand {
  const chain = (): ControlledChain => world.chain;
  return {
    get chain() {
      return world.chain;
    },
    disconnect: world.disconnect,
    restart: world.restart,
    end: world.end,
    listen() {
      const events: ChainEvent[] = [];
      return { events, end: chain().subscribe((event) => events.push(event)) };
    },
    async coin(lock, value = 100_000n) {
      const txid = await chain().faucet(lock.script, sats(value));
      await chain().mine(1);
      return coinOf((await chain().transaction(txid))!.tx, 0, lock);
    },
    unspentKeys: async (script) =>
      (await chain().unspent(script)).map(({ outpoint, value }) => `${outpoint.txid}:${outpoint.vout} ${value}`).sort(),
  };
}

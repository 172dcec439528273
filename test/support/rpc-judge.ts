/** One chain behind two doors, ours and bitcoind's, and the comparison of what both answer. */
import assert from 'node:assert/strict';
import { toHex } from '../../src/base/bytes.ts';
import { isJsonArray, type Json } from '../../src/chain/regtest/rpc/json.ts';
import { type Bitcoind, bitcoindTest } from './bitcoind.ts';
import { type TestChain, testChain } from './regtest.ts';
import { differences, judgePeer, type RpcPeer, type ServedDoor, serveDoor } from './rpc-door.ts';

/** What Bitcoin Knots tells beyond Bitcoin Core. */
const KNOTS_ONLY = [
  'usage',
  'txcount',
  'header_version',
  'startingpriority',
  'currentpriority',
  'dustrelayfee',
  'dustrelayfeefloor',
  'dustdynamic',
  'rbf_policy',
  'truc_policy',
];

/** Fields that speak of the program and not of the chain. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  // Size and memory as the program stores things.
  getblockchaininfo: ['size_on_disk', 'verificationprogress'],
  getmempoolinfo: ['unbroadcastcount'],
  // Nobody to broadcast to; Knots repeats the wtxid under another name.
  getmempoolentry: ['unbroadcast', 'hash'],
  getrawmempool: ['unbroadcast', 'hash', 'mempool_sequence'],
  getmempoolancestors: ['unbroadcast', 'hash'],
  getmempooldescendants: ['unbroadcast', 'hash'],
  // Which program it is, and whom it talks to.
  getnetworkinfo: ['version', 'subversion', 'localservices', 'localservicesnames', 'networks'],
  validateaddress: ['error', 'error_locations'],
};

/** bitcoind lists tips of one height in the order of their addresses in memory. */
const inOrder = (method: string, value: Json): Json =>
  method === 'getchaintips' && isJsonArray(value)
    ? [...value].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    : value;

/** Both must say the same. Collects what does not. */
export class Comparison {
  readonly #ours: RpcPeer;
  readonly #theirs: RpcPeer;
  readonly found: string[] = [];
  count = 0;

  constructor(ours: RpcPeer, theirs: RpcPeer) {
    this.#ours = ours;
    this.#theirs = theirs;
  }

  async call(method: string, ...params: unknown[]): Promise<Json> {
    const [ours, theirs] = await Promise.all([
      this.#ours.call(method, ...params),
      this.#theirs.call(method, ...params),
    ]);
    const differs = new Set([...KNOTS_ONLY, ...(ALLOWED[method] ?? [])]);
    const found = [
      ...differences(inOrder(method, ours.result), inOrder(method, theirs.result), differs),
      ...differences(ours.error, theirs.error, new Set()),
    ];
    this.found.push(...found.map((one) => `${method} ${JSON.stringify(params).slice(0, 120)} ${one.slice(0, 300)}`));
    this.count++;
    return ours.result;
  }
}

export interface Court {
  readonly world: TestChain;
  readonly door: ServedDoor;
  readonly judge: RpcPeer;
  /** Calls both and notes where they differ. */
  readonly both: Comparison;
  /** Brings bitcoind to our tip. */
  follow(): Promise<void>;
}

/** A test of a chain of ours, with coins, that bitcoind has too. At its end nothing may differ. */
export function courtTest(title: string, run: (court: Court) => Promise<void>): void {
  bitcoindTest(title, async (node: Bitcoind) => {
    const world = testChain();
    const door = await serveDoor(world);
    const judge = judgePeer(node);
    const both = new Comparison(door, judge);
    async function follow(): Promise<void> {
      await node.rpc('setmocktime', world.time);
      const { height } = await world.chain.tip();
      for (let at = (await node.rpc<number>('getblockcount')) + 1; at <= height; at++) {
        const hash = (await world.chain.explorer.blockHash(at))!;
        assert.equal(await node.rpc('submitblock', toHex((await world.chain.explorer.rawBlock(hash))!)), null);
      }
      assert.equal(await node.rpc('getbestblockhash'), (await world.chain.tip()).hash);
    }
    try {
      await follow();
      await run({ world, door, judge, both, follow });
      assert.deepEqual(both.found, []);
      assert.deepEqual(door.faults, []);
    } finally {
      await door.close();
    }
  });
}

/** The embedded chain and a real bitcoind side by side: whatever ours takes, bitcoind has to take as well. */
import assert from 'node:assert/strict';
import { type Txid, toHex } from '../../src/base/bytes.ts';
import { type Tx, txHex } from '../../src/bitcoin/tx.ts';
import type { Bitcoind } from './bitcoind.ts';
import { reasonOf, type TestChain } from './regtest.ts';

export interface Verdict {
  /** Our reason; `undefined` when accepted. */
  readonly ours: string | undefined;
  /** bitcoind's. */
  readonly theirs: string | undefined;
}

interface TestAccept {
  readonly allowed: boolean;
  readonly 'reject-reason'?: string;
}

interface PackageResult {
  readonly package_msg: string;
  readonly 'tx-results': Readonly<Record<string, { readonly error?: string }>>;
}

/** Reasons that Knots tells apart and Core does not, and the one that `testmempoolaccept` has a word of its own for. */
const RENAMED: readonly (readonly [RegExp, string])[] = [
  [/^truc-.*/, 'TRUC-violation'],
  [/^bad-witness-.*/, 'bad-witness-nonstandard'],
  [/^missing-inputs$/, 'bad-txns-inputs-missingorspent'],
  [/ \(.*/, ''],
];
const plain = (reason: string): string =>
  RENAMED.reduce((text, [pattern, name]) => text.replace(pattern, name), reason);

/** bitcoind's guards against fees and burnt amounts that a person did not mean. */
const NO_CAPS = [0, 21_000_000];

/** BIP110, which Knots has in its policy and Bitcoin Core does not: where it speaks there is nothing to compare. */
const FOREIGN = new Set(['bad-txns-vout-script-toolarge']);

export class Duel {
  readonly #world: TestChain;
  readonly #node: Bitcoind;
  /** Blocks of ours, lowest first, that bitcoind has. */
  #hashes: string[] = [];

  constructor(world: TestChain, node: Bitcoind) {
    this.#world = world;
    this.#node = node;
  }

  /** Brings bitcoind to our tip, by our blocks only, and our mempool's transactions into its own. */
  async sync(): Promise<void> {
    const { chain } = this.#world;
    await this.#node.rpc('setmocktime', this.#world.time);
    const { height } = await chain.tip();
    const hashes: string[] = [];
    for (let at = 1; at <= height; at++) hashes.push((await chain.explorer.blockHash(at))!);
    const shared = this.#hashes.findIndex((hash, i) => hash !== hashes[i]);
    const from = shared < 0 ? this.#hashes.length : shared;
    const fork = this.#hashes[from];
    if (fork !== undefined) await this.#node.rpc('invalidateblock', fork);
    for (const hash of hashes.slice(from)) {
      const answer = await this.#node.rpc('submitblock', toHex((await chain.explorer.rawBlock(hash))!));
      assert.equal(answer, null, `bitcoind refuses block ${hash}`);
    }
    this.#hashes = hashes;
    assert.equal(await this.#node.rpc('getbestblockhash'), (await chain.tip()).hash);
    await this.#syncMempool();
  }

  /** One transaction, at both. */
  async one(tx: Tx): Promise<Verdict> {
    const [answer] = await this.#node.rpc<TestAccept[]>('testmempoolaccept', [txHex(tx)], 0);
    const theirs = answer!.allowed ? undefined : plain(answer!['reject-reason']!);
    if (theirs !== undefined && FOREIGN.has(theirs)) return { ours: theirs, theirs };
    const ours = await reasonOf(this.#world.chain.broadcast(tx));
    assert.ok(ours !== undefined || theirs === undefined, `we accept what bitcoind refuses: ${theirs} ${txHex(tx)}`);
    if (ours === undefined) {
      await this.#node.rpc('sendrawtransaction', txHex(tx), ...NO_CAPS);
      await this.#compareMempools();
    }
    return { ours, theirs };
  }

  /** A parent with its child, at both. bitcoind is asked only for what we take, since asking changes its mempool. */
  async pair(parent: Tx, child: Tx): Promise<string | undefined> {
    const ours = await reasonOf(this.#world.chain.broadcastPackage(parent, child));
    if (ours === undefined) {
      const answer = await this.#node.rpc<PackageResult>('submitpackage', [txHex(parent), txHex(child)], ...NO_CAPS);
      assert.equal(answer.package_msg, 'success', `we accept what bitcoind refuses: ${JSON.stringify(answer)}`);
      await this.#compareMempools();
    } else {
      await this.#syncMempool();
    }
    return ours;
  }

  /** A package that we refuse, in the mempool of bitcoind too. */
  async pairRefused(parent: Tx, child: Tx): Promise<{ readonly ours: string; readonly theirs: readonly string[] }> {
    const ours = await reasonOf(this.#world.chain.broadcastPackage(parent, child));
    assert.ok(ours !== undefined, 'we accept it');
    const answer = await this.#node.rpc<PackageResult>('submitpackage', [txHex(parent), txHex(child)], ...NO_CAPS);
    const errors = Object.values(answer['tx-results']).map((result) => result.error);
    return { ours, theirs: [answer.package_msg, ...errors.filter((error) => error !== undefined)] };
  }

  async mine(count: number): Promise<void> {
    await this.#world.chain.mine(count);
    await this.sync();
  }

  async #ours(): Promise<Map<Txid, Tx>> {
    return new Map((await this.#world.chain.explorer.mempool()).map(({ txid, tx }) => [txid, tx]));
  }

  /** A parent may have entered alone although its child was refused. */
  async #syncMempool(): Promise<void> {
    const theirs = new Set(await this.#node.rpc<Txid[]>('getrawmempool'));
    for (const [txid, tx] of await this.#ours()) {
      if (!theirs.has(txid)) await this.#node.rpc('sendrawtransaction', txHex(tx), ...NO_CAPS);
    }
    await this.#compareMempools();
  }

  async #compareMempools(): Promise<void> {
    const theirs = await this.#node.rpc<Txid[]>('getrawmempool');
    assert.deepEqual(theirs.sort(), [...(await this.#ours()).keys()].sort());
  }
}

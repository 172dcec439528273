/** The door's answers beside bitcoind's, over one chain and mempool: every field of every call that reads. */
import assert from 'node:assert/strict';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { sats } from '../../src/base/units.ts';
import { addressOf } from '../../src/bitcoin/address.ts';
import { OP, push, pushNumber, script } from '../../src/bitcoin/script.ts';
import { type TxOut, txHex, txidOf } from '../../src/bitcoin/tx.ts';
import { parseDescriptor } from '../../src/chain/regtest/rpc/descriptor.ts';
import { isJsonArray, type Json } from '../../src/chain/regtest/rpc/json.ts';
import { scriptTypeOf } from '../../src/chain/script-type.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { bitcoindTest } from '../support/bitcoind.ts';
import { Duel } from '../support/duel.ts';
import { anchor, type Lock } from '../support/locks.ts';
import { anchorOf, coinOf, P2A, pay, secp, spend, testChain } from '../support/regtest.ts';
import { differences, judgePeer, type RpcPeer, serveDoor } from '../support/rpc-door.ts';

/** What Bitcoin Knots tells beyond Bitcoin Core. */
const KNOTS_ONLY = [
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
  getmempoolinfo: ['usage', 'unbroadcastcount'],
  // Nobody to broadcast to; Knots repeats the wtxid under another name.
  getmempoolentry: ['unbroadcast', 'hash'],
  getrawmempool: ['unbroadcast', 'hash', 'mempool_sequence'],
  getmempoolancestors: ['unbroadcast', 'hash'],
  getmempooldescendants: ['unbroadcast', 'hash'],
  // Which program it is, and whom it talks to.
  getnetworkinfo: ['version', 'subversion', 'localservices', 'localservicesnames', 'networks'],
  validateaddress: ['error', 'error_locations'],
};

/** Lists whose order says nothing. */
const UNORDERED = new Set(['getrawmempool', 'getmempoolancestors', 'getmempooldescendants']);

const sorted = (value: Json): Json => (isJsonArray(value) ? [...value].sort() : value);

/** Both must say the same. Collects what does not. */
class Comparison {
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
    const order = UNORDERED.has(method) ? sorted : (value: Json) => value;
    const found = [
      ...differences(order(ours.result), order(theirs.result), differs),
      ...differences(ours.error, theirs.error, new Set()),
    ];
    this.found.push(...found.map((one) => `${method} ${JSON.stringify(params).slice(0, 120)} ${one.slice(0, 300)}`));
    this.count++;
    return ours.result;
  }
}

const key = (name: string): Uint8Array => secp.publicKey(sha256(utf8(name)));
const out = (output: Uint8Array, value = 1_000n): TxOut => ({ value, script: output });

/** Outputs that a mempool takes, and some that only blocks may have; Knots takes no bare keys. */
const STANDARD_OUTPUTS: readonly TxOut[] = [
  out(script(OP.ONE + 1, push(new Uint8Array(20).fill(7)))),
  out(script(OP.RETURN, push(utf8('hello door'))), 0n),
];
const STRANGE_OUTPUTS: readonly TxOut[] = [
  out(script(push(key('a')), OP.CHECKSIG)),
  out(script(pushNumber(1n), push(key('a')), push(key('b')), pushNumber(2n), OP.CHECKMULTISIG)),
  out(script(OP.RETURN, push(Uint8Array.of(1, 2)), OP.CHECKSIG), 0n),
  out(Uint8Array.of(OP.PUSHDATA1, 9, 1)),
  out(new Uint8Array(0)),
  out(script(OP.ONE, push(new Uint8Array(32).fill(255)))),
  out(script(pushNumber(-1n), pushNumber(0n), pushNumber(300n), pushNumber(16n), OP.CHECKTEMPLATEVERIFY, 0xfe, 0xff)),
  out(script(OP.FALSE, push(new Uint8Array(19)))),
];

bitcoindTest('every reading call answers as bitcoind does', async (node) => {
  const world = testChain();
  const { chain, locks } = world;
  const door = await serveDoor(world);
  const duel = new Duel(world, node);
  const judge = new Comparison(door, judgePeer(node));
  try {
    const kinds = [
      locks.p2tr,
      locks.p2wpkh,
      locks.p2pkh,
      locks.nested,
      locks.p2wsh,
      locks.csv(1),
      locks.p2tr,
      locks.p2tr,
    ];
    const coins = await world.fund(kinds);
    const spends = coins
      .slice(0, 6)
      .map((coin) => spend([coin], [pay(locks.p2tr, 50_000n), ...STANDARD_OUTPUTS], { sequences: [1] }));
    const address = addressOf('regtest', locks.p2wpkh.script)!;
    const descriptors = [
      `addr(${address})`,
      `raw(${toHex(locks.p2tr.script)})`,
      { desc: `pkh(${toHex(key('alice'))})` },
      `wpkh(${toHex(key('alice'))})`,
      `sh(wpkh(${toHex(key('alice'))}))`,
      `tr(${toHex(key('alice').slice(1))})`,
      `rawtr(${toHex(key('alice').slice(1))})`,
      `combo(${toHex(key('a'))})`,
      `multi(1,${toHex(key('a'))},${toHex(key('b'))})`,
      `wsh(pk(${toHex(key('alice'))}))`,
      `sh(multi(1,${toHex(key('b'))},${toHex(key('a'))}))`,
      `wsh(sortedmulti(1,${toHex(key('b'))},${toHex(key('a'))}))`,
      `raw(${toHex(chain.faucetScript)})`,
      `pk(${toHex(key('a'))})`,
      `tr(${toHex(key('b'))})`,
    ];
    const scripts = descriptors
      .flatMap((one) => parseDescriptor(secp, typeof one === 'string' ? one : one.desc))
      .map((one) => one.script)
      .filter((one) => !scriptTypeOf(one).match(/^(pubkey|multisig)$/));
    for (const one of scripts) await chain.faucet(one, sats(5_000n));
    await duel.sync();
    await duel.mine(1);
    for (const tx of spends) await chain.broadcast(tx);
    await duel.sync();
    await duel.mine(1);
    const strange = spend([coins[6]!], [pay(locks.p2tr, 50_000n), ...STRANGE_OUTPUTS], { version: -2 });
    const { hash } = (await door.call('generateblock', address, [txHex(strange)])).result as { hash: string };
    assert.equal(await node.rpc('submitblock', toHex((await chain.explorer.rawBlock(hash))!)), null);

    // A family in the mempool, one pair that came as a package, and one that may be replaced.
    const first = spend([coinOf(spends[0]!, 0, locks.p2tr)], [pay(locks.p2tr, 20_000n), pay(locks.p2wpkh, 20_000n)], {
      sequences: [0xfffffffd],
    });
    const second = spend([coinOf(first, 0, locks.p2tr)], [pay(locks.p2tr, 10_000n)]);
    const third = spend([coinOf(second, 0, locks.p2tr), coinOf(first, 1, locks.p2wpkh)], [pay(locks.p2tr, 20_000n)]);
    for (const tx of [first, second, third]) assert.equal((await duel.one(tx)).ours, undefined);
    const parent = spend([coins[7]!], [pay(locks.p2tr, 100_000n), P2A], { version: 3 });
    const feeCoin = coinOf(spends[1]!, 0, locks.p2tr);
    const child = spend([anchorOf(parent), feeCoin], [pay(locks.p2tr, 40_000n)], { version: 3 });
    assert.equal(await duel.pair(parent, child), undefined);
    const waiting = [first, second, third, parent, child];

    const height = (await chain.tip()).height;
    for (const call of ['getblockchaininfo', 'getblockcount', 'getbestblockhash', 'getchaintips']) {
      await judge.call(call);
    }
    for (let at = 0; at <= height; at++) {
      if (at > 2 && at < 100) continue;
      const block = await judge.call('getblockhash', at);
      for (const verbosity of [0, 1, 2, 3]) await judge.call('getblock', block, verbosity);
      await judge.call('getblockheader', block);
      await judge.call('getblockheader', block, false);
      await judge.call('getblockstats', at);
    }
    await judge.call('getblockstats', (await chain.tip()).hash, ['txs', 'avgfee']);
    for (const tx of [...spends, strange, ...waiting]) {
      for (const verbosity of [0, 1, 2, true, false]) await judge.call('getrawtransaction', txidOf(tx), verbosity);
      await judge.call('decoderawtransaction', txHex(tx));
      for (let n = 0; n <= tx.outputs.length; n++) {
        await judge.call('gettxout', txidOf(tx), n);
        await judge.call('gettxout', txidOf(tx), n, false);
      }
    }
    await judge.call('getrawtransaction', txidOf(strange), 2, hash);
    await judge.call('getrawtransaction', txidOf(strange), 1, (await chain.explorer.blockHash(1))!);
    for (const call of ['getmempoolinfo', 'getrawmempool', 'getnetworkinfo', 'getindexinfo', 'getconnectioncount']) {
      await judge.call(call);
    }
    await judge.call('getpeerinfo');
    await judge.call('getrawmempool', true);
    await judge.call('getrawmempool', true, true);
    for (const tx of [...waiting, spends[0]!]) {
      await judge.call('getmempoolentry', txidOf(tx));
      for (const verbose of [false, true]) {
        await judge.call('getmempoolancestors', txidOf(tx), verbose);
        await judge.call('getmempooldescendants', txidOf(tx), verbose);
      }
    }
    for (const descriptor of descriptors) await judge.call('scantxoutset', 'start', [descriptor]);
    for (const descriptor of descriptors.filter((one) => typeof one === 'string')) {
      await judge.call('getdescriptorinfo', descriptor);
    }
    for (const lock of [anchor, ...kinds, ...STANDARD_OUTPUTS, ...STRANGE_OUTPUTS] as readonly Pick<Lock, 'script'>[]) {
      await judge.call('validateaddress', addressOf('regtest', lock.script) ?? 'nobody');
    }
    assert.deepEqual(judge.found, []);
    assert.deepEqual(door.faults, []);
  } finally {
    await door.close();
  }
});

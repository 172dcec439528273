/** The door's answers beside bitcoind's, over one chain and mempool: every field of every call that reads. */
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { sats } from '../../src/base/units.ts';
import { addressOf } from '../../src/bitcoin/address.ts';
import { OP, p2tr, p2wpkh, push, pushNumber, script } from '../../src/bitcoin/script.ts';
import { type Tx, type TxOut, txHex, txidOf } from '../../src/bitcoin/tx.ts';
import { parseDescriptor } from '../../src/chain/regtest/rpc/descriptor.ts';
import { scriptTypeOf } from '../../src/chain/script-type.ts';
import { hash160, sha256 } from '../../src/crypto/hash.ts';
import { anchor } from '../support/locks.ts';
import { anchorOf, coinOf, P2A, pay, secp, spend } from '../support/regtest.ts';
import { resultOf } from '../support/rpc-door.ts';
import { type Comparison, type Court, courtTest } from '../support/rpc-judge.ts';

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

const hex = (name: string): string => toHex(key(name));
const ADDRESS = addressOf('regtest', p2wpkh(hash160(key('alice'))))!;
const DESCRIPTORS: readonly string[] = [
  `addr(${ADDRESS})`,
  `raw(${toHex(p2tr(key('b').slice(1)))})`,
  `pk(${hex('a')})`,
  `pkh(${hex('alice')})`,
  `wpkh(${hex('alice')})`,
  `sh(wpkh(${hex('alice')}))`,
  `tr(${hex('alice').slice(2)})`,
  `tr(${hex('b')})`,
  `rawtr(${hex('alice').slice(2)})`,
  `combo(${hex('a')})`,
  `multi(1,${hex('a')},${hex('b')})`,
  `wsh(pk(${hex('alice')}))`,
  `sh(multi(1,${hex('b')},${hex('a')}))`,
  `wsh(sortedmulti(1,${hex('b')},${hex('a')}))`,
];
const NO_CAPS = [0, 21_000_000];
const V3 = { version: 3 };

interface Scene {
  /** In blocks. */
  readonly confirmed: readonly Tx[];
  readonly waiting: readonly Tx[];
  /** The block of a transaction that no mempool takes. */
  readonly strangeBlock: string;
}

/** The same blocks and the same mempool at both. */
async function stage({ world, door, both, follow }: Court): Promise<Scene> {
  const { chain, locks } = world;
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
  const outputs = [pay(locks.p2tr, 50_000n), ...STANDARD_OUTPUTS];
  const spends = coins.slice(0, 6).map((coin) => spend([coin], outputs, { sequences: [1] }));
  const described = DESCRIPTORS.flatMap((descriptor) => parseDescriptor(secp, descriptor));
  // Knots relays no bare keys.
  const payable = described.filter((one) => !/^(pubkey|multisig)$/.test(scriptTypeOf(one.script)));
  for (const one of payable) await chain.faucet(one.script, sats(5_000n));
  await chain.mine(1);
  await follow();
  for (const tx of spends) await both.call('sendrawtransaction', txHex(tx), ...NO_CAPS);
  await chain.mine(1);
  const strange = spend([coins[6]!], [pay(locks.p2tr, 50_000n), ...STRANGE_OUTPUTS], { version: -2 });
  const mined = await resultOf(door.call('generateblock', ADDRESS, [txHex(strange)]));
  await follow();

  // A family, of which the first may be replaced, and a pair that comes as a package.
  const first = spend([coinOf(spends[0]!, 0, locks.p2tr)], [pay(locks.p2tr, 20_000n), pay(locks.p2wpkh, 20_000n)], {
    sequences: [0xfffffffd],
  });
  const second = spend([coinOf(first, 0, locks.p2tr)], [pay(locks.p2tr, 10_000n)]);
  const third = spend([coinOf(second, 0, locks.p2tr), coinOf(first, 1, locks.p2wpkh)], [pay(locks.p2tr, 20_000n)]);
  for (const tx of [first, second, third]) await both.call('sendrawtransaction', txHex(tx), ...NO_CAPS);
  const parent = spend([coins[7]!], [pay(locks.p2tr, 100_000n), P2A], V3);
  const child = spend([anchorOf(parent), coinOf(spends[1]!, 0, locks.p2tr)], [pay(locks.p2tr, 40_000n)], V3);
  await both.call('submitpackage', [txHex(parent), txHex(child)], ...NO_CAPS);
  return {
    confirmed: [...spends, strange],
    waiting: [first, second, third, parent, child],
    strangeBlock: (mined as { readonly hash: string }).hash,
  };
}

async function readBlocks({ world, both }: Court): Promise<void> {
  for (const call of ['getblockchaininfo', 'getblockcount', 'getbestblockhash', 'getchaintips']) await both.call(call);
  const { height } = await world.chain.tip();
  for (const at of [0, 1, 2, 101, 102, ...[6, 5, 4, 3, 2, 1, 0].map((below) => height - below)]) {
    const block = await both.call('getblockhash', at);
    for (const verbosity of [0, 1, 2, 3]) await both.call('getblock', block, verbosity);
    await both.call('getblockheader', block);
    await both.call('getblockheader', block, false);
    await both.call('getblockstats', at);
    await both.call('getblockstats', block, ['txs', 'avgfee']);
  }
}

async function readTxs(both: Comparison, { confirmed, waiting, strangeBlock }: Scene): Promise<void> {
  for (const tx of [...confirmed, ...waiting]) {
    for (const verbosity of [0, 1, 2, true, false]) await both.call('getrawtransaction', txidOf(tx), verbosity);
    await both.call('decoderawtransaction', txHex(tx));
    for (let n = 0; n <= tx.outputs.length; n++) {
      for (const withMempool of [true, false]) await both.call('gettxout', txidOf(tx), n, withMempool);
    }
  }
  const strange = txidOf(confirmed.at(-1)!);
  await both.call('getrawtransaction', strange, 2, strangeBlock);
  await both.call('getrawtransaction', strange, 1, await both.call('getblockhash', 1));
}

async function readMempool(both: Comparison, { confirmed, waiting }: Scene): Promise<void> {
  await both.call('getmempoolinfo');
  for (const params of [[], [true], [false, true], [true, true]]) await both.call('getrawmempool', ...params);
  await both.call(
    'gettxspendingprevout',
    [...waiting, ...confirmed].map((tx) => ({ txid: txidOf(tx), vout: 0 })),
  );
  for (const tx of [...waiting, confirmed[0]!]) {
    await both.call('getmempoolentry', txidOf(tx));
    for (const verbose of [false, true]) {
      await both.call('getmempoolancestors', txidOf(tx), verbose);
      await both.call('getmempooldescendants', txidOf(tx), verbose);
    }
  }
}

async function readScripts(both: Comparison): Promise<void> {
  for (const descriptor of DESCRIPTORS) {
    await both.call('scantxoutset', 'start', [descriptor]);
    await both.call('getdescriptorinfo', descriptor);
  }
  await both.call(
    'scantxoutset',
    'start',
    DESCRIPTORS.slice(3, 6).map((desc) => ({ desc })),
  );
  const described = DESCRIPTORS.flatMap((descriptor) => parseDescriptor(secp, descriptor));
  for (const { script } of [anchor, ...described, ...STANDARD_OUTPUTS, ...STRANGE_OUTPUTS]) {
    await both.call('validateaddress', addressOf('regtest', script) ?? 'nobody');
  }
}

courtTest('every reading call answers as bitcoind does', async (court) => {
  const { both } = court;
  const scene = await stage(court);
  for (const call of ['getnetworkinfo', 'getindexinfo', 'getconnectioncount', 'getpeerinfo']) await both.call(call);
  await readBlocks(court);
  await readTxs(both, scene);
  await readMempool(both, scene);
  await readScripts(both);
});

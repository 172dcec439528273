/**
 * How fast the embedded chain is: mining, verifying scripts, a large mempool, and a restart with a long chain.
 * Ends with code 1 when a target is missed. npm run bench:chain -- [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { utf8 } from '../src/base/bytes.ts';
import { CONSENSUS_FLAGS, verifyTx } from '../src/bitcoin/interpreter/verify.ts';
import type { Tx, TxOut } from '../src/bitcoin/tx.ts';
import { openBlockFile } from '../src/chain/regtest/block-file.ts';
import { createRegtestChain, type RegtestChain } from '../src/chain/regtest/chain.ts';
import { sha256 } from '../src/crypto/hash.ts';
import type { Lock } from '../test/support/locks.ts';
import { coinOf, pay, secp, spend, type TestCoin, testChain } from '../test/support/regtest.ts';

const MEMPOOL = 5_000;
const LONG_CHAIN = 10_000;
const SPENDS = 1_000;
const NOW = 1_750_000_000;

interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** The most, or with `atLeast` the least, that it may be. */
  readonly target?: number;
  readonly atLeast?: boolean;
}

async function seconds(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** How many inputs of this lock are verified in a second, each in a transaction of its own. */
async function verifiedPerSecond(lock: Lock, sequence: number): Promise<number> {
  const prevouts: readonly TxOut[] = [{ value: 100_000n, script: lock.script }];
  const txs = Array.from({ length: SPENDS }, (_, i): Tx => {
    const outpoint = { txid: Buffer.from(sha256(utf8(String(i)))).toString('hex') as never, vout: 0 };
    return spend([{ outpoint, output: prevouts[0]!, lock }], [pay(lock, 99_000n)], { sequences: [sequence] });
  });
  const took = await seconds(() => {
    for (const tx of txs) {
      const failure = verifyTx(secp, tx, prevouts, CONSENSUS_FLAGS);
      if (failure) throw new Error(failure.error);
    }
  });
  return SPENDS / took;
}

/** Confirmed coins of 20,000 sat each. */
async function manyCoins({ chain, locks, fund }: ReturnType<typeof testChain>, count: number): Promise<TestCoin[]> {
  const perTx = 1_000;
  const sources = await fund(
    Array.from({ length: Math.ceil(count / perTx) }, () => locks.p2tr),
    BigInt(perTx) * 20_100n,
  );
  const coins: TestCoin[] = [];
  for (const source of sources) {
    const outputs = Array.from({ length: perTx }, () => pay(locks.p2tr, 20_000n));
    const tx = spend([source], outputs);
    await chain.broadcast(tx);
    coins.push(...outputs.map((_, vout) => coinOf(tx, vout, locks.p2tr)));
  }
  await chain.mine(1);
  return coins.slice(0, count);
}

async function benchMempool(): Promise<Figure[]> {
  const world = testChain();
  const coins = await manyCoins(world, MEMPOOL);
  const txs = coins.map((coin, i) => spend([coin], [pay(world.locks.p2tr, 19_000n - BigInt(i % 500))]));
  const accepting = await seconds(async () => {
    for (const tx of txs) await world.chain.broadcast(tx);
  });
  const { count } = world.chain.node.pool.totals;
  if (count !== MEMPOOL) throw new Error(`${count} transactions wait`);
  const mining = await seconds(() => world.chain.mine(1));
  if (world.chain.node.pool.totals.count !== 0) throw new Error('not everything was mined');
  return [
    { what: `transactions accepted a second, up to ${MEMPOOL} waiting`, value: MEMPOOL / accepting, unit: '/s' },
    { what: `block of ${MEMPOOL} transactions, from template to connected`, value: mining * 1000, unit: 'ms' },
  ];
}

async function benchRestart(): Promise<Figure> {
  const folder = mkdtempSync(join(tmpdir(), 'canalworks-bench-'));
  const path = join(folder, 'chain');
  const open = (): RegtestChain =>
    createRegtestChain({ secp, now: () => NOW, store: openBlockFile(path), initialBlocks: 110 });
  try {
    const first = open();
    await first.mine(LONG_CHAIN - 110);
    await first.close();
    let again: RegtestChain | undefined;
    const value = await seconds(() => {
      again = open();
    });
    const { height } = await again!.tip();
    if (height !== LONG_CHAIN) throw new Error(`restored ${height} blocks`);
    await again!.close();
    return { what: `restart with ${LONG_CHAIN} blocks`, value, unit: 's', target: 3 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function benchMining(): Promise<Figure> {
  const { chain } = testChain();
  return { what: '100 blocks mined', value: await seconds(() => chain.mine(100)), unit: 's', target: 0.5 };
}

async function benchScripts(): Promise<Figure[]> {
  const { locks } = testChain({ initialBlocks: 0 });
  return [
    {
      what: 'key path spends verified',
      value: await verifiedPerSecond(locks.p2tr, 0),
      unit: '/s',
      target: 500,
      atLeast: true,
    },
    {
      what: 'tapscript spends verified',
      value: await verifiedPerSecond(locks.csv(3), 3),
      unit: '/s',
      target: 300,
      atLeast: true,
    },
    { what: 'P2WPKH spends verified', value: await verifiedPerSecond(locks.p2wpkh, 0), unit: '/s' },
  ];
}

const isMissed = ({ value, target, atLeast }: Figure): boolean =>
  target !== undefined && (atLeast ? value < target : value > target);

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const figures = [await benchMining(), ...(await benchScripts()), ...(await benchMempool()), await benchRestart()];
if (values.json) {
  console.log(JSON.stringify({ bench: 'chain', figures }));
} else {
  for (const { what, value, unit, target, atLeast } of figures) {
    const aim = target === undefined ? '' : ` (target ${atLeast ? '≥' : '<'} ${target})`;
    console.log(`${what.padEnd(56)} ${value.toFixed(value < 10 ? 2 : 0)} ${unit}${aim}`);
  }
}
if (figures.some(isMissed)) process.exitCode = 1;

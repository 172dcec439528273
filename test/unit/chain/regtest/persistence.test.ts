import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { type Txid, toHex, utf8 } from '../../../../src/base/bytes.ts';
import { txidOf } from '../../../../src/bitcoin/tx.ts';
import { openBlockFile } from '../../../../src/chain/regtest/block-file.ts';
import type { RegtestChain } from '../../../../src/chain/regtest/chain.ts';
import { anchorOf, coinOf, P2A, pay, reasonOf, spend, type TestCoin, testChain } from '../../../support/regtest.ts';

const VICTIM = join(import.meta.dirname, '..', '..', '..', 'support', 'chain-victim.ts');

/** Runs `work` with the path of a file in a folder that is gone afterwards. */
async function withFile(work: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'chain-'));
  try {
    await work(join(folder, 'chain.dat'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const open = (path: string) => testChain({ store: openBlockFile(path) });

/** Everything that a restart must bring back. */
async function stateOf({ chain, locks }: ReturnType<typeof open>) {
  const mempool = await chain.explorer.mempool();
  return {
    tip: await chain.tip(),
    mempool: mempool.map(({ txid, fee, vsize }) => ({ txid, fee, vsize })),
    unspent: (await chain.unspent(locks.p2tr.script)).map(({ outpoint, value }) => ({ outpoint, value })),
    faucet: (await chain.unspent(chain.faucetScript)).length,
  };
}

test('a restart continues the chain with its mempool, packages and replacements included', () =>
  withFile(async (path) => {
    const before = open(path);
    const { chain, locks } = before;
    const [a, b, c, d] = (await before.fund([locks.p2tr, locks.p2tr, locks.p2tr, locks.p2tr])) as [
      TestCoin,
      TestCoin,
      TestCoin,
      TestCoin,
    ];
    const parent = spend([a], [pay(locks.p2tr, 100_000n), P2A], { version: 3 });
    await chain.broadcastPackage(parent, spend([anchorOf(parent), b], [pay(locks.p2tr, 99_000n)], { version: 3 }));
    const replaced = spend([c], [pay(locks.p2tr, 99_000n)]);
    await chain.broadcast(replaced);
    await chain.broadcast(spend([coinOf(replaced, 0, locks.p2tr)], [pay(locks.p2tr, 98_500n)]));
    await chain.broadcast(spend([c], [pay(locks.p2tr, 90_000n)]));
    await chain.mine(3);
    await chain.broadcast(spend([d], [pay(locks.p2tr, 99_000n)]));
    await chain.invalidateTip(3);
    await chain.mine(1);
    await chain.invalidateTip(1);
    await chain.shiftClock(5_000);
    const expected = await stateOf(before);
    assert.equal(expected.mempool.length, 4);
    await chain.close();

    const after = open(path);
    assert.deepEqual(await stateOf(after), expected);
    const [hash] = await after.chain.mine(1);
    assert.ok((await after.chain.explorer.block(hash!))!.header.time >= after.time + 5_000);
    assert.deepEqual((await stateOf(after)).mempool, []);
    await after.chain.close();
  }));

test('a record that was being written is cut off, at whatever byte', () =>
  withFile(async (path) => {
    const first = open(path);
    await first.chain.close();
    const whole = readFileSync(path);
    const again = open(path);
    await again.chain.mine(1);
    await again.chain.close();
    const longer = readFileSync(path);
    for (let size = whole.length; size < longer.length; size += 37) {
      truncateSync(path, 0);
      writeFileSync(path, longer.subarray(0, size));
      const cut: number[] = [];
      const { chain } = testChain({ store: openBlockFile(path, (bytes) => cut.push(bytes)) });
      assert.equal((await chain.tip()).height, 110);
      assert.deepEqual(cut, size > whole.length ? [size - whole.length] : []);
      await chain.mine(2);
      await chain.close();
      const { chain: next } = open(path);
      assert.equal((await next.tip()).height, 112);
      await next.close();
    }
    const spoilt = Buffer.from(longer);
    spoilt[spoilt.length - 1]! ^= 1;
    writeFileSync(path, spoilt);
    assert.equal((await open(path).chain.tip()).height, 110);
  }));

test('damage before the end, and files of others, are refused and left alone', () =>
  withFile(async (path) => {
    await open(path).chain.close();
    const damaged = readFileSync(path);
    damaged[damaged.length >> 1]! ^= 1;
    writeFileSync(path, damaged);
    assert.throws(() => open(path), { code: 'BLOCK_FILE_DAMAGED' });
    assert.deepEqual(readFileSync(path), damaged);
    writeFileSync(path, 'a diary');
    assert.throws(() => open(path), { code: 'NOT_A_BLOCK_FILE' });
    assert.equal(readFileSync(path, 'utf8'), 'a diary');
  }));

test('records that are whole but make no chain are refused', () =>
  withFile(async (path) => {
    const store = openBlockFile(path);
    store.read();
    store.append(utf8('?'));
    store.close();
    assert.throws(() => open(path), { name: 'InvariantError' });
  }));

test('a file that cannot be written refuses the change and stays refused', () =>
  withFile(async (path) => {
    const store = openBlockFile(path);
    const world = testChain({ store });
    const [coin] = (await world.fund([world.locks.p2tr])) as [TestCoin];
    const tx = spend([coin], [pay(world.locks.p2tr, 99_000n)]);
    const tip = await world.chain.tip();
    store.close();
    for (let attempt = 0; attempt < 2; attempt++) {
      await assert.rejects(world.chain.broadcast(tx), { code: 'EBADF' });
      await assert.rejects(world.chain.mine(1), { code: 'EBADF' });
    }
    assert.deepEqual(await world.chain.tip(), tip);
    assert.equal(await world.chain.transaction(txidOf(tx)), undefined);
  }));

/** Reads what the victim says until it has said enough, then kills it. */
async function killed(path: string, lines: number): Promise<string[]> {
  const child = spawn(process.execPath, [VICTIM, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const heard: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    heard.push(line);
    if (heard.length === lines) child.kill('SIGKILL');
  }
  return heard;
}

const knows = async (chain: RegtestChain, line: string): Promise<boolean> => {
  const [kind, id] = line.split(' ');
  return (kind === 'tx' ? await chain.transaction(id as Txid) : await chain.explorer.block(id!)) !== undefined;
};

test('kill -9 loses nothing that was acknowledged', () =>
  withFile(async (path) => {
    const heard = [...(await killed(path, 9)), ...(await killed(path, 17))];
    const { chain } = testChain({ store: openBlockFile(path), now: () => Math.floor(Date.now() / 1000) });
    for (const line of heard) assert.ok(await knows(chain, line), line);
    await chain.mine(1);
    assert.deepEqual(await chain.explorer.mempool(), []);
    await chain.close();
  }));

test('a chain of 2,000 blocks restarts in well under a second', () =>
  withFile(async (path) => {
    const { chain } = open(path);
    await chain.mine(1_890);
    await chain.close();
    const start = performance.now();
    const { chain: again } = open(path);
    assert.ok(performance.now() - start < 1_000);
    assert.equal((await again.tip()).height, 2_000);
    assert.equal(
      await reasonOf(again.submitBlock((await again.explorer.rawBlock((await again.tip()).hash))!)),
      'duplicate',
    );
    await again.close();
  }));

test('the file holds exactly what was appended', () =>
  withFile(async (path) => {
    const store = openBlockFile(path);
    assert.deepEqual(store.read(), []);
    store.append(Uint8Array.of(1, 2, 3));
    store.append(new Uint8Array(0));
    store.close();
    assert.deepEqual(openBlockFile(path).read().map(toHex), ['010203', '']);
    appendFileSync(path, 'x');
    assert.deepEqual(openBlockFile(path).read().length, 2);
  }));

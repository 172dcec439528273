/** The JSON-RPC door by itself: who may enter, what changes the chain, the faucet's wallet, and bitcoin-cli. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { toHex } from '../../src/base/bytes.ts';
import { addressOf } from '../../src/bitcoin/address.ts';
import { txHex } from '../../src/bitcoin/tx.ts';
import { isJsonArray, type Json, type JsonObject } from '../../src/chain/regtest/rpc/json.ts';
import { RPC_ERROR } from '../../src/chain/rpc-error.ts';
import { scriptTypeOf } from '../../src/chain/script-type.ts';
import { requireBitcoind } from '../support/bitcoind.ts';
import { coinOf, pay, secp, spend, testChain } from '../support/regtest.ts';
import { errorCodeOf, RPC_PASSWORD, RPC_USER, resultOf, type ServedDoor, serveDoor } from '../support/rpc-door.ts';
import { startStack } from '../support/stack.ts';

type World = ReturnType<typeof testChain>;

function doorTest(title: string, run: (door: ServedDoor, world: World) => Promise<void>): void {
  test(title, async () => {
    const world = testChain();
    const door = await serveDoor(world);
    try {
      await run(door, world);
      assert.deepEqual(door.faults, []);
    } finally {
      await door.close();
    }
  });
}

const printed = async (called: ReturnType<ServedDoor['call']>): Promise<string> =>
  JSON.stringify(await resultOf(called));
const field = (value: Json, name: string): string => JSON.stringify((value as JsonObject)[name]);

doorTest('only the right user and password open the door, by POST, at its paths', async ({ port }) => {
  const body = '{"method":"getblockcount","id":1}';
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
  const ask = (path: string, authorization: string | undefined, method = 'POST') =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(method === 'POST' && { body }),
      headers: authorization === undefined ? {} : { authorization },
    });
  const right = basic(`${RPC_USER}:${RPC_PASSWORD}`);
  for (const wrong of [
    undefined,
    '',
    'Basic',
    basic(RPC_USER),
    basic(`${RPC_USER}:x`),
    basic(`:${RPC_PASSWORD}`),
    `Bearer ${RPC_PASSWORD}`,
  ]) {
    const refused = await ask('/', wrong);
    assert.equal(refused.status, 401);
    assert.match(refused.headers.get('www-authenticate') ?? '', /^Basic realm=/);
    assert.equal(await refused.text(), '');
  }
  for (const path of ['/', '/wallet/', '/wallet/faucet', '/wallet/any%20name', '/wallet/a/b']) {
    assert.equal((await ask(path, right)).status, 200, path);
  }
  for (const path of ['/foo', '/api/blocks', '/walle']) assert.equal((await ask(path, right)).status, 404, path);
  assert.equal((await ask('/', right, 'GET')).status, 405);
});

doorTest('a body larger than any block is refused', async (door) => {
  assert.equal((await door.post('x'.repeat(0x02000001))).status, 413);
  assert.equal(await printed(door.call('getblockcount')), '110');
});

doorTest("the faucet's wallet pays, tells its balance and its coins", async (door, { chain, locks }) => {
  const to = addressOf('regtest', locks.p2wpkh.script)!;
  const before = await printed(door.call('getbalance'));
  assert.match(before, /^[0-9]+\.[0-9]{8}$/);
  const txid = (await resultOf(door.call('sendtoaddress', to, 0.3))) as string;
  assert.equal(field(await resultOf(door.call('gettxout', txid, 0)), 'value'), '0.30000000');
  assert.notEqual(await printed(door.call('getbalance')), before);
  const verbose = await resultOf(
    door.call('sendtoaddress', to, '0.1', '', '', false, true, null, 'unset', null, 25, true),
  );
  assert.match(field(verbose, 'txid'), /^"[0-9a-f]{64}"$/);
  const address = (await resultOf(door.call('getnewaddress', 'label', 'bech32'))) as string;
  const blocks = await resultOf(door.call('generatetoaddress', 2, address));
  assert.ok(isJsonArray(blocks) && blocks.at(-1) === (await chain.tip()).hash);
  const coins = await resultOf(door.call('listunspent', 1, 9_999_999, [address]));
  assert.ok(isJsonArray(coins) && coins.length > 0);
  assert.equal(field(coins[0]!, 'address'), JSON.stringify(address));
  assert.equal(await printed(door.call('listunspent', 1, 9, [to])), '[]');
  const info = await resultOf(door.call('getwalletinfo'));
  assert.equal(field(info, 'balance'), await printed(door.call('getbalance')));

  assert.equal(await errorCodeOf(door.call('sendtoaddress', to, 1_000_000)), RPC_ERROR.insufficientFunds);
  assert.equal(await errorCodeOf(door.call('sendtoaddress', to, 0)), RPC_ERROR.type);
  assert.equal(await errorCodeOf(door.call('sendtoaddress', 'nobody', 1)), RPC_ERROR.notFound);
  assert.equal(await errorCodeOf(door.call('sendtoaddress', to, 1, '', '', true)), RPC_ERROR.invalidParameter);
  for (const call of ['createwallet', 'loadwallet', 'createwallet']) await resultOf(door.call(call, 'mine'));
  assert.equal(await printed(door.call('listwallets')), '["faucet","mine"]');
});

doorTest('blocks come by address, by descriptor and by what they shall hold', async (door, world) => {
  const { chain, locks } = world;
  const [coin] = await world.fund([locks.p2tr]);
  const to = addressOf('regtest', locks.p2tr.script)!;
  const ours = spend([coin!], [pay(locks.p2tr, 90_000n)]);
  await resultOf(door.call('generatetodescriptor', 1, `addr(${to})`));
  const combination = `combo(${toHex(secp.publicKey(new Uint8Array(32).fill(1)))})`;
  const mined = (await resultOf(door.call('generatetodescriptor', 1, combination))) as readonly string[];
  const paid = (await chain.transaction((await chain.explorer.block(mined[0]!))!.txids[0]!))!.tx.outputs[0]!;
  assert.equal(scriptTypeOf(paid.script), 'witness_v0_keyhash');
  const txid = (await resultOf(door.call('sendrawtransaction', txHex(ours)))) as string;
  const next = spend([coinOf(ours, 0, locks.p2tr)], [pay(locks.p2tr, 80_000n)]);
  await resultOf(door.call('generateblock', to, [txid, txHex(next)]));
  assert.equal(await printed(door.call('getrawmempool')), '[]');
  assert.equal((await chain.explorer.block((await chain.tip()).hash))!.txids.length, 3);
  assert.equal(await errorCodeOf(door.call('generateblock', to, [txHex(next)])), RPC_ERROR.verify);
  assert.equal(await errorCodeOf(door.call('generateblock', to, [7])), RPC_ERROR.type);
  assert.equal(await errorCodeOf(door.call('generatetoaddress', -1, to)), RPC_ERROR.invalidParameter);
  assert.equal(await errorCodeOf(door.call('generatetodescriptor', 1, 'pk(00)')), RPC_ERROR.notFound);
  const genesis = await resultOf(door.call('getblockhash', 0));
  assert.equal(await errorCodeOf(door.call('invalidateblock', genesis)), RPC_ERROR.misc);
});

doorTest('the clock is set, and set right again', async (door, { chain, time }) => {
  await resultOf(door.call('setmocktime', time + 50_000));
  await chain.mine(1);
  const timeOf = async (): Promise<number> => {
    const { hash } = await chain.tip();
    return (await chain.explorer.block(hash))!.header.time;
  };
  assert.equal(await timeOf(), time + 50_000);
  await resultOf(door.call('setmocktime', 0));
  await chain.mine(1);
  assert.ok((await timeOf()) < time + 50_000);
  assert.equal(await errorCodeOf(door.call('setmocktime', -1)), RPC_ERROR.invalidParameter);
});

doorTest('what speaks of the node', async (door) => {
  assert.match(field(await resultOf(door.call('estimatesmartfee', 6, 'economical')), 'feerate'), /^0\.0000[0-9]{4}$/);
  assert.equal(await errorCodeOf(door.call('stop')), RPC_ERROR.misc);
  assert.equal(await printed(door.call('uptime')), '1');
  const help = (await resultOf(door.call('help'))) as string;
  const names = help
    .split('\n')
    .filter((line) => /^[a-z]/.test(line))
    .map((line) => line.split(' ')[0]!);
  assert.ok(names.length > 40);
  for (const name of names) assert.match((await resultOf(door.call('help', name))) as string, new RegExp(`^${name}`));
});

const CLI = findCli();
const skip = CLI ? false : 'NOT RUN: no bitcoin-cli';

test('bitcoin-cli works against the door', { skip }, async () => {
  const world = testChain();
  const door = await serveDoor(world);
  const run = async (...args: string[]): Promise<string> => {
    const login = [
      '-rpcconnect=127.0.0.1',
      `-rpcport=${door.port}`,
      `-rpcuser=${RPC_USER}`,
      `-rpcpassword=${RPC_PASSWORD}`,
    ];
    return (await promisify(execFile)(CLI!, [...login, ...args])).stdout.trim();
  };
  try {
    assert.equal(await run('getblockcount'), '110');
    assert.match(await run('-getinfo'), /Blocks: 110/);
    assert.match(await run('-netinfo'), /canalworks/);
    const address = await run('-rpcwallet=any', 'getnewaddress');
    const txid = await run('-named', 'sendtoaddress', `address=${address}`, 'amount=1.5');
    assert.match(await run('-generate', '2'), /"blocks"/);
    assert.equal(JSON.parse(await run('getrawtransaction', txid, '2')).confirmations, 2);
    assert.equal(JSON.parse(await run('scantxoutset', 'start', `["addr(${address})"]`)).success, true);
    assert.equal(
      await run('getblock', await run('getbestblockhash'), '0').then((hex) => /^[0-9a-f]+$/.test(hex)),
      true,
    );
    await assert.rejects(run('getblockhash', '5000'), { code: 8 });
    await assert.rejects(run('nonsense'), { code: 89 });
    await assert.rejects(run('stop'), { code: 1 });
    assert.deepEqual(door.faults, []);
  } finally {
    await door.close();
  }
});

test('the whole program tells where its door is, and bitcoin-cli finds the login in the data folder', {
  skip,
}, async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'canalworks-rpc-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const cookie = join(root, 'regtest', '.cookie');
  const logins: string[] = [];
  for (const height of ['111', '112']) {
    const { ready, stop } = await startStack(['--data', root]);
    try {
      const { url, user, password } = ready.chain.rpc;
      logins.push(`${user}:${password}`);
      assert.equal(readFileSync(cookie, 'utf8'), `${user}:${password}`);
      assert.equal(statSync(cookie).mode & 0o077, 0);
      const ask = async (...args: string[]): Promise<string> => {
        const where = ['-regtest', `-datadir=${root}`, `-rpcport=${new URL(url).port}`];
        return (await promisify(execFile)(CLI!, [...where, ...args])).stdout.trim();
      };
      assert.equal(await ask('getblockcount'), height);
      await ask('-generate', '1');
    } finally {
      await stop();
    }
    assert.equal(existsSync(cookie), false);
  }
  assert.equal(logins[0], logins[1]);
});

test('our own bitcoind adapter runs on the door of another embedded chain', async () => {
  const served = await startStack();
  const { url, user, password } = served.ready.chain.rpc;
  try {
    const guest = await startStack(['--chain', url.replace('://', `://${user}:${password}@`)]);
    try {
      assert.equal(guest.ready.chain.kind, 'bitcoind');
      assert.equal(guest.ready.chain.rpc.url, url);
      const heightAt = async (esplora: string): Promise<string> => (await fetch(`${esplora}/blocks/tip/height`)).text();
      assert.equal(await heightAt(guest.ready.chain.esplora), await heightAt(served.ready.chain.esplora));
    } finally {
      await guest.stop();
    }
  } finally {
    await served.stop();
  }
});

/** The client that stands beside the bitcoind to test against. */
function findCli(): string | undefined {
  const { binary } = requireBitcoind('bitcoin-cli');
  if (binary === undefined || binary === 'bitcoind') return binary && 'bitcoin-cli';
  const beside = join(dirname(binary), 'bitcoin-cli');
  return existsSync(beside) ? beside : undefined;
}

/** The command on a bitcoind, as an operator runs it: what it asks of the node, and what happens when that goes away. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Bitcoind, requireBitcoind, startBitcoind, withCredentials } from '../support/bitcoind.ts';
import { type Ended, type RunningStack, runCommand, startStack } from '../support/stack.ts';

const { binary, skip } = requireBitcoind('canalworks up --chain');

const assertRefused = ({ code, stdout, stderr }: Ended, hint: RegExp): void => {
  assert.match(stderr, hint);
  assert.match(stderr, /^canalworks: [^\n]+\n$/);
  assert.equal(stdout, '');
  assert.equal(code, 1);
};

describe('what cannot be run on is one clear line, without the password', { skip }, () => {
  let node: Bitcoind;
  before(async () => {
    node = await startBitcoind(binary!);
  });
  after(() => node?.stop());

  const up = (...flags: string[]): Promise<Ended> => runCommand(['up', '--ephemeral', '--ports', 'auto', ...flags]);

  test('a URL that is none', async () => {
    for (const url of ['judge:secret@localhost', 'ftp://judge:secret@localhost:1', 'http://u:secret@h:1/path']) {
      const ended = await up('--chain', url);
      assertRefused(ended, /--chain: must be like http/);
      assert.doesNotMatch(ended.stderr, /secret/);
    }
  });

  test('a URL without credentials, or with two kinds', async () => {
    assertRefused(await up('--chain', node.url), /--chain-cookie/);
    assertRefused(await up('--chain', withCredentials(node.url), '--chain-cookie', 'x'), /--chain-cookie/);
  });

  test('nobody there', async () => {
    assertRefused(await up('--chain', 'http://u:secret@127.0.0.1:1'), /no node answers at http:\/\/127\.0\.0\.1:1/);
  });

  test('wrong credentials', async () => {
    const ended = await up('--chain', node.url.replace('//', '//judge:secret@'));
    assertRefused(ended, /refuses these credentials/);
    assert.doesNotMatch(ended.stderr, /secret/);
    assertRefused(await up('--chain', node.url, '--chain-cookie', join(node.folder, 'none')), /no cookie file/);
  });

  test('another network', async () => {
    const chain = withCredentials(node.url);
    assertRefused(await up('--chain', chain, '--network', 'signet'), /"regtest".*signet/);
    assertRefused(await up('--chain', chain, '--network', 'mainnet'), /"regtest".*mainnet/);
    assertRefused(await up('--chain', chain, '--network', 'mainnet', '--block-time', '1'), /regtest only/);
    assert.equal(await node.rpc('getblockcount'), 0);
  });
});

describe('canalworks on a bitcoind', { skip }, () => {
  let node: Bitcoind;
  let folder: string;
  let stack: RunningStack;
  before(async () => {
    node = await startBitcoind(binary!, { credentials: 'cookie' });
    folder = await mkdtemp(join(tmpdir(), 'canalworks-node-'));
    stack = await up();
  });
  after(async () => {
    await stack?.stop();
    await node?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const up = (): Promise<RunningStack> =>
    startStack(['--data', folder, '--chain', node.url, '--chain-cookie', join(node.folder, '.cookie')]);
  const run = (...args: string[]): Promise<Ended> => runCommand([...args, '--data', folder]);
  const explorer = (path: string): Promise<Response> => fetch(`${stack.ready.chain.esplora}${path}`);
  const heightOf = async (): Promise<number> => Number(await (await explorer('/blocks/tip/height')).text());

  async function until(condition: () => Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + 15_000; !(await condition()); ) {
      assert.ok(Date.now() < deadline, 'waited in vain');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  test('says which node it runs on', () => {
    const { kind, rpc } = stack.ready.chain;
    assert.equal(kind, 'bitcoind');
    assert.equal(rpc.url, node.url);
    assert.equal(rpc.user, '__cookie__');
  });

  test('gave the server coins at its first start, and no others at the next', async () => {
    const height = await node.rpc<number>('getblockcount');
    assert.ok(height > 100);
    assert.equal(await heightOf(), height);
    await stack.stop();
    stack = await up();
    assert.equal(await node.rpc('getblockcount'), height);
    const { wallet } = JSON.parse((await run('status', '--json')).stdout);
    assert.match(wallet.available, /^100\.0+$/);
  });

  test('mine and faucet act on the node', async () => {
    const height = await heightOf();
    assert.equal((await run('mine', '2')).stdout, `${height + 2}\n`);
    assert.equal(await node.rpc('getblockcount'), height + 2);
    const address = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080';
    const txid = (await run('faucet', address, '123456')).stdout.trimEnd();
    assert.deepEqual(await node.rpc('getrawmempool'), [txid]);
    assert.equal((await explorer(`/tx/${txid}`)).status, 200);
  });

  test('a node that restarts is one line in the log; doors say that they cannot answer, and then can again', async () => {
    const before = stack.output().stderr.length;
    await node.halt();
    await until(async () => (await explorer('/blocks/tip/height')).status === 503);
    const refused = await run('mine', '1');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /no node answers|no cookie file/);
    await node.resume();
    await node.rpc('generatetodescriptor', 1, 'raw(51)');
    await until(async () => (await explorer('/blocks/tip/height')).status === 200);
    const height = await node.rpc<number>('getblockcount');
    await until(async () => (await heightOf()) === height);
    const lines = stack.output().stderr.slice(before).trimEnd().split('\n');
    const codes = lines.map((line) => (JSON.parse(line) as { code?: string }).code);
    assert.deepEqual(
      codes.filter((code) => code !== 'NODE_STARTING'),
      ['NODE_UNREACHABLE', undefined],
    );
  });
});

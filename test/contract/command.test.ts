/** The command as users meet it: a real process, its words, its exit codes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { oldNode } from '../support/node.ts';
import { type Ended, type RunningStack, runCommand, startStack } from '../support/stack.ts';

let root: string;
let folders = 0;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'canalworks-command-'));
});
after(() => rm(root, { recursive: true, force: true }));

const freshFolder = (): string => join(root, `data${++folders}`);

const ADDRESS = 'bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x';

/** A refusal: one line on stderr, nothing on stdout, a non-zero code, no stack. */
function assertRefused({ code, stdout, stderr }: Ended, hint: RegExp): void {
  assert.notEqual(code, 0);
  assert.equal(stdout, '');
  assert.match(stderr, /^[^\n]+\n$/);
  assert.match(stderr, hint);
  assert.doesNotMatch(stderr, /\n\s+at |ExperimentalWarning/);
}

const tipOf = async ({ ready }: RunningStack): Promise<number> => {
  const response = await fetch(new URL('/control/status', ready.chain.esplora), {
    headers: { authorization: `Bearer ${ready.ark.adminToken}` },
  });
  return ((await response.json()) as { height: number }).height;
};

describe('canalworks up', { concurrency: 3 }, () => {
  test('says on one line of JSON where everything is, once everything answers', async () => {
    const stack = await startStack();
    const { ready } = stack;
    assert.deepEqual(Object.keys(ready), ['ready', 'version', 'network', 'pid', 'ark', 'chain']);
    assert.equal(ready.ready, true);
    assert.equal(ready.network, 'regtest');
    assert.equal(ready.chain.kind, 'embedded');
    assert.match(ready.ark.adminToken, /^[0-9a-f]{64}$/);
    assert.equal((await fetch(`${ready.ark.url}/v1/info`)).status, 200);
    assert.equal((await fetch(`${ready.ark.adminUrl}/v1/admin/wallet/status`)).status, 401);
    assert.equal(await (await fetch(`${ready.chain.esplora}/blocks/tip/height`)).text(), '111');
    const { code, stdout, stderr } = await stack.stop();
    assert.equal(code, 0);
    assert.equal(stdout.trimEnd().split('\n').length, 1);
    assert.match(stderr, new RegExp(ready.ark.url));
    assert.doesNotMatch(stderr, /ExperimentalWarning/);
    assert.doesNotMatch(stderr, new RegExp(ready.ark.adminToken));
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`${signal} ends it with code 0 within five seconds, open streams and all`, async () => {
      const stack = await startStack();
      const stream = await fetch(`${stack.ready.ark.url}/v1/batch/events?topics=x`);
      assert.equal(stream.status, 200);
      const began = Date.now();
      const { code } = await stack.stop(signal);
      assert.equal(code, 0);
      assert.ok(Date.now() - began < 5_000);
      await stream.text();
    });
  }

  test('an old Node hands over to the one that came with the package, signals and all', async (t) => {
    const node = await oldNode();
    if (!node) return t.skip('there is no old Node on this machine');
    const stack = await startStack([], { node });
    assert.equal((await stack.stop('SIGINT')).code, 0);

    const orphan = await startStack([], { node });
    const { pid } = orphan.ready;
    assert.equal((await orphan.kill()).code, 128 + 9);
    assert.throws(() => process.kill(pid, 0));
  });

  const standsBy = process.env.CANALWORKS_DB ? 'on PostgreSQL it stands by, see standby.test.ts' : false;
  test('two at once on one data folder: the second refuses', { skip: standsBy }, async () => {
    const data = freshFolder();
    const first = await startStack(['--data', data]);
    assertRefused(await runCommand(['up', '--ports', 'auto', '--data', data]), /another canalworks process/);
    assert.equal((await first.stop()).code, 0);
    const next = await startStack(['--data', data]);
    assert.equal((await next.stop()).code, 0);
  });

  test('after kill -9 it goes on with the same chain, keys and token, and the lock is no obstacle', async () => {
    const data = freshFolder();
    const first = await startStack(['--data', data]);
    const info = await (await fetch(`${first.ready.ark.url}/v1/info`)).json();
    assert.equal((await runCommand(['mine', '7', '--data', data])).stdout, '118\n');
    await first.kill();
    assertRefused(await runCommand(['mine', '1', '--data', data]), /does not answer/);
    const second = await startStack(['--data', data]);
    assert.equal(await tipOf(second), 118);
    assert.deepEqual(await (await fetch(`${second.ready.ark.url}/v1/info`)).json(), info);
    assert.equal(second.ready.ark.adminToken, first.ready.ark.adminToken);
    await second.stop();
    assertRefused(await runCommand(['status', '--data', data]), /nothing is running/);
  });

  test('what is secret is readable for its owner alone', async () => {
    const data = freshFolder();
    const stack = await startStack(['--data', data]);
    const folder = join(data, 'regtest');
    const mode = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);
    assert.equal(await mode(folder), '700');
    for (const file of ['secrets.json', 'run.json']) assert.equal(await mode(join(folder, file)), '600');
    await stack.stop();
    assert.ok(!(await readdir(folder)).includes('run.json'));
  });

  test('--ephemeral leaves nothing behind', async () => {
    const tmp = freshFolder();
    await mkdir(tmp);
    const stack = await startStack(['--ephemeral'], { env: { TMPDIR: tmp } });
    assert.equal((await readdir(tmp)).length, 1);
    await stack.stop();
    assert.deepEqual(await readdir(tmp), []);
  });

  test('a taken port is one clear line, and the data folder is free again', async (t) => {
    const data = freshFolder();
    const squatter = createServer().listen(0, '127.0.0.1');
    t.after(() => squatter.close());
    await once(squatter, 'listening');
    const { port } = squatter.address() as { port: number };
    const taken = await runCommand(['up', '--ports', 'auto', '--ark-port', `${port}`, '--data', data]);
    assertRefused(taken, new RegExp(`port ${port} on 127.0.0.1 is taken`));
    await (await startStack(['--data', data])).stop();
  });

  for (const [what, args, hint] of [
    ['an unknown flag', ['up', '--no-such-flag'], /--no-such-flag/],
    ['a value out of range', ['up', '--ark-port', '70000'], /--ark-port "70000": must be a whole number/],
    ['an unknown network', ['up', '--network', 'lunar'], /--network "lunar": must be one of/],
    ['mainnet', ['up', '--network', 'mainnet', '--ephemeral'], /demo keys .* mainnet is refused/],
    ['signet', ['up', '--network', 'signet', '--ephemeral'], /signet is refused/],
    ['an unknown command', ['dig'], /dig/],
    ['a missing argument', ['mine'], /N/],
    ['a bad number of blocks', ['mine', '-1'], /./],
    ['a bad amount', ['faucet', ADDRESS, '1.5'], /SATS "1.5"/],
    ['a config file that is not there', ['up', '--config', '/nowhere/at/all.json'], /config file/],
  ] as const) {
    test(`${what} is one clear line`, async () => assertRefused(await runCommand(args), hint));
  }

  test('unreadable data is one clear line each, and is left alone', async () => {
    const damage = async (file: string, content: string): Promise<void> => {
      const data = freshFolder();
      await mkdir(join(data, 'regtest'), { recursive: true });
      await writeFile(join(data, 'regtest', file), content);
      assertRefused(await runCommand(['up', '--ports', 'auto', '--data', data]), new RegExp(file));
      assert.equal(await readFile(join(data, 'regtest', file), 'utf8'), content);
    };
    const garbage = 'this is neither a database nor a chain nor a secret'.repeat(100);
    await damage('secrets.json', '{"seed":"beef"}');
    if (!process.env.CANALWORKS_DB) await damage('ark.sqlite', garbage);
    await damage('chain.blocks', garbage);
    const file = freshFolder();
    await writeFile(file, 'a file where the folder should be');
    assertRefused(await runCommand(['up', '--ports', 'auto', '--data', file]), /data folder/);
    if (process.getuid?.() !== 0) {
      const closed = freshFolder();
      await mkdir(closed);
      await chmod(closed, 0o500);
      assertRefused(await runCommand(['up', '--ports', 'auto', '--data', closed]), /data folder/);
    }
  });
});

describe('the commands that act on a running process', () => {
  let stack: RunningStack;
  let data: string;
  before(async () => {
    data = freshFolder();
    stack = await startStack(['--data', data]);
  });
  after(() => stack.stop());
  const run = (...args: string[]): Promise<Ended> => runCommand([...args, '--data', data]);
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(...args);
    assert.equal(stderr, '');
    assert.equal(code, 0);
    return stdout;
  };

  test('mine prints the new height', async () => {
    const before = await tipOf(stack);
    assert.equal(await ok('mine', '3'), `${before + 3}\n`);
    assert.equal(await tipOf(stack), before + 3);
  });

  test('faucet prints a txid that the explorer knows', async () => {
    const txid = (await ok('faucet', ADDRESS, '123456')).trimEnd();
    assert.match(txid, /^[0-9a-f]{64}$/);
    const tx = (await (await fetch(`${stack.ready.chain.esplora}/tx/${txid}`)).json()) as {
      vout: { value: number; scriptpubkey_address: string }[];
    };
    assert.ok(tx.vout.some((output) => output.value === 123456 && output.scriptpubkey_address === ADDRESS));
  });

  test('note prints an Ark note', async () => {
    assert.match(await ok('note', '50000'), /^arknote[1-9A-HJ-NP-Za-km-z]+\n$/);
  });

  test('status tells the process, the chain and the wallet, as text or as JSON', async () => {
    assert.match(await ok('status'), new RegExp(`process ${stack.ready.pid}\n[\\s\\S]*${stack.ready.ark.url}\n`));
    const status = JSON.parse(await ok('status', '--json'));
    assert.equal(status.pid, stack.ready.pid);
    assert.equal(status.tip.height, await tipOf(stack));
    assert.match(status.wallet.available, /^100\.0+$/);
  });

  test('what the process refuses is one clear line', async () => {
    assertRefused(await run('faucet', '1BoatSLRHtKNngkdXEeobR76b53LETtpyT', '1000'), /not a regtest address/);
    assertRefused(await run('faucet', ADDRESS, '2099999999999999'), /faucet/);
    assertRefused(await run('faucet', ADDRESS, '1'), /dust/);
  });

  test('nothing is controlled without the token', async () => {
    const mine = (authorization?: string): Promise<Response> =>
      fetch(new URL('/control/mine', stack.ready.chain.esplora), {
        method: 'POST',
        body: '{"blocks":1}',
        headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
      });
    const before = await tipOf(stack);
    assert.equal((await mine()).status, 401);
    assert.equal((await mine(`Bearer ${'0'.repeat(64)}`)).status, 401);
    assert.equal(await tipOf(stack), before);
    assert.equal((await mine(`Bearer ${stack.ready.ark.adminToken}`)).status, 200);
  });
});

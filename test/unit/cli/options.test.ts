import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { arkSettings } from '../../../src/cli/ark-settings.ts';
import { resolveDataFolder, resolveUpConfig } from '../../../src/cli/options.ts';

const INVALID = { code: 'CONFIG_INVALID' };
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'canalworks-options-'));
  await writeFile(join(folder, 'canalworks.json'), '{"arkPort": 4000, "blockTime": 30, "batchExpiry": 1024}');
  await writeFile(join(folder, 'other.json'), '{"arkPort": 5000}');
});
after(() => rm(folder, { recursive: true }));

const EMPTY = join(tmpdir(), 'canalworks-there-is-no-such-folder');
const resolve = (flags: Readonly<Record<string, string>> = {}, environment: NodeJS.ProcessEnv = {}) =>
  resolveUpConfig({ data: EMPTY, ...flags }, environment);

test('the defaults are regtest on loopback', () => {
  const config = resolve();
  assert.deepEqual(config.ports, {
    chainPort: 3000,
    rpcPort: 18_443,
    arkPort: 7070,
    arkAdminPort: 7071,
    delegatorPort: 7012,
  });
  assert.equal(config.host, '127.0.0.1');
  assert.equal(config.network, 'regtest');
  assert.deepEqual(config.batchExpiry, { type: 'blocks', value: 144 });
  assert.deepEqual(config.unilateralExitDelay, { type: 'blocks', value: 20 });
  assert.deepEqual(config.boardingExitDelay, { type: 'blocks', value: 40 });
  assert.equal(config.sessionDuration, 10);
});

test('automatic ports are those that nothing names', () => {
  assert.deepEqual(resolve({ ports: 'auto' }).ports, {
    chainPort: 0,
    rpcPort: 0,
    arkPort: 0,
    arkAdminPort: 0,
    delegatorPort: 0,
  });
  assert.deepEqual(resolve({ ports: 'auto', arkPort: '9' }, { CANALWORKS_CHAIN_PORT: '8' }).ports, {
    chainPort: 8,
    arkPort: 9,
    arkAdminPort: 0,
    delegatorPort: 0,
    rpcPort: 0,
  });
});

test('the config file is the one in the data folder unless another is named', () => {
  const own = resolve({ data: folder });
  assert.equal(own.ports.arkPort, 4000);
  assert.equal(own.blockTime, 30);
  assert.deepEqual(own.batchExpiry, { type: 'seconds', value: 1024 });
  assert.equal(resolve({ data: folder, config: join(folder, 'other.json') }).ports.arkPort, 5000);
  assert.equal(resolve({ data: folder, arkPort: '6000' }, { CANALWORKS_ARK_PORT: '5500' }).ports.arkPort, 6000);
  assert.throws(() => resolve({ config: join(folder, 'absent.json') }), { code: 'DATA_UNREADABLE' });
});

test('a config file cannot say where it is', async () => {
  const path = join(folder, 'circle.json');
  await writeFile(path, '{"data": "elsewhere"}');
  assert.throws(() => resolve({ config: path }), INVALID);
});

test('settings that make no sense together are refused', () => {
  assert.throws(() => resolve({ boardingExitDelay: '20' }), INVALID);
  const onSignet = { network: 'signet', chain: 'http://user:password@127.0.0.1:38332' };
  assert.throws(() => resolve({ ...onSignet, batchExpiry: '20' }), INVALID);
  assert.throws(() => resolve({ ...onSignet, bip119: 'true' }), INVALID);
  assert.deepEqual(resolve({ batchExpiry: '20' }).batchExpiry, { type: 'blocks', value: 20 });
  assert.throws(() => resolve({ sessionDuration: '1' }), INVALID);
  assert.throws(() => resolve({ arkPort: '7071' }), INVALID);
  assert.throws(() => resolve({ unilateralExitDelay: '513' }), INVALID);
  assert.throws(() => resolve({ unilateralExitDelay: '0' }), INVALID);
});

test('the terms of the Ark server, each with its check', () => {
  const terms = arkSettings(
    resolve({
      banThreshold: '0',
      vtxoMaxAmount: '1000000',
      utxoMaxAmount: '-1',
      onchainOutputFee: "script == '00' ? 1.0 : 200.0",
      minBuildVersion: 'v0.9.9',
      buildVersionRequired: 'true',
      batchTrigger: 'intents_count > 1.0',
      publicUnilateralExitDelay: '30',
      sessionDuration: '400',
      boardingConfirmations: '3',
    }),
  );
  assert.equal(terms.banThreshold, 0);
  assert.equal(terms.vtxoMaxAmount, 1_000_000n);
  assert.equal(terms.utxoMaxAmount, undefined);
  assert.equal(terms.intentFee.onchainOutput, "script == '00' ? 1.0 : 200.0");
  assert.equal(terms.unrolledMinMargin, 400);
  assert.deepEqual(terms.publicUnilateralExitDelay, { type: 'blocks', value: 30 });
  assert.deepEqual(arkSettings(resolve()).publicUnilateralExitDelay, { type: 'blocks', value: 20 });
  const wrong: readonly Readonly<Record<string, string>>[] = [
    { banThreshold: '-1' },
    { banDuration: '0' },
    { minParticipants: '0' },
    { minParticipants: '5', maxParticipants: '4' },
    { vtxoMinAmount: '0' },
    { vtxoMinAmount: '1000', vtxoMaxAmount: '999' },
    { utxoMaxAmount: '2100000000000001' },
    { maxTxWeight: '4000001' },
    { maxOpReturnOutputs: 'three' },
    { onchainInputFee: 'amount +' },
    { onchainInputFee: "inputType == 'note' ? 0.0 : 1.0" },
    { batchTrigger: '1.0' },
    { minBuildVersion: 'latest' },
    { buildVersionRequired: 'true' },
    { publicUnilateralExitDelay: '10' },
    { publicUnilateralExitDelay: '1024' },
    { unrolledMinMargin: '5' },
    { heartbeatInterval: '0' },
    { boardingConfirmations: '0' },
    { noteUriPrefix: 'two words' },
  ];
  for (const flags of wrong) assert.throws(() => resolve(flags), INVALID, JSON.stringify(flags));
});

test('the data folder follows flag, variable and the custom of the system', () => {
  assert.equal(resolveDataFolder({ data: '/a' }, { CANALWORKS_DATA: '/b' }), '/a');
  assert.equal(resolveDataFolder({}, { CANALWORKS_DATA: '/b', XDG_DATA_HOME: '/c' }), '/b');
  assert.equal(resolveDataFolder({}, { XDG_DATA_HOME: '/c' }), join('/c', 'canalworks'));
});

test('an ephemeral run has a data folder only where one is named', () => {
  assert.equal(resolveUpConfig({ ephemeral: 'true' }, { XDG_DATA_HOME: EMPTY }).data, undefined);
  assert.equal(resolve({ ephemeral: 'true' }).data, EMPTY);
});

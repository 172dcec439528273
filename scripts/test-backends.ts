/**
 * Runs the suites that go through the whole stack on every pair of back ends besides the default one:
 * `npm test` covers the embedded chain with SQLite. What this machine lacks is skipped with a loud word.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { requireBitcoind } from '../test/support/bitcoind.ts';
import { startPostgres } from '../test/support/postgres.ts';

const ROOT = join(import.meta.dirname, '..');
const INTEROP = ['test/interop/*.test.ts'];
const SCENARIOS = ['test/scenario/*.test.ts'];

/** True when every test passed. */
function run(title: string, suites: readonly string[], env: NodeJS.ProcessEnv): boolean {
  console.log(`\n── ${title}`);
  const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=1', ...suites], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return status === 0;
}

const postgres = await startPostgres();
const { binary } = requireBitcoind('stacks on bitcoind');
const bitcoind = binary ? { BITCOIND: binary, CANALWORKS_TEST_CHAIN: 'bitcoind' } : undefined;
const database = typeof postgres === 'string' ? undefined : { CANALWORKS_DB: postgres.url };
if (typeof postgres === 'string') console.error(`stacks on PostgreSQL: NOT RUN: ${postgres}`);

const results = [
  database && run('scenarios: embedded chain, PostgreSQL', SCENARIOS, database),
  database && run('interop: embedded chain, PostgreSQL', INTEROP, database),
  bitcoind && run('interop: bitcoind, SQLite', INTEROP, bitcoind),
  bitcoind && database && run('interop: bitcoind, PostgreSQL', INTEROP, { ...bitcoind, ...database }),
];
if (typeof postgres !== 'string') await postgres.close();
if (results.includes(false)) process.exitCode = 1;

/**
 * Runs a command with CANALWORKS_DB naming a PostgreSQL server: `node scripts/with-postgres.ts npm run test:node`.
 * The server is the one that CANALWORKS_TEST_POSTGRES names, or a cluster that is thrown away at the end.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startPostgres } from '../test/support/postgres.ts';

const [command, ...args] = process.argv.slice(2);
if (!command) throw new Error('name the command to run');
const server = await startPostgres();
if (typeof server === 'string') {
  process.stderr.write(`${server}\n`);
  process.exit(1);
}
// A signal from the terminal goes to the command too; this process stays until it has ended.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, CANALWORKS_DB: server.url } });
const [code] = await once(child, 'close');
await server.close();
process.exitCode = code ?? 1;

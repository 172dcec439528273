/** `canalworks up`: runs the stack until a signal ends it. */
import { messageOf } from '../../base/errors.ts';
import type { ConfigSource } from '../../runtime/config.ts';
import { createLog, type Log } from '../../runtime/log.ts';
import { OperatorError } from '../../runtime/operator-error.ts';
import { banner } from '../banner.ts';
import { type DataFolder, takeDataFolder, takeTemporaryFolder } from '../data-folder.ts';
import { resolveUpConfig, type UpConfig } from '../options.ts';
import { announce, withdraw } from '../ready.ts';
import { startStack } from '../stack.ts';

/** A stop that takes longer than this is given up, so that the process is gone within five seconds. */
const STOP_LIMIT_MS = 4_500;

export async function up(flags: ConfigSource): Promise<void> {
  const config = resolveUpConfig(flags, process.env);
  checkNetwork(config);
  const log = createLog(config.logLevel);
  logStrayErrors(log);
  const ended = endOfRun();
  const folder = takeFolder(config);
  try {
    await run({ config, folder, log, ended });
  } finally {
    folder.release();
  }
  process.exit(0);
}

interface Run {
  readonly config: UpConfig;
  readonly folder: DataFolder;
  readonly log: Log;
  readonly ended: Promise<void>;
}

async function run({ config, folder, log, ended }: Run): Promise<void> {
  const { ready, stop } = await startStack({ config, folder: config.ephemeral ? undefined : folder.path, log });
  try {
    announce(folder.path, ready);
    process.stderr.write(banner(ready, folder.root));
    if (config.json) process.stdout.write(`${JSON.stringify(ready)}\n`);
    await ended;
  } finally {
    withdraw(folder.path);
    await withinLimit(stop());
  }
}

function checkNetwork({ network }: UpConfig): void {
  if (network === 'regtest') return;
  const why = network === 'mainnet' ? ', and its demo keys are known to everybody' : '';
  throw new OperatorError('NETWORK_UNSUPPORTED', `the embedded chain is regtest only${why}: ${network} is refused`);
}

const takeFolder = ({ data, network }: UpConfig): DataFolder =>
  data === undefined ? takeTemporaryFolder(network) : takeDataFolder(data, network);

/** Resolves at the first signal that asks for an end, or when the launcher that started this process is gone. */
function endOfRun(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
    process.once('disconnect', () => resolve());
    process.channel?.unref();
  });
}

async function withinLimit(stopping: Promise<void>): Promise<void> {
  const limit = setTimeout(() => {
    process.stderr.write('canalworks: some part did not stop in time\n');
    process.exit(1);
  }, STOP_LIMIT_MS);
  await stopping;
  clearTimeout(limit);
}

/** A promise that nobody waited for must not take the servers down; a torn state must, since what is durable is whole. */
function logStrayErrors(log: Log): void {
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'a rejection that nobody handled'));
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'an exception that nobody caught');
    process.stderr.write(`canalworks: ended by an internal error: ${messageOf(error)}\n`);
    process.exit(70);
  });
}

/** `canalworks up`: runs the stack until a signal ends it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../base/errors.ts';
import type { ConfigSource } from '../../runtime/config.ts';
import { createLog, type Log } from '../../runtime/log.ts';
import { OperatorError } from '../../runtime/operator-error.ts';
import { StoreError } from '../../store/db.ts';
import { banner } from '../banner.ts';
import { type DataFolder, takeDataFolder, takeTemporaryFolder } from '../data-folder.ts';
import { type HeldDatabase, holdDatabase } from '../database.ts';
import { resolveUpConfig, type UpConfig } from '../options.ts';
import { announce, withdraw } from '../ready.ts';
import { startStack } from '../stack.ts';

/** A stop that takes longer than this is given up, so that the process is gone within five seconds. */
const STOP_LIMIT_MS = 4_500;
/** A successor gives the process before it this long to leave the data folder. */
const HANDOVER_LIMIT_MS = 2 * STOP_LIMIT_MS;
const HANDOVER_RETRY_MS = 100;

export async function up(flags: ConfigSource): Promise<void> {
  const config = resolveUpConfig(flags, process.env);
  checkNetwork(config);
  const log = createLog(config.logLevel);
  logStrayErrors(log);
  const ended = endOfRun();
  const held = config.db === undefined ? undefined : await holdDatabase(config.db, ended);
  try {
    if (held || config.db === undefined) await runInFolder({ config, log, ended, held });
  } catch (error) {
    throw error instanceof StoreError ? new OperatorError('DATABASE_UNREACHABLE', error.message) : error;
  } finally {
    await held?.db.close();
  }
  process.exit(0);
}

interface Run {
  readonly config: UpConfig;
  readonly log: Log;
  readonly ended: Promise<void>;
  /** Where the database is not a file in the folder. */
  readonly held: HeldDatabase | undefined;
}

async function runInFolder(parts: Run): Promise<void> {
  const folder = await takeFolder(parts.config, parts.held?.stoodBy ? HANDOVER_LIMIT_MS : 0);
  try {
    await run(parts, folder);
  } finally {
    folder.release();
  }
}

/** Runs until the end is asked for; throws when the database is lost before. */
async function run({ config, log, ended, held }: Run, folder: DataFolder): Promise<void> {
  const path = config.ephemeral ? undefined : folder.path;
  const onTokenRenewed = (adminToken: string): void => {
    announce(folder.path, { ...ready, ark: { ...ready.ark, adminToken } });
  };
  const { ready, stop } = await startStack({ config, folder: path, db: held?.db, log, onTokenRenewed });
  let lost: OperatorError | undefined;
  void held?.lost.then((reason) => (lost = reason));
  try {
    announce(folder.path, ready);
    process.stderr.write(banner(ready, folder.root));
    if (config.json) process.stdout.write(`${JSON.stringify(ready)}\n`);
    await Promise.race([ended, ...(held ? [held.lost] : [])]);
  } finally {
    withdraw(folder.path);
    await withinLimit(stop());
  }
  if (lost) throw lost;
}

function checkNetwork({ network, chain, chainCookie }: UpConfig): void {
  if (network === 'regtest' || chain !== undefined || chainCookie !== undefined) return;
  const why = network === 'mainnet' ? ', and its demo keys are known to everybody' : '';
  throw new OperatorError('NETWORK_UNSUPPORTED', `the embedded chain is regtest only${why}: ${network} is refused`);
}

/** Tries for `patience` milliseconds. */
async function takeFolder({ data, network }: UpConfig, patience: number): Promise<DataFolder> {
  if (data === undefined) return takeTemporaryFolder(network);
  for (const end = Date.now() + patience; ; ) {
    try {
      return takeDataFolder(data, network);
    } catch (error) {
      if (!(error instanceof OperatorError && error.code === 'DATA_IN_USE') || Date.now() >= end) throw error;
      await sleep(HANDOVER_RETRY_MS);
    }
  }
}

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

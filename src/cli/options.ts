/** Every setting of `canalworks up`, once: its flag, variable and file key, its default, its check and its help. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../base/errors.ts';
import type { Network } from '../bitcoin/address.ts';
import { relativeTimelock } from '../bitcoin/timelock.ts';
import {
  type ConfigOf,
  type ConfigSource,
  oneOf,
  parseConfigFile,
  readEnvironment,
  resolveConfig,
  type Setting,
  wholeNumber,
  yesOrNo,
} from '../runtime/config.ts';
import { LOG_LEVELS } from '../runtime/log.ts';
import { OperatorError } from '../runtime/operator-error.ts';
import { isPostgresUrl } from '../store/postgres-url.ts';
import { defaultDataFolder } from './data-folder.ts';
import { type NodeUrl, parseNodeUrl } from './node-url.ts';

const port = (help: string): Setting<number | undefined> => ({
  parse: wholeNumber(0, 65_535),
  fallback: undefined,
  placeholder: 'PORT',
  help,
});

const delay = (value: number, help: string) => ({
  parse: (text: string) => relativeTimelock(wholeNumber(1, 2 ** 31)(text)),
  fallback: relativeTimelock(value),
  placeholder: 'DELAY',
  help: `${help}: blocks below 512, seconds from there on (default ${value})`,
});

const asText = (text: string): string => {
  if (text === '') throw new RangeError('must not be empty');
  return text;
};

const text = <T extends string | undefined>(fallback: T, placeholder: string, help: string): Setting<string | T> => ({
  parse: asText,
  fallback,
  placeholder,
  help,
});

function postgresUrl(text: string): string {
  if (!isPostgresUrl(text)) throw new RangeError('must be a URL like postgres://user:password@host:5432/name');
  return text;
}

const onOff = (help: string) => ({ parse: yesOrNo, fallback: false, help });

/** The two settings that say where the others may stand, so they cannot stand in the file themselves. */
export const WHERE = {
  data: text(undefined, 'DIR', 'data folder (default: a folder of this user)'),
  config: text(undefined, 'FILE', 'config file (default: canalworks.json in the data folder)'),
};

/** Commands name it too, since each network has a process of its own. */
export const NETWORK = {
  network: {
    parse: oneOf('regtest', 'signet', 'testnet', 'mainnet'),
    fallback: 'regtest' as const,
    placeholder: 'NAME',
    help: 'Bitcoin network (default regtest, the only one that the embedded chain knows)',
  },
};

const FILE_SETTINGS = {
  ...NETWORK,
  chain: {
    parse: parseNodeUrl,
    fallback: undefined as NodeUrl | undefined,
    placeholder: 'URL',
    isSecret: true,
    help: 'run on a bitcoind of version 29 or later: http://user:password@host:port (default: the embedded chain)',
  },
  chainCookie: text(
    undefined,
    'FILE',
    "log in to that bitcoind with its cookie file; names this machine's if no --chain does",
  ),
  indexFrom: {
    parse: wholeNumber(0, 2 ** 31),
    fallback: undefined as number | undefined,
    placeholder: 'HEIGHT',
    help: 'first block to index of a bitcoind, at the first start (default: 0 on regtest, else its tip)',
  },
  host: text('127.0.0.1', 'HOST', 'address to listen on (default 127.0.0.1)'),
  ports: {
    parse: oneOf('fixed', 'auto'),
    fallback: 'fixed' as const,
    placeholder: 'MODE',
    help: '"auto" picks a free port for each door that no flag names (default fixed)',
  },
  chainPort: port('port of the block explorer API, under /api (default 3000)'),
  rpcPort: port("port of the embedded chain's bitcoind-like JSON-RPC (default 18443)"),
  arkPort: port('port of the Ark server (default 7070)'),
  arkAdminPort: port("port of the Ark server's admin API (default 7071)"),
  db: {
    parse: postgresUrl,
    fallback: undefined,
    placeholder: 'URL',
    isSecret: true,
    help: 'PostgreSQL database, postgres://… (default: a file in the data folder)',
  } as Setting<string | undefined>,
  ephemeral: onOff('keep nothing: chain, database and keys live in memory'),
  bip119: onOff('let the embedded chain know OP_CHECKTEMPLATEVERIFY (BIP119)'),
  blockTime: {
    parse: wholeNumber(0, 86_400),
    fallback: 0,
    placeholder: 'SECONDS',
    help: 'mine a block every so often; 0 mines only on demand (default 0)',
  },
  sessionDuration: {
    // A second goes by while intents are gathered; the rest needs one, too.
    parse: wholeNumber(2, 3_600),
    fallback: 10,
    placeholder: 'SECONDS',
    help: 'longest time a batch takes; it ends early when everybody is done (default 10)',
  },
  batchExpiry: delay(144, 'life of a batch'),
  unilateralExitDelay: delay(20, 'wait of an exit without the server'),
  boardingExitDelay: delay(40, 'wait to take an unused boarding output back'),
  checkpointExitDelay: delay(20, "the server's wait at a checkpoint"),
  logLevel: {
    parse: oneOf(...LOG_LEVELS),
    fallback: 'warn' as const,
    placeholder: 'LEVEL',
    help: `${LOG_LEVELS.join(', ')} (default warn)`,
  },
  json: onOff('when ready, print one line of JSON on stdout'),
};

export const UP_SETTINGS = { ...WHERE, ...FILE_SETTINGS };

/** The ports that `--ports fixed` stands for. */
const FIXED_PORTS = { chainPort: 3000, rpcPort: 18_443, arkPort: 7070, arkAdminPort: 7071 } as const;
type PortName = keyof typeof FIXED_PORTS;

type Resolved = ConfigOf<typeof UP_SETTINGS>;

/** Everything `up` needs to know; a port of 0 is chosen by the system. */
export type UpConfig = Omit<Resolved, PortName | 'data' | 'config' | 'ports'> & {
  readonly ports: Readonly<Record<PortName, number>>;
  /** The folder of all networks; `undefined` where an ephemeral run was given none. */
  readonly data: string | undefined;
};

function readFileSettings(where: ConfigOf<typeof WHERE>, data: string): ConfigSource {
  const path = where.config ?? join(data, 'canalworks.json');
  if (where.config === undefined && !existsSync(path)) return {};
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    throw new OperatorError('DATA_UNREADABLE', `cannot read the config file: ${messageOf(error)}`);
  }
  return parseConfigFile(FILE_SETTINGS, content, path);
}

/** Where the data folder is, by flag, environment or default. Throws CONFIG_INVALID. */
export function resolveDataFolder(flags: ConfigSource, environment: NodeJS.ProcessEnv): string {
  const { data } = resolveConfig(WHERE, [flags, readEnvironment(UP_SETTINGS, environment)]);
  return data ?? defaultDataFolder(environment);
}

/** The network whose process a command means. Throws CONFIG_INVALID. */
export const resolveNetwork = (flags: ConfigSource, environment: NodeJS.ProcessEnv): Network =>
  resolveConfig(NETWORK, [flags, readEnvironment(UP_SETTINGS, environment)]).network;

/** Throws `OperatorError` CONFIG_INVALID or DATA_UNREADABLE. */
export function resolveUpConfig(flags: ConfigSource, environment: NodeJS.ProcessEnv): UpConfig {
  const variables = readEnvironment(UP_SETTINGS, environment);
  const where = resolveConfig(WHERE, [flags, variables]);
  const data = where.data ?? defaultDataFolder(environment);
  const { ports, chainPort, rpcPort, arkPort, arkAdminPort, ...rest } = resolveConfig(UP_SETTINGS, [
    flags,
    variables,
    readFileSettings(where, data),
  ]);
  const portOf = (name: PortName, chosen: number | undefined): number =>
    chosen ?? (ports === 'auto' ? 0 : FIXED_PORTS[name]);
  const config: UpConfig = {
    ...rest,
    data: where.data === undefined && rest.ephemeral ? undefined : data,
    ports: {
      chainPort: portOf('chainPort', chainPort),
      rpcPort: portOf('rpcPort', rpcPort),
      arkPort: portOf('arkPort', arkPort),
      arkAdminPort: portOf('arkAdminPort', arkAdminPort),
    },
  };
  checkTogether(config);
  return config;
}

function checkTogether(config: UpConfig): void {
  const { unilateralExitDelay: exit, boardingExitDelay: boarding, batchExpiry, ports, chain, chainCookie } = config;
  const refuse = (message: string): never => {
    throw new OperatorError('CONFIG_INVALID', message);
  };
  if (chain && !chain.credentials === (chainCookie === undefined)) {
    refuse('--chain needs either user:password@ in its URL or --chain-cookie');
  }
  if (config.bip119 && chain) refuse('--bip119 is a rule of the embedded chain; a bitcoind has its own');
  if (config.blockTime > 0 && config.network !== 'regtest') {
    refuse('--block-time mines blocks, which is for regtest only');
  }
  if (exit.value === boarding.value) {
    refuse('--unilateral-exit-delay and --boarding-exit-delay must differ, or both kinds of address would coincide');
  }
  // On regtest people let batches expire within minutes, to watch what happens then.
  if (config.network !== 'regtest' && exit.type === batchExpiry.type && exit.value >= batchExpiry.value) {
    refuse('--unilateral-exit-delay must be shorter than --batch-expiry, or no exit could finish');
  }
  if (config.ephemeral && config.db !== undefined) {
    refuse(
      '--ephemeral keeps nothing and --db keeps it: choose one, or the keys would be gone and the coins would stay',
    );
  }
  const fixed = Object.values(ports).filter((number) => number !== 0);
  if (new Set(fixed).size !== fixed.length) refuse('two doors cannot share one port');
}

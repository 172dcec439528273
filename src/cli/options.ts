/** Every setting of `canalworks up`, once: its flag, variable and file key, its default, its check and its help. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseBatchTrigger } from '../ark/protocol/batch-trigger.ts';
import { parseFeePrograms } from '../ark/protocol/fee.ts';
import { type IntentFeePrograms, TAPROOT_DUST, troubleWith } from '../ark/protocol/settings.ts';
import { EXPOSURES } from '../ark/server/access.ts';
import { FREE, parseBuildVersion, parseUriPrefix } from '../ark/wire/settings.ts';
import { messageOf } from '../base/errors.ts';
import { blocks, parseSats, type Sats, sats } from '../base/units.ts';
import type { Network } from '../bitcoin/address.ts';
import { type RelativeTimelock, relativeTimelock } from '../bitcoin/timelock.ts';
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
import { parseNetworks } from '../runtime/peer.ts';
import { isPostgresUrl } from '../store/postgres-url.ts';
import { arkSettings } from './ark-settings.ts';
import { defaultDataFolder } from './data-folder.ts';
import { type NodeUrl, parseNodeUrl } from './node-url.ts';

const port = (help: string): Setting<number | undefined> => ({
  parse: wholeNumber(0, 65_535),
  fallback: undefined,
  placeholder: 'PORT',
  help,
});

const parseDelay = (text: string): RelativeTimelock => relativeTimelock(wholeNumber(1, 2 ** 31)(text));

const delay = (value: number, help: string) => ({
  parse: parseDelay,
  fallback: relativeTimelock(value),
  placeholder: 'DELAY',
  help: `${help}: blocks below 512, seconds from there on (default ${value})`,
});

const count = (min: number, max: number, fallback: number, placeholder: string, help: string) => ({
  parse: wholeNumber(min, max),
  fallback,
  placeholder,
  help: `${help} (default ${fallback})`,
});

const leastAmount = (fallback: Sats, help: string) => ({
  parse: parseSats,
  fallback,
  placeholder: 'SATS',
  help: `${help} (default ${fallback})`,
});

const mostAmount = (help: string) => ({
  parse: (text: string): Sats | undefined => (text === '-1' ? undefined : parseSats(text)),
  fallback: undefined as Sats | undefined,
  placeholder: 'SATS',
  help: `${help} (default -1, no limit)`,
});

const feeProgram = (name: keyof IntentFeePrograms, help: string) => ({
  parse: (text: string) => parseFeePrograms({ ...FREE, [name]: text })[name],
  fallback: '0.0',
  placeholder: 'CEL',
  help: `fee of ${help}, a CEL program (default 0.0)`,
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

const checkedText = (parse: (text: string) => string, placeholder: string, help: string) => ({
  parse,
  fallback: '',
  placeholder,
  help,
});

function parseAdminUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.pathname !== '/' || url.search || url.hash) {
    throw new RangeError('must be like http://host:7071');
  }
  return url.origin;
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

/** The terms of the Ark server. An operator may change most of them while it runs, which then wins over these. */
export const TERMS = {
  sessionDuration: {
    // A second goes by while intents are gathered; the rest needs one, too.
    parse: wholeNumber(2, 3_600),
    fallback: 10,
    placeholder: 'SECONDS',
    help: 'longest time a batch takes; it ends early when everybody is done (default 10)',
  },
  batchExpiry: delay(144, 'life of a batch'),
  unilateralExitDelay: delay(20, 'shortest wait of an exit without the server'),
  publicUnilateralExitDelay: {
    parse: parseDelay,
    fallback: undefined as RelativeTimelock | undefined,
    placeholder: 'DELAY',
    help: 'the wait that new addresses are told to have (default: the shortest)',
  },
  boardingExitDelay: delay(40, 'wait to take an unused boarding output back'),
  checkpointExitDelay: delay(20, "the server's wait at a checkpoint"),
  boardingConfirmations: {
    parse: (text: string) => blocks(wholeNumber(1, 1_000)(text)),
    fallback: blocks(1),
    placeholder: 'BLOCKS',
    help: 'confirmations of a boarding output before it is taken (default 1)',
  },
  unrolledMinMargin: {
    parse: wholeNumber(0, 31_536_000),
    fallback: undefined as number | undefined,
    placeholder: 'SECONDS',
    help: 'how long an unrolled VTXO must stay locked to be settled (default 300, or a session if that is longer)',
  },
  reserveCoins: count(0, 500, 16, 'COINS', 'coins kept apart to pay for answers to fraud, at most'),
  settlementGap: count(0, 315_360_000, 0, 'SECONDS', 'settle VTXOs only so long before they expire; 0 is always'),
  minParticipants: count(1, 100_000, 1, 'N', 'intents that a batch needs'),
  maxParticipants: count(1, 100_000, 128, 'N', 'intents that a batch may have'),
  batchTrigger: checkedText(parseBatchTrigger, 'CEL', 'start a batch only when this program says so (default: always)'),
  vtxoMinAmount: leastAmount(sats(1), 'smallest VTXO of a payment; a batch makes none below dust'),
  vtxoMaxAmount: mostAmount('largest VTXO'),
  utxoMinAmount: leastAmount(TAPROOT_DUST, 'smallest amount to board or to take on chain'),
  utxoMaxAmount: mostAmount('largest amount to board or to take on chain; 0 allows neither'),
  maxTxWeight: count(1_000, 4_000_000, 40_000, 'UNITS', 'weight that a payment may have'),
  maxOpReturnOutputs: count(0, 100, 3, 'N', 'OP_RETURN outputs that a payment may have'),
  offchainInputFee: feeProgram('offchainInput', 'a VTXO that is settled'),
  offchainOutputFee: feeProgram('offchainOutput', 'a VTXO that a batch makes'),
  onchainInputFee: feeProgram('onchainInput', 'a boarding output'),
  onchainOutputFee: feeProgram('onchainOutput', 'a collaborative exit'),
  banThreshold: count(0, 1_000, 3, 'N', 'convictions that get an input banned; 0 bans nobody'),
  banDuration: count(1, 315_360_000, 300, 'SECONDS', 'how long a conviction counts'),
  minBuildVersion: checkedText(parseBuildVersion, 'VERSION', 'oldest client build that is served (default: any)'),
  buildVersionRequired: onOff('refuse clients that do not tell their build version'),
  digestRequired: onOff('refuse clients that do not tell which terms they know'),
  heartbeatInterval: count(1, 3_600, 20, 'SECONDS', 'silence on a stream before a heartbeat'),
  noteUriPrefix: checkedText(parseUriPrefix, 'SCHEME', 'write notes as SCHEME://arknote… (default: without)'),
};

/** What names a server that does not run here. */
export const REMOTE = {
  url: {
    parse: parseAdminUrl,
    fallback: undefined,
    placeholder: 'URL',
    help: 'admin API to talk to, like http://host:7071 (default: of the process running here)',
  } as Setting<string | undefined>,
  token: {
    parse: asText,
    fallback: undefined,
    placeholder: 'TOKEN',
    isSecret: true,
    help: 'admin token of that server; better told by the variable CANALWORKS_TOKEN',
  } as Setting<string | undefined>,
};

/** How the process runs. */
const RUN = {
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
  delegatorPort: port('port of the delegator, which renews VTXOs for sleeping owners (default 7012)'),
  delegatorFee: {
    parse: (text: string) => sats(wholeNumber(0, 1_000_000)(text)),
    fallback: sats(0),
    placeholder: 'SATS',
    help: 'what the delegator asks for each delegation: nothing, or 330 and more (default 0)',
  },
  db: {
    parse: postgresUrl,
    fallback: undefined,
    placeholder: 'URL',
    isSecret: true,
    help: 'PostgreSQL database, postgres://… (default: a file in the data folder)',
  } as Setting<string | undefined>,
  ephemeral: onOff('keep nothing: chain, database and keys live in memory'),
  grpcReflection: onOff('let gRPC clients of the Ark server ask what its services look like'),
  bip119: onOff('let the embedded chain know OP_CHECKTEMPLATEVERIFY (BIP119)'),
  blockTime: {
    parse: wholeNumber(0, 86_400),
    fallback: 0,
    placeholder: 'SECONDS',
    help: 'mine a block every so often; 0 mines only on demand (default 0)',
  },
  indexerExposure: {
    parse: oneOf(...EXPOSURES),
    fallback: 'public' as const,
    placeholder: 'WHO',
    help: `who may read what a VTXO descends from: ${EXPOSURES.join(', ')} (default public)`,
  },
  indexerTokenLife: count(10, 86_400, 300, 'SECONDS', 'how long a proof of ownership is good for where one is needed'),
  rateLimit: count(0, 10_000, 100, 'PERCENT', 'share of the usual budget of calls that an address has; 0 is no limit'),
  maxStreams: count(1, 1_000_000, 20_000, 'N', 'event streams that may be open at once'),
  maxStreamsPerAddress: count(1, 1_000_000, 200, 'N', 'event streams that one address may have open'),
  trustProxy: {
    parse: parseNetworks,
    fallback: undefined as ReturnType<typeof parseNetworks> | undefined,
    placeholder: 'NETWORKS',
    help: 'proxies whose X-Forwarded-For is believed, such as 127.0.0.1,10.0.0.0/8 (default: none)',
  },
  logLevel: {
    parse: oneOf(...LOG_LEVELS),
    fallback: 'warn' as const,
    placeholder: 'LEVEL',
    help: `${LOG_LEVELS.join(', ')} (default warn)`,
  },
  json: onOff('when ready, print one line of JSON on stdout'),
};

export const RUN_SETTINGS = { ...WHERE, ...RUN };
const FILE_SETTINGS = { ...RUN, ...TERMS };
export const UP_SETTINGS = { ...RUN_SETTINGS, ...TERMS };

/** The ports that `--ports fixed` stands for. */
const FIXED_PORTS = {
  chainPort: 3000,
  rpcPort: 18_443,
  arkPort: 7070,
  arkAdminPort: 7071,
  delegatorPort: 7012,
} as const;
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

/** The variables that any command knows, so that none of them is taken for a slip. Throws CONFIG_INVALID. */
export const environmentOf = (environment: NodeJS.ProcessEnv): ConfigSource =>
  readEnvironment({ ...UP_SETTINGS, ...REMOTE }, environment);

/** Where the data folder is, by flag, environment or default. Throws CONFIG_INVALID. */
export function resolveDataFolder(flags: ConfigSource, environment: NodeJS.ProcessEnv): string {
  const { data } = resolveConfig(WHERE, [flags, environmentOf(environment)]);
  return data ?? defaultDataFolder(environment);
}

/** The network whose process a command means. Throws CONFIG_INVALID. */
export const resolveNetwork = (flags: ConfigSource, environment: NodeJS.ProcessEnv): Network =>
  resolveConfig(NETWORK, [flags, environmentOf(environment)]).network;

/** Throws `OperatorError` CONFIG_INVALID or DATA_UNREADABLE. */
export function resolveUpConfig(flags: ConfigSource, environment: NodeJS.ProcessEnv): UpConfig {
  const variables = environmentOf(environment);
  const where = resolveConfig(WHERE, [flags, variables]);
  const data = where.data ?? defaultDataFolder(environment);
  const { ports, chainPort, rpcPort, arkPort, arkAdminPort, delegatorPort, ...rest } = resolveConfig(UP_SETTINGS, [
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
      delegatorPort: portOf('delegatorPort', delegatorPort),
    },
  };
  checkTogether(config);
  return config;
}

function checkTogether(config: UpConfig): void {
  const { ports, chain, chainCookie } = config;
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
  const trouble = troubleWith(arkSettings(config));
  if (trouble) refuse(trouble);
  if (config.ephemeral && config.db !== undefined) {
    refuse(
      '--ephemeral keeps nothing and --db keeps it: choose one, or the keys would be gone and the coins would stay',
    );
  }
  if (config.delegatorFee > 0n && config.delegatorFee < TAPROOT_DUST) {
    refuse('--delegator-fee is nothing or at least 330 sat, since it is paid by a VTXO');
  }
  const fixed = Object.values(ports).filter((number) => number !== 0);
  if (new Set(fixed).size !== fixed.length) refuse('two doors cannot share one port');
}

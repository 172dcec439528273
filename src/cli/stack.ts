/** The composition root: the one place that knows every wing, makes the running parts and hands them to each other. */
import { join } from 'node:path';
import { Hono } from 'hono';
import { createTransport } from '../ark/client/transport.ts';
import { defaultVtxo } from '../ark/protocol/vtxo.ts';
import { createDelegatorApp } from '../ark/server/delegator/api.ts';
import { createDelegator } from '../ark/server/delegator/delegator.ts';
import { MAX_ARK_BODY_BYTES } from '../ark/server/door.ts';
import { deriveArkKeys } from '../ark/server/keys.ts';
import { createArkServer } from '../ark/server/server.ts';
import { toHex } from '../base/bytes.ts';
import { sats } from '../base/units.ts';
import { parseAddress } from '../bitcoin/address.ts';
import type { ControlledChain } from '../chain/controlled-chain.ts';
import { createEsplora } from '../chain/esplora/door.ts';
import { createTracking } from '../chain/esplora/tracking.ts';
import { MAX_RPC_BODY_BYTES } from '../chain/regtest/rpc/door.ts';
import { withMemory } from '../crypto/memory.ts';
import { systemClock } from '../runtime/clock.ts';
import { systemEntropy } from '../runtime/entropy.ts';
import { createHttpServer, type HttpOptions } from '../runtime/http.ts';
import type { Log } from '../runtime/log.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { createPeers } from '../runtime/peer.ts';
import { loadSecp } from '../runtime/secp-wasm.ts';
import { type AdminToken, createAdminToken } from '../runtime/token.ts';
import type { Db } from '../store/db.ts';
import { openSqlite } from '../store/sqlite.ts';
import { arkLimits, arkSettings } from './ark-settings.ts';
import { type EmbeddedChain, fundOnce, openChain } from './chain.ts';
import { createChainRpc, rpcLogin } from './chain-rpc.ts';
import { createControl } from './control.ts';
import { claimDatabase } from './database.ts';
import { demoKey } from './demo-wallet.ts';
import { migrateAll } from './modules.ts';
import type { UpConfig } from './options.ts';
import type { Ready } from './ready.ts';
import { drawSecrets, drawToken, loadSecrets, saveSecrets } from './secrets.ts';
import { VERSION } from './version.ts';

/** Clients name all transactions of a long chain in one URL. */
const MAX_ARK_HEADER_BYTES = 1 << 20;
const SERVER_FUNDS = sats(10_0000_0000);
const SERVER_COINS = 10;
const DEMO_FUNDS = sats(1_0000_0000);

export interface Stack {
  readonly ready: Ready;
  /** Stops what was started, the last first. */
  stop(): Promise<void>;
}

export interface StackParts {
  readonly config: UpConfig;
  /** Where everything is kept; `undefined` keeps it in memory. */
  readonly folder: string | undefined;
  /** The database to use; one in `folder` if absent. Whoever opened it closes it. */
  readonly db?: Db | undefined;
  /** Called with an admin token that takes the place of the one before, once it is kept. */
  readonly onTokenRenewed?: (token: string) => void;
  readonly log: Log;
}

/** Starts everything; resolves once every door accepts connections. When one cannot, what had started is stopped. */
export async function startStack(parts: StackParts): Promise<Stack> {
  const undo: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (let step = undo.pop(); step; step = undo.pop()) {
      await step().catch((error) => parts.log.error({ err: error }, 'a part did not stop well'));
    }
  };
  try {
    return { ready: await start(parts, (step) => undo.push(step)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(parts: StackParts, onStop: (step: () => Promise<void>) => void): Promise<Ready> {
  const { config, folder, log } = parts;
  const secp = withMemory(await loadSecp());
  const secrets = folder === undefined ? drawSecrets(systemEntropy) : loadSecrets(folder, systemEntropy);

  const adminToken = createAdminToken(
    secrets.adminToken,
    () => drawToken(systemEntropy),
    (token) => {
      if (folder !== undefined) saveSecrets(folder, { ...secrets, adminToken: token });
      parts.onTokenRenewed?.(token);
    },
  );

  const db = parts.db ?? openFile(folder, onStop);
  await migrateAll(db);
  const keys = deriveArkKeys(secrets.seed);
  await claimDatabase(db, toHex(secp.publicKey(keys.signer(0))));

  const opened = await openChain({ config, secp, db, folder, log: log.child({ part: 'chain' }) });
  const { chain } = opened;
  onStop(() => chain.close());

  const metrics = createMetrics({ process: true });
  const ark = await createArkServer({
    db,
    chain,
    secp,
    clock: systemClock,
    entropy: systemEntropy,
    log: log.child({ part: 'ark' }),
    metrics,
    settings: arkSettings(config),
    keys,
    adminToken,
    grpcReflection: config.grpcReflection,
    version: VERSION,
    limits: arkLimits(config),
  });
  if (config.network === 'regtest') {
    const demo = defaultVtxo(
      secp,
      demoKey(config.network),
      secp.publicKey(keys.signer(0)).slice(1),
      config.boardingExitDelay,
    );
    const server = { script: parseAddress(chain.network, ark.walletAddress), amount: SERVER_FUNDS };
    const payments = [
      ...Array.from({ length: SERVER_COINS }, () => server),
      { script: demo.script, amount: DEMO_FUNDS },
    ];
    await fundOnce(opened, payments, log);
  }
  await ark.start();
  onStop(() => ark.stop());
  onStop(mineRegularly(chain, config.blockTime, log));

  const listen = async (app: Hono, port: number, more: Omit<HttpOptions, 'host' | 'port'> = {}): Promise<string> => {
    const server = createHttpServer(app, { host: config.host, port, ...more });
    const url = urlOf(config.host, await server.start());
    onStop(() => server.stop());
    return url;
  };
  const chainUrl = await listen(chainApp(chain, adminToken, log), config.ports.chainPort, {
    webSocket: { path: '/api/v1/ws', accept: createTracking(chain, (err) => log.error({ err }, 'tracking failed')) },
  });
  const serveRpc = async ({ chain }: EmbeddedChain): Promise<Ready['chain']['rpc']> => {
    const login = rpcLogin(secrets.seed);
    const app = createChainRpc({ chain, secp, login, log: log.child({ part: 'rpc' }) });
    return { url: await listen(app, config.ports.rpcPort, { maxBodyBytes: MAX_RPC_BODY_BYTES }), ...login };
  };
  const rpc = opened.kind === 'embedded' ? await serveRpc(opened) : { url: opened.url, ...opened.credentials() };
  const url = await listen(ark.publicApp, config.ports.arkPort, {
    grpc: ark.publicGrpc,
    maxBodyBytes: MAX_ARK_BODY_BYTES,
    maxHeaderBytes: MAX_ARK_HEADER_BYTES,
    peers: createPeers(config.trustProxy),
  });
  const adminUrl = await listen(ark.adminApp, config.ports.arkAdminPort, { grpc: ark.adminGrpc });
  const delegator = createDelegator({
    db,
    chain,
    clock: systemClock,
    entropy: systemEntropy,
    log: log.child({ part: 'delegator' }),
    secp,
    transport: createTransport(async (path, init) => ark.publicApp.request(path, init)),
    secret: keys.delegate,
    fee: config.delegatorFee,
    payoutScript: parseAddress(chain.network, ark.walletAddress),
    metrics,
  });
  await delegator.start();
  onStop(() => delegator.stop());
  const delegatorApp = createDelegatorApp(delegator, {
    clock: systemClock,
    log: log.child({ part: 'delegator' }),
    rateFactor: arkLimits(config).rateFactor,
  });
  const delegatorUrl = await listen(delegatorApp, config.ports.delegatorPort, {
    maxBodyBytes: MAX_ARK_BODY_BYTES,
    peers: createPeers(config.trustProxy),
  });
  return {
    ready: true,
    version: VERSION,
    network: config.network,
    pid: process.pid,
    ark: { url, adminUrl, adminToken: secrets.adminToken, delegatorUrl },
    chain: { kind: opened.kind, esplora: `${chainUrl}/api`, rpc },
  };
}

function openFile(folder: string | undefined, onStop: (step: () => Promise<void>) => void): Db {
  const db = openSqlite(folder === undefined ? ':memory:' : join(folder, 'ark.sqlite'));
  onStop(() => db.close());
  return db;
}

/** Mines a block every `seconds`, or never for 0. Returns what ends it. */
function mineRegularly(chain: ControlledChain, seconds: number, log: Log): () => Promise<void> {
  let cancel = (): void => {};
  const wait = (): void => {
    cancel = systemClock.setTimer(seconds * 1000, () => {
      wait();
      chain.mine(1).catch((error) => log.error({ err: error }, 'could not mine a block'));
    });
  };
  if (seconds > 0) wait();
  return async () => cancel();
}

function chainApp(chain: ControlledChain, adminToken: AdminToken, log: Log): Hono {
  const app = new Hono();
  const onFault = (error: unknown): void => log.error({ err: error }, 'an explorer call failed');
  app.route('/api', createEsplora({ explorer: chain.explorer, chain, onFault }));
  app.route('/control', createControl({ chain, adminToken, log: log.child({ part: 'control' }) }));
  return app;
}

/** A URL that reaches a door from this machine. */
function urlOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/** The Ark server: its services wired together by hand, its two doors, its start and stop. */
import type { Hono } from 'hono';
import { type Bytes, toHex } from '../../base/bytes.ts';
import { unixSeconds } from '../../base/units.ts';
import type { Chain } from '../../chain/chain.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Entropy } from '../../runtime/entropy.ts';
import type { GrpcListener } from '../../runtime/http.ts';
import type { Log } from '../../runtime/log.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { createSigner } from '../../runtime/signer.ts';
import { createStreams } from '../../runtime/sse.ts';
import type { AdminToken } from '../../runtime/token.ts';
import type { Db } from '../../store/db.ts';
import type { ArkSettings } from '../protocol/settings.ts';
import { heartbeat } from '../wire/batch-events.ts';
import { printInfo } from '../wire/info.ts';
import { changedSettings } from '../wire/settings.ts';
import { createAccess, type Exposure } from './access.ts';
import { createAccessTokens } from './access-tokens.ts';
import { mountAdminApi } from './admin-api.ts';
import { createBatchFate } from './batch-fate.ts';
import { createBatchRunner } from './batch-runner.ts';
import { createSettler } from './batch-settle.ts';
import { createClaimWatch } from './claims.ts';
import { createCommitmentFees } from './commitment-fees.ts';
import type { ArkContext } from './context.ts';
import { createDoor } from './door.ts';
import { createEventHub } from './event-hub.ts';
import { createFeeBumper } from './fee-bumper.ts';
import { createGate } from './gate.ts';
import { mountGauges } from './gauges.ts';
import { createHealth, mountHealth } from './health.ts';
import { createIndexer } from './indexer.ts';
import { mountIndexerApi } from './indexer-api.ts';
import { createJustice } from './justice.ts';
import { type ArkKeys, publicKeysOf } from './keys.ts';
import { createLiveSettings } from './live-settings.ts';
import { createArkMetrics, mountMetrics } from './metrics.ts';
import { createNotifier } from './notifier.ts';
import { checkpointTapscript, createOffchainService } from './offchain.ts';
import { mountPublicApi } from './public-api.ts';
import { createRegistration } from './registration.ts';
import { createReserve } from './reserve.ts';
import { mountReserve } from './reserve-api.ts';
import { createSignerKeys } from './signer-keys.ts';
import { countQueued } from './store/intents.ts';
import { createSubscriptions } from './subscriptions.ts';
import { createSweeper } from './sweeper.ts';
import { mountTokenApi } from './token-api.ts';
import { createUnrolls } from './unrolls.ts';
import { createServerWallet } from './wallet.ts';
import { createChainWatcher } from './watcher.ts';
import { createWithdrawals } from './withdrawals.ts';

export interface ArkServerParts {
  /** Migrated with `ARK_MIGRATIONS`. */
  readonly db: Db;
  readonly chain: Chain;
  readonly secp: Secp;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly settings: ArkSettings;
  /** Secret keys, see `deriveArkKeys`. */
  readonly keys: ArkKeys;
  readonly adminToken: AdminToken;
  /** Whether gRPC clients may ask what the services look like; no if absent. */
  readonly grpcReflection?: boolean;
  readonly version: string;
  readonly limits: ArkLimits;
}

export interface ArkLimits {
  /** How much of the usual budgets of calls an address has: 1 for all of it, 0 for no limit. */
  readonly rateFactor: number;
  /** Open streams in all, and of one address. */
  readonly mostStreams: number;
  readonly mostStreamsPerPeer: number;
  /** Who may read the chains of VTXOs. */
  readonly exposure: Exposure;
  /** Seconds that a proof of ownership is good for where one is asked for. */
  readonly tokenLife: number;
}

export const DEFAULT_LIMITS: ArkLimits = {
  rateFactor: 1,
  mostStreams: 20_000,
  mostStreamsPerPeer: 200,
  exposure: 'public',
  tokenLife: 300,
};

export interface ArkServer {
  readonly publicApp: Hono;
  readonly adminApp: Hono;
  readonly publicGrpc: GrpcListener;
  readonly adminGrpc: GrpcListener;
  /** Where the server's wallet takes coins. */
  readonly walletAddress: string;
  /** Finishes what a crash left undone and begins to run batches. Call before the doors open. */
  start(): Promise<void>;
  /** Lets the running step end; a batch under way fails. */
  stop(): Promise<void>;
}

export async function createArkServer(parts: ArkServerParts): Promise<ArkServer> {
  const { db, chain, secp, clock, entropy, log } = parts;
  const signer = createSigner(secp, entropy, parts.keys.fixed);
  const nowSeconds = () => unixSeconds(Math.floor(clock.now() / 1000));
  const live = await createLiveSettings(db, parts.settings, nowSeconds);
  const changed = changedSettings(parts.settings, live.usual());
  if (changed.length > 0) log.info({ settings: changed }, 'what the operator has set at run time wins over the flags');
  const signers = await createSignerKeys({ db, secp, entropy, keys: parts.keys, nowSeconds });
  const publicKeys = publicKeysOf(signer);
  const wallet = createServerWallet(secp, chain, signer, db);
  const ctx: ArkContext = {
    db,
    chain,
    secp,
    clock,
    entropy,
    log,
    metrics: createArkMetrics(parts.metrics),
    signer,
    publicKeys,
    forfeitScript: wallet.script,
    wallet,
    signers,
    settings: live.current,
    nowSeconds,
    newId: () => uuid(entropy.bytes(16)),
  };
  const info = () =>
    printInfo({
      version: parts.version,
      settings: live.current(),
      session: live.session(),
      now: nowSeconds(),
      publicKeys,
      signer: signers.current(),
      deprecatedSigners: signers.deprecated(),
      forfeitAddress: wallet.address,
      checkpointTapscript: toHex(checkpointTapscript(ctx)),
    });

  const hub = createEventHub();
  const notifier = createNotifier();
  const subscriptions = createSubscriptions(clock, ctx.newId);
  const settler = createSettler(ctx, notifier);
  const registration = createRegistration(ctx, () => batches.intentQueued());
  const batches = createBatchRunner({ ctx, hub, registration, settler });
  const offchain = createOffchainService(ctx, notifier);
  const unrolls = createUnrolls(ctx);
  const sweeper = createSweeper(ctx, notifier, unrolls);
  const commitmentFees = createCommitmentFees(ctx);
  const justice = createJustice({ ctx, bumper: createFeeBumper(ctx), commitmentFees, unrolls });
  const reserve = createReserve({ ctx, fees: commitmentFees, load: justice.load });
  const withdrawals = createWithdrawals(ctx, reserve.missing);
  const watcher = createChainWatcher({
    ctx,
    settler,
    fate: createBatchFate(ctx, commitmentFees),
    unrolls,
    chores: [withdrawals.follow, justice.pursue, createClaimWatch(ctx, unrolls), sweeper.sweep, reserve.refill],
  });

  const health = createHealth(ctx);
  const streams = createStreams({
    heartbeat,
    intervalMs: () => live.current().heartbeatInterval * 1000,
    clock,
    most: parts.limits.mostStreams,
    mostPerPeer: parts.limits.mostStreamsPerPeer,
    onSlow: () => {
      ctx.metrics.slowStreams.add({});
      log.info('a stream was cut off whose listener does not read');
    },
  });
  mountGauges(parts.metrics, { ctx, health, hub, streams, subscriptions });

  const indexer = createIndexer(ctx);
  const tokens = createAccessTokens(ctx, parts.limits.tokenLife);
  const access = createAccess({ ctx, indexer, exposure: parts.limits.exposure, tokens });
  const changes = createNotifier();
  changes.subscribe(subscriptions.deliver);
  notifier.subscribe((change) => changes.publish(access.toStrangers(change)));

  const gate = createGate({ clock, rateFactor: parts.limits.rateFactor });
  const reflection = parts.grpcReflection ?? false;
  const publicDoor = createDoor(ctx, { streams, health, gate, reflection });
  mountHealth(publicDoor, health);
  mountPublicApi(publicDoor, { ctx, registration, batches, offchain, hub, changes, info });
  mountIndexerApi(publicDoor, indexer, subscriptions, access);
  const adminDoor = createDoor(ctx, { streams, health, token: parts.adminToken, reflection });
  mountHealth(adminDoor, health);
  mountMetrics(adminDoor, parts.metrics);
  mountAdminApi(adminDoor, { ctx, settings: live, sweeper, withdrawals, token: parts.adminToken });
  mountReserve(adminDoor, parts.metrics, reserve);
  mountTokenApi(adminDoor, tokens);

  return {
    publicApp: publicDoor.app,
    adminApp: adminDoor.app,
    publicGrpc: publicDoor.grpc(),
    adminGrpc: adminDoor.grpc(),
    walletAddress: ctx.wallet.address,
    async start() {
      await watcher.start();
      if ((await countQueued(db)) > 0) batches.intentQueued();
    },
    async stop() {
      await batches.stop();
      await watcher.stop();
    },
  };
}

/** RFC 9562 version 4 from 16 random bytes. */
function uuid(bytes: Bytes): string {
  const random = Uint8Array.from(bytes);
  random[6] = (random[6]! & 0x0f) | 0x40;
  random[8] = (random[8]! & 0x3f) | 0x80;
  const hex = toHex(random);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

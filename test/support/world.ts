/**
 * A whole Ark in one process: embedded chain, manual clock, seeded entropy, a server that can crash and come back, and
 * honest clients reaching it without a socket. After every step the books are audited.
 */
import assert from 'node:assert/strict';
import { type Account, type Coin, coinOf, coinOfNote, createAccount } from '../../src/ark/client/account.ts';
import { settle as settleOrder } from '../../src/ark/client/batch.ts';
import type { BatchOrder, BatchOutcome } from '../../src/ark/client/batch-session.ts';
import { type ArkClient, connect, createAggregators } from '../../src/ark/client/client.ts';
import { createTransport, type Transport } from '../../src/ark/client/transport.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import { parseNote } from '../../src/ark/protocol/note.ts';
import type { ArkSettings } from '../../src/ark/protocol/settings.ts';
import { deriveArkKeys } from '../../src/ark/server/keys.ts';
import { type ArkLimits, type ArkServer, createArkServer, DEFAULT_LIMITS } from '../../src/ark/server/server.ts';
import { ARK_MIGRATIONS } from '../../src/ark/server/store/schema.ts';
import { type Bytes, type Txid, toHex } from '../../src/base/bytes.ts';
import { blocks, sats } from '../../src/base/units.ts';
import { type Network, parseAddress } from '../../src/bitcoin/address.ts';
import { p2tr } from '../../src/bitcoin/script.ts';
import { outputKey } from '../../src/bitcoin/taproot.ts';
import { relativeTimelock } from '../../src/bitcoin/timelock.ts';
import { type Tx, type TxOut, txidOf } from '../../src/bitcoin/tx.ts';
import type { Chain } from '../../src/chain/chain.ts';
import { createRegtestChain, type RegtestChain, type RegtestOptions } from '../../src/chain/regtest/chain.ts';
import { createManualClock, type ManualClock } from '../../src/runtime/clock.ts';
import { createManualEntropy, type Entropy } from '../../src/runtime/entropy.ts';
import { createLog, silentLog } from '../../src/runtime/log.ts';
import { createMetrics } from '../../src/runtime/metrics.ts';
import { loadSecp } from '../../src/runtime/secp-wasm.ts';
import { createAdminToken } from '../../src/runtime/token.ts';
import type { Db } from '../../src/store/db.ts';
import { migrate } from '../../src/store/migrate.ts';
import { type Audit, auditor } from './audit.ts';
import { offerForRecord } from './chain-record.ts';
import { observed, testDatabase } from './database.ts';
import { type Broadcasting, createLife, type Life, mortalChain, mortalClock, mortalDb, mortalFetch } from './mortal.ts';

export const secp = await loadSecp();

export const ADMIN_TOKEN = 'admin';
const SERVER_FUNDS = sats(100_000_000);

export const SETTINGS: ArkSettings = {
  network: 'regtest',
  sessionDuration: 10,
  batchExpiry: relativeTimelock(144),
  unilateralExitDelay: relativeTimelock(20),
  publicUnilateralExitDelay: relativeTimelock(20),
  boardingExitDelay: relativeTimelock(40),
  checkpointExitDelay: relativeTimelock(10),
  utxoMinAmount: sats(330),
  utxoMaxAmount: undefined,
  vtxoMinAmount: sats(1),
  vtxoMaxAmount: undefined,
  dust: sats(330),
  maxTxWeight: 40_000,
  maxOpReturnOutputs: 3,
  minParticipants: 1,
  maxParticipants: 128,
  banThreshold: 3,
  banDuration: 300,
  boardingConfirmations: blocks(1),
  unrolledMinMargin: 300,
  reserveCoins: 8,
  settlementGap: 0,
  intentFee: { offchainInput: '', offchainOutput: '', onchainInput: '', onchainOutput: '' },
  batchTrigger: '',
  minBuildVersion: '',
  buildVersionRequired: false,
  digestRequired: false,
  heartbeatInterval: 20,
  noteUriPrefix: '',
};

export interface User {
  readonly name: string;
  readonly client: ArkClient;
  readonly account: Account;
  /** Notes and boarding coins to settle next. */
  readonly pocket: Coin[];
}

/** Where a server dies: at its `write`-th write from now on (1 is the next), on that side of the commit. */
export interface Crash {
  readonly write: number;
  readonly when: 'before' | 'after';
}

export interface WorldOptions {
  readonly seed: string;
  readonly settings?: Partial<ArkSettings>;
  readonly limits?: Partial<ArkLimits>;
  /** Database file; in memory if absent. */
  readonly file?: string;
  /** Prints the server's log. */
  readonly verbose?: boolean;
  /** Where the server's log goes line by line, all of it. */
  readonly logTo?: (line: string) => void;
  /** What the server takes the embedded chain for. */
  readonly network?: Network;
  readonly chainOptions?: Pick<RegtestOptions, 'minRelayRate' | 'maxMempoolVsize'>;
}

export interface World {
  readonly chain: RegtestChain;
  readonly clock: ManualClock;
  readonly entropy: Entropy;
  /** The server's database, behind its back. */
  readonly db: Db;
  readonly server: ArkServer;
  /** Reaches whichever server is running. */
  readonly transport: Transport;
  readonly isDead: boolean;
  /** Every transaction that servers of this world have broadcast, whatever became of it. */
  readonly broadcasts: ReadonlyMap<Txid, Tx>;
  /** The script of the server's wallet, and the one of the coins it keeps apart. */
  readonly serverScripts: { readonly wallet: Bytes; readonly reserve: Bytes };
  /** Writes of the running server so far. */
  readonly writes: number;
  mine(count: number): Promise<void>;
  /** Takes the top `count` blocks off the chain. */
  reorg(count: number): Promise<void>;
  advance(ms: number): Promise<void>;
  /** A person with a key of their own, the same for the same name; `lying` stands between them and the server. */
  user(name: string, lying?: (transport: Transport) => Transport): Promise<User>;
  /** Puts a confirmed boarding coin into the user's pocket. */
  board(user: User, amount: number): Promise<Coin>;
  /** Puts a fresh note into the user's pocket. */
  note(user: User, amount: number): Promise<Coin>;
  /** Everything the users have, settled in one batch into one VTXO each. */
  settle(...users: User[]): Promise<BatchOutcome[]>;
  /** An admin call; with a body it is a POST. Throws {@link AdminRefusal}. */
  admin<T>(path: string, body?: object): Promise<T>;
  /** An order of everything the user has into one VTXO. */
  everything(user: User): Promise<BatchOrder>;
  /** Lets time pass until `work` is settled, then audits. */
  run<T>(work: Promise<T>): Promise<T>;
  /** Lets everything that is under way come to rest, without time passing. */
  rest(): Promise<void>;
  crashAt(crash: Crash): void;
  /** The server dies here and now. */
  kill(): void;
  /** Kills the server if it still lives, and starts another on what it left, with other settings if given. */
  restart(settings?: Partial<ArkSettings>): Promise<void>;
  /** Replaces how the running server and later ones broadcast; `undefined` puts the chain's own way back. */
  onBroadcast(broadcast: Chain['broadcast'] | undefined): void;
  /** Replaces what the running server and later ones hear from the chain; `undefined` lets it speak for itself again. */
  onChain(replacement: Partial<Chain> | undefined): void;
  audit: Audit;
}

/** What the admin API answered instead of what was asked for. */
export class AdminRefusal extends Error {
  readonly status: number;
  /** Number of the gRPC status. */
  readonly code: number;
  /** Name of the refusal, where it has one. */
  readonly refusal: string | undefined;

  constructor(status: number, answer: { code: number; message: string; details: { name: string }[] }) {
    super(answer.message);
    this.status = status;
    this.code = answer.code;
    this.refusal = answer.details[0]?.name;
  }
}

/** Turns of the event loop without any activity that count as rest. */
const QUIET_TURNS = 6;
const STEP_MS = 200;
const LONGEST_RUN_MS = 600_000;

export async function world(options: WorldOptions): Promise<World> {
  const { seed, settings = {}, limits = {}, file, verbose = false, network = 'regtest', chainOptions = {} } = options;
  const clock = createManualClock();
  const entropy = createManualEntropy(seed);
  const chain = createRegtestChain({ secp, now: () => Math.floor(clock.now() / 1000), ...chainOptions });
  await offerForRecord(seed, chain);
  const keys = deriveArkKeys(entropy.bytes(32));
  const adminToken = createAdminToken(
    ADMIN_TOKEN,
    () => toHex(entropy.bytes(32)),
    () => {},
  );
  const aggregators = createAggregators(secp);
  const open = await testDatabase(file);
  let { db, isBusy } = observed(await open());
  let activity = 0;
  let writes = 0;
  let crash: Crash | undefined;
  let broadcast: Chain['broadcast'] | undefined;
  let life: Life = createLife();
  let server: ArkServer;
  let changed: Partial<ArkSettings> = {};
  const broadcasts = new Map<Txid, Tx>();
  const sent = (tx: Tx): void => void broadcasts.set(txidOf(tx), tx);
  const broadcasting: Broadcasting = {
    async broadcast(tx) {
      sent(tx);
      return (broadcast ?? replaced.broadcast ?? chain.broadcast)(tx);
    },
    async broadcastPackage(parent, child) {
      sent(parent);
      sent(child);
      return (replaced.broadcastPackage ?? chain.broadcastPackage)(parent, child);
    },
  };

  let replaced: Partial<Chain> = {};
  /** The chain as the server sees it. */
  const facing: Chain = {
    network,
    tip: () => (replaced.tip ?? chain.tip)(),
    transaction: (txid) => (replaced.transaction ?? chain.transaction)(txid),
    output: (outpoint) => (replaced.output ?? chain.output)(outpoint),
    unspent: (script) => (replaced.unspent ?? chain.unspent)(script),
    feeRate: (target) => (replaced.feeRate ?? chain.feeRate)(target),
    broadcast: chain.broadcast,
    broadcastPackage: chain.broadcastPackage,
    subscribe: chain.subscribe,
  };

  async function boot(): Promise<void> {
    const own = createLife();
    life = own;
    writes = 0;
    const onWrite = (when: Crash['when']): void => {
      activity++;
      if (when === 'before') writes++;
      if (crash?.when !== when || crash.write > writes) return;
      crash = undefined;
      own.end();
    };
    server = await createArkServer({
      db: mortalDb(own, db, onWrite),
      chain: mortalChain(own, facing, broadcasting),
      clock: mortalClock(own, clock),
      secp,
      entropy,
      keys,
      log: options.logTo ? createLog('trace', { write: options.logTo }) : verbose ? createLog('debug') : silentLog,
      metrics: createMetrics(),
      settings: { ...SETTINGS, network, ...settings, ...changed },
      adminToken,
      version: 'test',
      limits: { ...DEFAULT_LIMITS, ...limits },
    });
  }

  const answer = (url: string, init: RequestInit): Response | Promise<Response> => {
    activity++;
    return server.publicApp.request(url, init);
  };
  const transport = createTransport(async (url, init) => {
    const response = await mortalFetch(life, answer)(url, init);
    activity++;
    const noticed = response.body?.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          activity++;
          controller.enqueue(chunk);
        },
      }),
    );
    return new Response(noticed ?? null, { status: response.status, headers: response.headers });
  });

  async function rest(): Promise<void> {
    for (let quiet = 0, seen = activity; quiet < QUIET_TURNS; quiet++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (activity !== seen || isBusy()) quiet = 0;
      seen = activity;
    }
  }

  async function run<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const settled = work.then(
      () => (done = true),
      () => (done = true),
    );
    for (let waited = 0; ; waited += STEP_MS) {
      await rest();
      if (done) break;
      assert.ok(waited < LONGEST_RUN_MS, 'nothing more is going to happen');
      await clock.advance(STEP_MS);
    }
    await settled;
    if (!life.isOver) await self.audit.check();
    return work;
  }

  async function admin<T>(path: string, body?: object): Promise<T> {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const post = body && { method: 'POST', body: JSON.stringify(body) };
    const response = await server.adminApp.request(`/v1/admin/${path}`, { headers, ...post });
    const answer = await response.json();
    if (!response.ok) throw new AdminRefusal(response.status, answer as never);
    return answer as T;
  }

  async function everything({ account, client, pocket }: User): Promise<BatchOrder> {
    const coins = [...pocket, ...(await spendableCoins(client, account))];
    return { coins, receivers: [paid(account, coins)], onchain: [] };
  }

  await migrate(db, 'ark', ARK_MIGRATIONS);
  await boot();
  const walletScript = parseAddress(network, server!.walletAddress);
  const reserveScript = p2tr(outputKey(secp, secp.publicKey(keys.fixed.reserve).slice(1)).xonly);
  const scripts = [walletScript, reserveScript];
  const audit = auditor({ db: () => db, chain, scripts, funds: SERVER_FUNDS, broadcasts });
  await chain.faucet(walletScript, SERVER_FUNDS);
  await chain.mine(1);
  await server!.start();

  const self: World = {
    chain,
    clock,
    entropy,
    transport,
    audit,
    broadcasts,
    serverScripts: { wallet: walletScript, reserve: reserveScript },
    rest,
    run,
    admin,
    everything,
    get db() {
      return db;
    },
    get server() {
      return server;
    },
    get isDead() {
      return life.isOver;
    },
    get writes() {
      return writes;
    },
    async mine(count) {
      await chain.mine(count);
      await rest();
    },
    async reorg(count) {
      await chain.invalidateTip(count);
      await rest();
    },
    async advance(ms) {
      for (const end = clock.now() + ms; clock.now() < end; ) {
        await clock.advance(Math.min(STEP_MS, end - clock.now()));
        await rest();
      }
    },
    async user(name, lying = (honest) => honest) {
      const random = createManualEntropy(`${seed}/${name}`).bytes;
      const client = await connect({ transport: lying(transport), secp, random, aggregators });
      const secret = createManualEntropy(`${seed}/${name}/key`).bytes(32);
      return { name, client, account: createAccount(secp, client.terms, secret), pocket: [] };
    },
    async board({ account, pocket }, amount) {
      const txid = await chain.faucet(account.boarding.script, sats(amount));
      await self.mine(1);
      const coin = coinOf(account, 'boarding', { txid, vout: 0 }, BigInt(amount));
      pocket.push(coin);
      return coin;
    },
    async note({ pocket }, amount) {
      const { notes } = await admin<{ notes: string[] }>('note', { amount });
      const coin = coinOfNote(secp, parseNote(notes[0]!));
      pocket.push(coin);
      return coin;
    },
    async settle(...users) {
      const orders = await Promise.all(users.map(everything));
      const outcomes = await run(
        Promise.all(users.map(({ client, account }, i) => settleOrder(client, account, orders[i]!))),
      );
      for (const user of users) user.pocket.length = 0;
      return outcomes;
    },
    crashAt({ write, when }) {
      crash = { write: writes + write, when };
    },
    kill: () => life.end(),
    async restart(settings = {}) {
      changed = { ...changed, ...settings };
      life.end();
      crash = undefined;
      await rest();
      if (file) {
        await db.close();
        ({ db, isBusy } = observed(await open()));
      }
      await boot();
      await server.start();
      await rest();
      await self.audit.check();
    },
    onBroadcast(replacement) {
      broadcast = replacement;
    },
    onChain(replacement) {
      replaced = replacement ?? {};
    },
  };
  return self;
}

/** An output of the account's with all that `coins` are worth. */
export const paid = (account: Account, coins: readonly Pick<Coin, 'amount'>[], amount?: bigint): TxOut => ({
  value: amount ?? coins.reduce((sum, coin) => sum + coin.amount, 0n),
  script: account.vtxo.script,
});

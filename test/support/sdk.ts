/** Wallets of the published Arkade SDK against a running stack, and what its operator does around them. */
import assert from 'node:assert/strict';
import { after, before, mock } from 'node:test';
import {
  type ArkProvider,
  type DelegateProvider,
  EsploraProvider,
  type Identity,
  InMemoryContractRepository,
  InMemoryWalletRepository,
  OnchainWallet,
  type SettlementEvent,
  SingleKey,
  Unroll,
  Wallet,
  type WalletConfig,
} from '@arkade-os/sdk';
import { EventSource } from 'eventsource';
import type { Ready } from '../../src/cli/ready.ts';
import { call, controlUrl } from '../../src/cli/remote.ts';
import { type RunningStack, startStack } from './stack.ts';

// What every user of the SDK does on Node, which has no EventSource of its own.
Object.assign(globalThis, { EventSource });
// The SDK reports on the console what it then deals with; whether it does is what the tests look at.
for (const level of ['debug', 'info', 'warn', 'error'] as const) mock.method(console, level, () => {});

export interface Operator {
  /** Mines blocks; returns the new height. */
  mine(blocks: number): Promise<number>;
  /** Pays `sats` to an on-chain address and mines the payment; returns its txid. */
  faucet(address: string, sats: number): Promise<string>;
  note(sats: number): Promise<string>;
  /** An admin call; with a body it is a POST. */
  admin<T>(path: string, body?: unknown): Promise<T>;
}

function operatorOf(ready: Ready): Operator {
  const admin = <T>(path: string, body?: unknown): Promise<T> =>
    call<T>(ready, `${ready.ark.adminUrl}/v1/admin/${path}`, body);
  const mine = async (blocks: number): Promise<number> =>
    (await call<{ height: number }>(ready, controlUrl(ready, 'mine'), { blocks })).height;
  return {
    admin,
    mine,
    async faucet(address, sats) {
      const { txid } = await call<{ txid: string }>(ready, controlUrl(ready, 'faucet'), { address, amount: `${sats}` });
      await mine(1);
      return txid;
    },
    async note(sats) {
      const { notes } = await admin<{ notes: string[] }>('note', { amount: `${sats}`, quantity: 1 });
      return notes[0]!;
    },
  };
}

const explorerOf = ({ chain }: Ready): EsploraProvider =>
  new EsploraProvider(chain.esplora, { forcePolling: true, pollingInterval: 500 });

export interface Storage {
  readonly walletRepository: InMemoryWalletRepository;
  readonly contractRepository: InMemoryContractRepository;
}

/** What a device remembers of a wallet; open two wallets with it, one after the other, and the wallet was restarted. */
export const freshStorage = (): Storage => ({
  walletRepository: new InMemoryWalletRepository(),
  contractRepository: new InMemoryContractRepository(),
});

export interface ArkUse extends Operator {
  readonly ready: Ready;
  /** Kills the process with SIGKILL and starts it again, behind the same doors. */
  crash(): Promise<void>;
  /** A wallet that does nothing by itself; without an identity it is a new user's. */
  wallet(identity?: Identity, storage?: Storage): Promise<Wallet>;
  /** The same for a new user who has a delegate. */
  delegatedWallet(delegateProvider: DelegateProvider): Promise<Wallet>;
  /** An on-chain wallet with the keys of `owner`, or new ones. */
  onchainWallet(owner?: { readonly identity: Identity }): Promise<OnchainWallet>;
  /** Boards `sats`: paid by the faucet, confirmed, settled without a fee. Returns the commitment txid. */
  board(wallet: Wallet, sats: number): Promise<string>;
  /** Puts a VTXO and all it descends from on chain, with a block after each step. */
  unroll(wallet: Wallet, vtxo: { readonly txid: string; readonly vout: number }): Promise<void>;
}

const doorsOf = ({ ark, chain }: Ready): string[] => {
  const port = (url: string): string => new URL(url).port;
  return [
    ...['--ark-port', port(ark.url)],
    ...['--ark-admin-port', port(ark.adminUrl)],
    ...['--delegator-port', port(ark.delegatorUrl)],
    ...['--chain-port', port(chain.esplora)],
  ];
};

/** A stack of its own for the tests of a file; it ends after them, and so do the wallets opened on it. */
export function useArk(flags: readonly string[] = []): ArkUse {
  let stack: RunningStack;
  let operator: Operator;
  const wallets: Wallet[] = [];
  const start = async (doors: readonly string[] = []): Promise<void> => {
    stack = await startStack(['--session-duration', '6', ...flags, ...doors]);
    operator = operatorOf(stack.ready);
  };
  const onchainWallet = ({ identity }: { readonly identity: Identity } = { identity: SingleKey.fromRandomBytes() }) =>
    OnchainWallet.create(identity, 'regtest', explorerOf(stack.ready));

  const open = async (config: Pick<WalletConfig, 'identity' | 'storage' | 'delegateProvider'>): Promise<Wallet> => {
    const wallet = await Wallet.create({
      ...config,
      arkServerUrl: stack.ready.ark.url,
      onchainProvider: explorerOf(stack.ready),
      settlementConfig: false,
    });
    wallets.push(wallet);
    return wallet;
  };

  before(() => start());
  after(async () => {
    await Promise.all(wallets.map((wallet) => wallet.dispose()));
    await stack?.stop();
  });
  return {
    get ready() {
      return stack.ready;
    },
    async crash() {
      await stack.kill();
      await start(doorsOf(stack.ready));
    },
    mine: (blocks) => operator.mine(blocks),
    faucet: (address, sats) => operator.faucet(address, sats),
    note: (sats) => operator.note(sats),
    admin: (path, body) => operator.admin(path, body),
    onchainWallet,
    wallet: (identity = SingleKey.fromRandomBytes(), storage = freshStorage()) => open({ identity, storage }),
    delegatedWallet: (delegateProvider) =>
      open({ identity: SingleKey.fromRandomBytes(), storage: freshStorage(), delegateProvider }),
    async board(wallet, sats) {
      await operator.faucet(await wallet.getBoardingAddress(), sats);
      const inputs = await wallet.getBoardingUtxos();
      assert.equal(inputs.length, 1);
      return wallet.settle({ inputs, outputs: [{ address: await wallet.getAddress(), amount: BigInt(sats) }] });
    },
    async unroll(wallet, { txid, vout }) {
      const bumper = await onchainWallet(wallet);
      const session = await Unroll.Session.create({ txid, vout }, bumper, bumper.provider, wallet.indexerProvider);
      // A session broadcasts each package twice, and the second time fails if a block came in between.
      for (let step = await session.next(); step.type !== Unroll.StepType.DONE; step = await session.next()) {
        if (step.type === Unroll.StepType.UNROLL) await step.do();
        await operator.mine(1);
      }
    },
  };
}

/** Repeats a check until it passes, for what a server tells its clients a moment later. Throws its last failure. */
export async function eventually<T>(check: () => T | Promise<T>, withinMs = 5_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

export interface Holdings {
  readonly boarding?: number;
  readonly settled?: number;
  readonly preconfirmed?: number;
  readonly recoverable?: number;
}

/** The wallet's balance becomes exactly this, nothing of any other kind. */
export const expectBalance = (wallet: Wallet, expected: Holdings): Promise<void> =>
  eventually(async () => {
    const { boarding, settled, preconfirmed, recoverable, available, total, assets } = await wallet.getBalance();
    const { boarding: b = 0, settled: s = 0, preconfirmed: p = 0, recoverable: r = 0 } = expected;
    assert.deepEqual(
      { boarding: boarding.total, settled, preconfirmed, recoverable, available, total, assets },
      { boarding: b, settled: s, preconfirmed: p, recoverable: r, available: s + p, total: b + s + p + r, assets: [] },
    );
  });

/** The wallet's history becomes exactly these lines such as `RECEIVED 1000 boarding`, in any order; unsettled ones end in `?`. */
export const expectHistory = (wallet: Wallet, expected: readonly string[]): Promise<void> =>
  eventually(async () => {
    const history = await wallet.getTransactionHistory();
    const lines = history.map(({ type, amount, tag, settled }) => `${type} ${amount} ${tag}${settled ? '' : ' ?'}`);
    assert.deepEqual(lines.sort(), [...expected].sort());
  });

/** Collects the kinds of events a settlement goes through. */
export function eventLog(): { readonly types: string[]; readonly listener: (event: SettlementEvent) => void } {
  const types: string[] = [];
  return { types, listener: ({ type }) => void types.push(type) };
}

/** Lets `call` do its work, or not, and then has the process die before the wallet hears of it. */
export function dieAt(wallet: Wallet, call: keyof ArkProvider, crash: () => Promise<void>, isHeard: boolean): void {
  const provider = wallet.arkProvider as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  const original = provider[call]!.bind(provider);
  provider[call] = async (...args) => {
    delete provider[call];
    if (isHeard) await original(...args);
    await crash();
    throw new Error('the connection was lost');
  };
}

/**
 * Keeps an account able to leave: whatever it is given is verified and written down before it counts, whatever it gives
 * up is let go only once what replaces it is safe. What it knows it knows from its own records and the chain, so that
 * {@link Keeper.review} and {@link Keeper.exit} work when the server is gone.
 */
import { equal, type Outpoint, outpointKey, type Txid } from '../../base/bytes.ts';
import type { Tx, TxOut } from '../../bitcoin/tx.ts';
import { byTxid, lineageOf } from '../../txgraph/lineage.ts';
import { finalize } from '../protocol/leaf-spend.ts';
import { type Account, type Coin, coinOf } from './account.ts';
import type { AssetPlan } from './assets.ts';
import { settle } from './batch.ts';
import type { BatchOrder, BatchOutcome } from './batch-session.ts';
import { chainFacts, commitmentsOf } from './chain-facts.ts';
import type { ChainSource } from './chain-source.ts';
import { exitLeafOf } from './claim.ts';
import type { ArkClient } from './client.ts';
import { insist } from './errors.ts';
import { advanceExit, type ExitParts, type ExitState } from './exit.ts';
import type { ExitData, ExitStore, KeptVtxo } from './exit-store.ts';
import type { FeeWallet } from './fee-wallet.ts';
import { MARGINS, type Margins } from './life.ts';
import { type Paid, resumePayments, send } from './offchain.ts';
import { renewalOrder } from './orders.ts';
import { type Crowd, type ExitQuote, quoteExit } from './quote.ts';
import { type VtxoReport, verifyVtxo } from './verify.ts';
import { type JudgedChain, verifyChain } from './verify-chain.ts';
import { type ReportedVtxo, spendableCoins, vtxosOf } from './vtxos.ts';

export interface KeeperParts {
  readonly client: ArkClient;
  readonly account: Account;
  readonly chain: ChainSource;
  readonly store: ExitStore;
  readonly margins?: Margins;
}

/** What the server told of the account, looked at. */
export interface Sync {
  /** New, verified and kept. */
  readonly taken: readonly VtxoReport[];
  /** Not to be counted on: see the findings. */
  readonly refused: readonly VtxoReport[];
  /** The server calls them spent or does not know them, and the owner did not spend them here. Kept all the same. */
  readonly disputed: readonly KeptVtxo[];
}

/**
 * `renew`: in a batch, soon. `exit`: now, alone, before the batch expires. `recover`: the server swept it, and owes it
 * in a batch. `gone`: something else took it.
 */
export type Advice = 'none' | 'renew' | 'exit' | 'recover' | 'gone';

export interface Holding extends JudgedChain {
  readonly vtxo: KeptVtxo;
  readonly advice: Advice;
  /** What an exit still has to bring into blocks, parents before children. */
  readonly left: readonly Tx[];
}

export interface Keeper {
  /** Takes in what the account has received since. */
  sync(): Promise<Sync>;
  /** What is kept and not given away, from the records and the chain alone. */
  review(): Promise<readonly Holding[]>;
  /** Settles like {@link settle}; the new VTXOs are kept before the old ones are forfeited. */
  settle(order: BatchOrder, signal?: AbortSignal): Promise<BatchOutcome>;
  /** Settles what {@link Keeper.review} advises to renew or recover into one VTXO; `undefined` when that is nothing. */
  renew(signal?: AbortSignal): Promise<BatchOutcome | undefined>;
  /** Pays like {@link send}; the change is kept before the coins are given away. */
  send(coins: readonly Coin[], outputs: readonly TxOut[], plan?: AssetPlan): Promise<Paid>;
  /** Makes payments final that were interrupted; returns their txids. Call it at every start. */
  resume(): Promise<readonly Txid[]>;
  /** What {@link Keeper.exit} would cost now. Throws `NOT_KEPT`. */
  quote(
    outpoint: Outpoint,
    fees: FeeWallet,
    options?: { readonly target?: number; readonly crowd?: Crowd },
  ): Promise<ExitQuote>;
  /** One step of an exit, like {@link advanceExit}. Throws `NOT_KEPT`. */
  exit(outpoint: Outpoint, parts: Pick<ExitParts, 'fees' | 'to' | 'target'>): Promise<ExitState>;
}

/** Depth at which a block is taken for final, and with it what it replaced for gone. */
const BURIED = 6;
const TARGET = 2;

export function createKeeper({ client, account, chain, store, margins = MARGINS }: KeeperParts): Keeper {
  const { secp, random, terms } = client;
  const isOwn = ({ script }: TxOut): boolean => equal(script, account.vtxo.script);

  async function sync(): Promise<Sync> {
    const told = await vtxosOf(client, account);
    const kept = await store.list();
    const known = new Set(kept.map(({ outpoint }) => outpointKey(outpoint)));
    const fresh = told.filter((vtxo) => isLive(vtxo) && !known.has(outpointKey(vtxo.outpoint)));
    const reports: VtxoReport[] = [];
    for (const { outpoint } of fresh) reports.push(await take(outpoint));
    const live = new Set(told.filter(isLive).map(({ outpoint }) => outpointKey(outpoint)));
    const disputed = kept.filter(({ outpoint, spentBy }) => !spentBy && !live.has(outpointKey(outpoint)));
    await letGo(kept);
    return {
      taken: reports.filter(({ standing }) => standing !== 'refused'),
      refused: reports.filter(({ standing }) => standing === 'refused'),
      disputed,
    };
  }

  async function take(outpoint: Outpoint): Promise<VtxoReport> {
    const report = await verifyVtxo(client, chain, outpoint, { vtxo: account.vtxo, margins });
    for (const proof of report.equivocations) await store.keepProof(proof);
    const { standing, output, roots, txs } = report;
    if (standing !== 'refused' && output) await store.keep({ ...keptOf(outpoint, output), roots, txs });
    return report;
  }

  const keptOf = (outpoint: Outpoint, output: TxOut) => ({ outpoint, output, tapTree: account.vtxo.scripts });

  /** Forgets what was given away for something that is buried by now. */
  async function letGo(kept: readonly KeptVtxo[]): Promise<void> {
    const { height } = await chain.tip();
    const gone: Outpoint[] = [];
    for (const { outpoint, spentBy } of kept) {
      const confirmation = spentBy && (await chain.transaction(spentBy))?.confirmation;
      if (confirmation && height - confirmation.height + 1 >= BURIED) gone.push(outpoint);
    }
    if (gone.length > 0) await store.forget(gone);
  }

  async function holdingOf({ txs, ...vtxo }: ExitData): Promise<Holding> {
    const { outpoint, roots } = vtxo;
    const commitments = await commitmentsOf(
      chain,
      roots.map(({ commitmentTxid }) => commitmentTxid),
    );
    const facts = await chainFacts(chain, commitments, txs, outpoint);
    const exitDelay = exitLeafOf(secp, vtxo, account.publicKey)?.delay ?? terms.unilateralExitDelay;
    const judged = verifyChain(secp, { txs, roots, outpoint, exitDelay }, facts, terms, margins);
    const confirmed = (txid: Txid): boolean => facts.onchain.get(txid)?.confirmation !== undefined;
    const left = [...byTxid(txs)].filter(([txid]) => !confirmed(txid)).map(([, tx]) => tx);
    return { ...judged, vtxo, left, advice: adviceOf(judged) };
  }

  async function kept(outpoint: Outpoint): Promise<ExitData> {
    const data = await store.get(outpoint);
    insist(data, 'NOT_KEPT', `nothing is kept of ${outpointKey(outpoint)}`);
    return data;
  }

  async function keepOutcome({ commitmentTxid, vtxos, branch, expiry, cosigner }: BatchOutcome): Promise<void> {
    const roots = [{ commitmentTxid, expiry }];
    for (const { outpoint, output } of vtxos.filter((vtxo) => isOwn(vtxo.output))) {
      await store.keep({ ...keptOf(outpoint, output), roots, txs: branch, cosigner });
    }
  }

  async function keepChange(coins: readonly Coin[], { arkTxid, arkTx, checkpoints, vtxos }: Paid): Promise<void> {
    const spent = (await Promise.all(coins.map(({ outpoint }) => store.get(outpoint)))).filter(
      (data) => data !== undefined,
    );
    // A coin that did not pass is good enough to be rid of; what becomes of its change shows at the next sync.
    if (spent.length < coins.length) return;
    const own = [...checkpoints, arkTx].map(finalize);
    const known = byTxid([...spent.flatMap(({ txs }) => txs), ...own]);
    const { txs } = lineageOf(arkTxid, (txid) => known.get(txid));
    const roots = spent.flatMap((data) => data.roots);
    for (const { outpoint, output } of vtxos.filter((vtxo) => isOwn(vtxo.output))) {
      await store.keep({ ...keptOf(outpoint, output), roots, txs });
    }
  }

  async function review(): Promise<readonly Holding[]> {
    const holdings: Holding[] = [];
    for (const { outpoint, spentBy } of await store.list()) {
      if (!spentBy) holdings.push(await holdingOf(await kept(outpoint)));
    }
    return holdings;
  }

  async function settleKept(order: BatchOrder, signal?: AbortSignal): Promise<BatchOutcome> {
    const outcome = await settle(client, account, order, signal, keepOutcome);
    await store.markSpent(outpointsOf(order.coins), outcome.commitmentTxid);
    return outcome;
  }

  return {
    sync,
    review,
    settle: settleKept,
    async renew(signal) {
      const due = (await review()).filter(({ advice }) => advice === 'renew' || advice === 'recover');
      const keys = new Set(due.map(({ vtxo }) => outpointKey(vtxo.outpoint)));
      const isDue = ({ outpoint }: { readonly outpoint: Outpoint }): boolean => keys.has(outpointKey(outpoint));
      const live = await spendableCoins(client, account);
      const swept = (await vtxosOf(client, account, 'recoverableOnly')).filter(({ isSwept }) => isSwept);
      const owed = swept.map(({ outpoint, amount, assets }) =>
        coinOf(account, 'recoverable', outpoint, amount, assets),
      );
      const coins = [...live, ...owed].filter(isDue);
      const order = coins.length > 0 ? await renewalOrder(client, account, coins) : undefined;
      return order && settleKept(order, signal);
    },
    async resume() {
      const coins = (await vtxosOf(client, account, 'pendingOnly')).map(({ outpoint, amount }) =>
        coinOf(account, 'vtxo', outpoint, amount),
      );
      if (coins.length === 0) return [];
      const txids = await resumePayments(client, account, coins, (paid) => keepChange(coinsSpentBy(paid, coins), paid));
      await store.forget(outpointsOf(coins));
      return txids;
    },
    async send(coins, outputs, plan) {
      const missing = await Promise.all(coins.map(async ({ outpoint }) => !(await store.get(outpoint))));
      for (const [i, { outpoint }] of coins.entries()) if (missing[i]) await take(outpoint);
      const paid = await send(client, account, coins, outputs, plan, (signed) => keepChange(coins, signed));
      // The checkpoints are signed: nobody but the receiver and the server can do anything with the coins any more.
      await store.forget(outpointsOf(coins));
      return paid;
    },
    async quote(outpoint, fees, { target = TARGET, crowd } = {}) {
      const { vtxo, left, life } = await holdingOf(await kept(outpoint));
      const [rate, coins, tip] = await Promise.all([chain.feeRate(target), fees.coins(), chain.tip()]);
      const values = coins.map(({ output }) => output.value);
      const request = { vtxo, txs: left, rate, coins: values, tip, dust: terms.dust, life };
      return quoteExit(secp, account.publicKey, crowd ? { ...request, crowd } : request);
    },
    async exit(outpoint, parts) {
      const own = { secp, random, chain, secret: account.secret, dust: terms.dust };
      return advanceExit({ ...own, ...parts }, await kept(outpoint));
    },
  };
}

const isLive = ({ isSpent, isSwept }: ReportedVtxo): boolean => !isSpent && !isSwept;
/** Those of `coins` that a payment's checkpoints move. */
const coinsSpentBy = ({ checkpoints }: Paid, coins: readonly Coin[]): readonly Coin[] => {
  const spent = new Set(checkpoints.flatMap(({ tx }) => tx.inputs.map(({ prevout }) => outpointKey(prevout))));
  return coins.filter(({ outpoint }) => spent.has(outpointKey(outpoint)));
};

const outpointsOf = (coins: readonly Coin[]): Outpoint[] => coins.map(({ outpoint }) => outpoint);

function adviceOf({ findings }: JudgedChain): Advice {
  const has = (...codes: readonly string[]): boolean => findings.some(({ code }) => codes.includes(code));
  if (has('SPENT_ON_CHAIN')) return 'gone';
  if (has('SWEPT')) return 'recover';
  if (has('EXPIRED', 'EXPIRY_TOO_SOON', 'EQUIVOCATION')) return 'exit';
  return has('EXPIRY_NEAR') ? 'renew' : 'none';
}

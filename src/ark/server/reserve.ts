/**
 * Coins kept apart to pay for answers to fraud: each answer needs a confirmed one of its own, and they have to be there
 * before the first one is needed. How many depends on how many VTXOs are out that were spent and could still be put on
 * chain. The transaction that splits them off is recorded until it is in a block, since batches build on its change.
 */
import { ProtocolError } from '../../base/errors.ts';
import { sumSats } from '../../base/units.ts';
import { parseTx, type Tx, type TxOut, txHex, txIn, txidOf, vsizeOf } from '../../bitcoin/tx.ts';
import { COMMITMENT_VERSION, type WalletCoin } from '../protocol/commitment.ts';
import type { CommitmentFees } from './commitment-fees.ts';
import type { ArkContext } from './context.ts';
import { exposure } from './store/cases.ts';
import { readSetting, writeSetting } from './store/settings.ts';

export interface ReserveState {
  /** Confirmed coins that can pay for an answer at the going rate, and their satoshi. */
  readonly ready: number;
  readonly amount: bigint;
  /** Coins that are split off and wait for a block. */
  readonly pending: number;
  readonly wanted: number;
  /** Satoshi that a coin should have. */
  readonly coinAmount: bigint;
  /** Spent VTXOs that could still be put on chain, and their satoshi. */
  readonly exposed: number;
  readonly exposedAmount: bigint;
  /** Satoshi that the wallet would have to receive for the coins that are missing; 0 where it can make them itself. */
  readonly shortfall: bigint;
}

export interface Reserve {
  state(): Promise<ReserveState>;
  /** Satoshi of the coins that are missing, whether the wallet has them or not. */
  missing(): Promise<bigint>;
  /** Splits off what is missing, and cries out where that cannot be. Call at start and at every block. */
  refill(): Promise<void>;
}

/** Virtual bytes of an answer with its child, generously. */
const ANSWER_VSIZE = 600;
/** What fees may rise by before a coin is too small alone; at least so many satoshi per virtual byte. */
const RISE = 10;
const LEAST_RATE = 25;
/** A coin of less than this part of what it should have is not counted. */
const USEFUL_PART = 4n;
/** Blocks after which more is paid for a split. */
const PATIENCE = 6;
const CONFIRM_WITHIN_BLOCKS = 6;
const RECORD = 'reserveSplit';
const KEY_PATH_SIGNATURE = 65;

export interface ReserveParts {
  readonly ctx: ArkContext;
  readonly fees: CommitmentFees;
  /** See `Justice.load`. */
  readonly load: () => { readonly open: number; readonly unpaid: number };
}

export function createReserve({ ctx, fees, load }: ReserveParts): Reserve {
  const { db, chain, wallet, log } = ctx;
  let waitsSince: number | undefined;
  let wasShort = false;

  async function state(): Promise<ReserveState> {
    const [{ count, amount }, coins, free, rate] = await Promise.all([
      exposure(db),
      wallet.setAside(),
      wallet.spendable(),
      chain.feeRate(1),
    ]);
    const coinAmount = BigInt(Math.ceil(ANSWER_VSIZE * Math.max(LEAST_RATE, rate * RISE)));
    const useful = coins.filter((coin) => coin.value * USEFUL_PART >= coinAmount);
    const ready = useful.filter((coin) => !coin.locked);
    const wanted = Math.min(count, ctx.settings().reserveCoins);
    const missing = BigInt(Math.max(0, wanted - useful.length)) * coinAmount;
    const held = sumSats(free.map(({ output }) => output.value));
    return {
      ready: ready.length,
      amount: sumSats(ready.map(({ value }) => value)),
      pending: useful.length - ready.length,
      wanted,
      coinAmount,
      exposed: count,
      exposedAmount: amount,
      shortfall: missing > held ? missing - held : 0n,
    };
  }

  async function missing(): Promise<bigint> {
    const { wanted, ready, pending, coinAmount } = await state();
    return BigInt(Math.max(0, wanted - ready - pending)) * coinAmount;
  }

  async function refill(): Promise<void> {
    if (await followSplit()) return;
    const now = await state();
    const { open, unpaid } = load();
    // A coin that is being split pays for nothing until a block has come: while there is fraud to answer, a large coin
    // is worth more as it is, as long as there are enough of them.
    const missing = open > 0 ? unpaid : now.wanted - now.ready - now.pending;
    // A few at a time would cost more fees than they are worth.
    if (missing > 0 && missing * 4 >= now.wanted) await split(missing, now.coinAmount, open > 0);
    tell(now);
  }

  function tell({ ready, pending, wanted, coinAmount, shortfall, exposed }: ReserveState): void {
    const isShort = shortfall > 0n && (ready + pending) * 2 < wanted;
    const about = { ready, pending, wanted, coinAmount: `${coinAmount}`, shortfall: `${shortfall}`, exposed };
    if (isShort && !wasShort) log.error(about, 'the wallet lacks the coins to answer fraud: fund it');
    if (!isShort && wasShort) log.info(about, 'the wallet has the coins to answer fraud again');
    wasShort = isShort;
  }

  /** True while the split made last is not in a block. */
  async function followSplit(): Promise<boolean> {
    const record = (await readSetting(db, RECORD)) ?? '';
    if (record === '') return false;
    const tx = parseTx(record);
    const found = await chain.transaction(txidOf(tx));
    if (found?.confirmation) return forget();
    const { height } = await chain.tip();
    waitsSince ??= height;
    if (found) {
      if (height - waitsSince >= PATIENCE) await payMore(tx);
      return true;
    }
    try {
      await chain.broadcast(tx);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (error.code === 'TX_MISSING_INPUTS') return forget();
      await payMore(tx);
    }
    return true;
  }

  async function payMore(tx: Tx): Promise<void> {
    const rate = await chain.feeRate(CONFIRM_WITHIN_BLOCKS);
    await fees.speedUp(tx, (vsize) => BigInt(Math.ceil(vsize * rate)));
  }

  async function forget(): Promise<false> {
    waitsSince = undefined;
    await db.write((tx) => writeSetting(tx, RECORD, ''));
    return false;
  }

  /** As many of `count` coins as the wallet can spare. */
  async function split(count: number, amount: bigint, isUrgent: boolean): Promise<void> {
    const coins = (await wallet.spendable()).slice(0, 1);
    const rate = await chain.feeRate(isUrgent ? 1 : CONFIRM_WITHIN_BLOCKS);
    const drafts = Array.from({ length: count }, (_, i) => draftOf(coins, count - i, amount, rate));
    const draft = drafts.find((each) => each !== undefined);
    const owner = ctx.newId();
    if (!draft || !wallet.reserve(coins, owner)) return;
    try {
      const prevouts = coins.map(({ output }) => output);
      const inputs = draft.inputs.map((input, i) => ({ ...input, witness: [wallet.sign(draft, i, prevouts)] }));
      const tx = { ...draft, inputs };
      await db.write((write) => writeSetting(write, RECORD, txHex(tx)));
      await chain.broadcast(tx);
      log.info({ txid: txidOf(tx), coins: tx.outputs.length - 1 }, 'set coins apart for answers to fraud');
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      log.warn({ err: error }, 'could not set coins apart for answers to fraud');
      await forget();
    } finally {
      wallet.release(owner);
    }
  }

  function draftOf(coins: readonly WalletCoin[], count: number, amount: bigint, rate: number): Tx | undefined {
    const parts = Array<TxOut>(count).fill({ value: amount, script: wallet.reserveScript });
    const draft = (change: bigint): Tx => ({
      version: COMMITMENT_VERSION,
      inputs: coins.map(({ outpoint }) => txIn(outpoint)),
      outputs: [...parts, { value: change, script: wallet.script }],
      locktime: 0,
    });
    const witness = [new Uint8Array(KEY_PATH_SIGNATURE)];
    const size = vsizeOf({ ...draft(0n), inputs: draft(0n).inputs.map((input) => ({ ...input, witness })) });
    const change =
      sumSats(coins.map(({ output }) => output.value)) - BigInt(count) * amount - BigInt(Math.ceil(size * rate));
    // What batches need is not given away.
    return coins.length > 0 && change >= BigInt(count) * amount ? draft(change) : undefined;
  }

  return { state, missing, refill };
}

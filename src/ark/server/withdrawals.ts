/**
 * Payments out of the server's wallet that its operator asks for. Each is durable before it is broadcast and told, and
 * its coins are kept from everybody else until it is buried: a crash, a full mempool or a reorganization makes it late,
 * never double.
 */
import type { Bytes, Txid } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { type FeeRate, sumSats } from '../../base/units.ts';
import { parseTx, type Tx, txHex, txidOf } from '../../bitcoin/tx.ts';
import { buildWithdrawal, type Withdrawal as Draft } from '../protocol/withdrawal.ts';
import { refused } from '../wire/status.ts';
import type { ArkContext } from './context.ts';
import {
  closeWithdrawal,
  deleteWithdrawal,
  insertWithdrawal,
  openWithdrawals,
  type Withdrawal,
} from './store/withdrawals.ts';
import type { WalletUtxo } from './wallet.ts';

export interface WithdrawalOrder {
  readonly address: string;
  readonly script: Bytes;
  /** Satoshi that arrive, or everything the wallet has to spare. */
  readonly amount: bigint | 'all';
  /** Satoshi per virtual byte; what the chain says if absent. */
  readonly feeRate?: FeeRate;
  /** Leaves in the wallet what it still has to put aside for answers to fraud. */
  readonly keepsReserve: boolean;
}

export interface Withdrawals {
  /** Pays; returns what was paid. Throws `FAILED_PRECONDITION` when the wallet cannot, and nothing has happened. */
  pay(order: WithdrawalOrder): Promise<Withdrawal>;
  /** Keeps what is not buried yet in the mempool. Call at start and at every block. */
  follow(): Promise<void>;
}

const CONFIRM_WITHIN_BLOCKS = 6;
/** Confirmations after which nobody looks at it any more. */
const BURIED = 6;
/** Times to choose anew when a batch took a coin in the same moment. */
const ATTEMPTS = 3;

const toCoin = ({ outpoint, value, script, confirmation }: WalletUtxo) => ({
  outpoint,
  output: { value, script },
  isConfirmed: confirmation !== undefined,
});

/** `missing` tells the satoshi that the reserve lacks; the coins that it has are not the wallet's to spend. */
export function createWithdrawals(ctx: ArkContext, missing: () => Promise<bigint>): Withdrawals {
  const { db, chain, wallet, log } = ctx;
  const owner = (txid: Txid): string => `withdrawal ${txid}`;

  async function choose({ script, amount, feeRate, keepsReserve }: WithdrawalOrder): Promise<Draft> {
    const keep = keepsReserve ? await missing() : 0n;
    const rate = feeRate ?? (await chain.feeRate(CONFIRM_WITHIN_BLOCKS));
    const { dust } = ctx.settings();
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const plan = { script, amount, changeScript: wallet.script, keep, feeRate: rate, dust };
      const all = (await wallet.utxos()).filter((coin) => !coin.locked).map(toCoin);
      const safe = all.filter((coin) => coin.isConfirmed);
      const draft = (amount === 'all' ? undefined : buildWithdrawal(plan, safe)) ?? buildWithdrawal(plan, all);
      if (!draft) throw tooLittle(sumSats(all.map((coin) => coin.output.value)), amount, keep);
      if (wallet.reserve(draft.coins, owner(txidOf(draft.tx)))) return draft;
    }
    throw refused('UNAVAILABLE', 'batches keep taking the coins: try again');
  }

  function tooLittle(free: bigint, amount: bigint | 'all', keep: bigint): Error {
    const kept = keep > 0n ? `, of which ${keep} are wanted for answers to fraud` : '';
    const wanted = amount === 'all' ? 'that is not worth a transaction' : `not enough for ${amount} and the fee`;
    return refused('FAILED_PRECONDITION', `the wallet has ${free} sat${kept}: ${wanted}`);
  }

  function sign({ tx, coins }: Draft): Tx {
    const prevouts = coins.map((coin) => coin.output);
    return { ...tx, inputs: tx.inputs.map((input, i) => ({ ...input, witness: [wallet.sign(tx, i, prevouts)] })) };
  }

  async function pay(order: WithdrawalOrder): Promise<Withdrawal> {
    const draft = await choose(order);
    const tx = sign(draft);
    const txid = txidOf(tx);
    const { amount, fee } = draft;
    const record: Withdrawal = {
      ...{ txid, tx: txHex(tx), address: order.address, amount, fee },
      createdAt: ctx.nowSeconds(),
      state: 'open',
    };
    try {
      await db.write((write) => insertWithdrawal(write, record));
    } catch (error) {
      wallet.release(owner(txid));
      throw error;
    }
    await broadcastFirst(record, tx);
    log.info({ txid, address: order.address, amount: `${amount}`, fee: `${fee}` }, 'paid a withdrawal');
    return record;
  }

  /**
   * Nobody has seen the transaction yet: one that the network refuses can be forgotten. One that could not even be sent
   * is on record, and goes out with the next block.
   */
  async function broadcastFirst({ txid }: Withdrawal, tx: Tx): Promise<void> {
    try {
      await chain.broadcast(tx);
    } catch (error) {
      if (!(error instanceof ProtocolError))
        return log.warn({ err: error, txid }, 'a withdrawal will be broadcast later');
      await db.write((write) => deleteWithdrawal(write, txid));
      wallet.release(owner(txid));
      throw refused('FAILED_PRECONDITION', `the network refuses the payment: ${error.message}`);
    }
  }

  async function follow(): Promise<void> {
    const { height } = await chain.tip();
    for (const withdrawal of await openWithdrawals(db)) await followOne(withdrawal, height);
  }

  async function followOne({ txid, tx: raw }: Withdrawal, height: number): Promise<void> {
    const tx = parseTx(raw);
    wallet.reserve(
      tx.inputs.map(({ prevout }) => ({ outpoint: prevout })),
      owner(txid),
    );
    const found = await chain.transaction(txid);
    if (found?.confirmation && height - found.confirmation.height + 1 >= BURIED) return close(txid, 'buried');
    if (found) return;
    try {
      await chain.broadcast(tx);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (await isDoubleSpent(tx, height)) return close(txid, 'lost');
      log.warn({ err: error, txid }, 'a withdrawal cannot be broadcast at the moment');
    }
  }

  async function close(txid: Txid, state: 'buried' | 'lost'): Promise<void> {
    await db.write((write) => closeWithdrawal(write, txid, state));
    wallet.release(owner(txid));
    if (state === 'lost') log.error({ txid }, 'a withdrawal can never confirm: its coins were spent otherwise');
  }

  /** By a transaction that is buried, so that no reorganization brings the coins back. */
  async function isDoubleSpent(tx: Tx, height: number): Promise<boolean> {
    const outputs = await Promise.all(tx.inputs.map((input) => chain.output(input.prevout)));
    return outputs.some((output) => {
      const by = output?.spentBy;
      return by?.confirmation && by.txid !== txidOf(tx) && height - by.confirmation.height + 1 >= BURIED;
    });
  }

  return { pay, follow };
}

/**
 * Sees to it that the server's transactions confirm in time. Those that were signed beforehand pay no fee: a child of
 * their anchor pays for them, and a dearer child takes its place whenever the price asks for it, whoever made the one
 * before. Remembers nothing: what was paid is read from the mempool.
 */
import type { Outpoint, Txid } from '../../base/bytes.ts';
import { invariant, ProtocolError } from '../../base/errors.ts';
import { sumSats } from '../../base/units.ts';
import { anchorOf, payingChild } from '../../bitcoin/package.ts';
import { type Tx, type TxOut, txidOf, vsizeOf } from '../../bitcoin/tx.ts';
import type { WalletCoin } from '../protocol/commitment.ts';
import type { ArkContext } from './context.ts';

/** What a transaction may cost: satoshi for so many virtual bytes; `undefined` when that is not worth it. */
export type Price = (vsize: number) => bigint | undefined;

export type Secured =
  /** It is in a block. */
  | 'confirmed'
  /** It waits in the mempool, paid for as the price asks. */
  | 'paid'
  /** The price does not cover what it takes. */
  | 'too-dear'
  /** There is no confirmed coin that could pay. */
  | 'no-coin'
  /** The network does not take it now. */
  | 'refused';

export interface FeeBumper {
  /**
   * Brings `parent`, which pays no fee, into the mempool and keeps it paid for. `stake` is the most it may cost in all:
   * replacing what somebody else has put in its way can take more than its price.
   */
  secure(parent: Tx, price: Price, stake: bigint): Promise<Secured>;
}

/** A transaction in the mempool. */
interface Waiting {
  readonly tx: Tx;
  /** Satoshi. */
  readonly fee: bigint;
  readonly vsize: number;
}

/** BIP125 rule 4: what a replacement pays for its own relay, on top of what it replaces; satoshi per virtual byte. */
const INCREMENTAL_RATE = 1;
/** Coins that pay for one transaction together. */
const MAX_COINS = 10;
/** Times the price is doubled when the network finds it too low: the mempool may have filled since it was asked. */
const RAISES = 3;

/** Virtual bytes of a child with one coin, to tell beforehand what it will cost at least. */
const SMALL_CHILD = 150;

const TOO_LOW = /insufficient fee|fee not met|mempool full|insufficient feerate/;
const isTooLow = ({ data, message }: ProtocolError): boolean => TOO_LOW.test(`${data.reason ?? ''} ${message}`);

/** An unsigned transaction with the outputs it spends. */
interface Draft {
  readonly tx: Tx;
  readonly prevouts: readonly TxOut[];
}

export function createFeeBumper(ctx: ArkContext): FeeBumper {
  const { chain, wallet, log } = ctx;

  async function waiting(txid: Txid): Promise<Waiting | undefined> {
    const found = await chain.transaction(txid);
    if (!found || found.confirmation) return undefined;
    const { tx } = found;
    const spent = await Promise.all(tx.inputs.map(({ prevout }) => chain.output(prevout)));
    const paid = sumSats(spent.map((output) => output?.value ?? 0n));
    return { tx, fee: paid - sumSats(tx.outputs.map(({ value }) => value)), vsize: vsizeOf(tx) };
  }

  /** Everything in the mempool that spends these outputs, and what spends that. */
  async function spendersOf(outpoints: readonly Outpoint[]): Promise<Waiting[]> {
    const found = new Map<Txid, Waiting>();
    const queue = [...outpoints];
    for (let next = queue.pop(); next; next = queue.pop()) {
      const by = (await chain.output(next))?.spentBy;
      if (!by || by.confirmation || found.has(by.txid)) continue;
      const spender = await waiting(by.txid);
      if (!spender) continue;
      found.set(by.txid, spender);
      for (const vout of spender.tx.outputs.keys()) queue.push({ txid: by.txid, vout });
    }
    return [...found.values()];
  }

  /** Sets of coins to try, the cheapest to part with first. A payment of our own is replaced with its own coins. */
  async function coinSets(rivals: readonly Waiting[]): Promise<WalletCoin[][]> {
    const own: WalletCoin[] = [];
    for (const { prevout } of rivals.flatMap(({ tx }) => tx.inputs)) {
      const output = await chain.output(prevout);
      if (output?.confirmation && wallet.isOwn(output)) own.push({ outpoint: prevout, output });
    }
    const free = await wallet.feeCoins();
    const large = free.toSorted((a, b) => (a.output.value < b.output.value ? 1 : -1)).slice(0, MAX_COINS);
    return [
      ...(own.length > 0 ? [own] : []),
      ...free.map((coin) => [...own, coin]),
      ...large.map((_, i) => [...own, ...large.slice(0, i + 1)]),
    ];
  }

  function signed({ tx, prevouts }: Draft): Tx {
    const inputs = tx.inputs.map((input, i) =>
      wallet.isOwn(prevouts[i]!) ? { ...input, witness: [wallet.sign(tx, i, prevouts)] } : input,
    );
    return { ...tx, inputs };
  }

  /** Sends the first draft that the coins at hand can pay for. */
  async function pay(
    rivals: readonly Waiting[],
    draftOf: (coins: readonly WalletCoin[], raise: bigint) => Draft | undefined,
    send: (child: Tx) => Promise<Txid>,
  ): Promise<Secured> {
    const sets = await coinSets(rivals);
    for (let raise = 1n, round = 0; ; raise *= 2n, round++) {
      const owner = ctx.newId();
      const coins = sets.find((set) => draftOf(set, raise) && wallet.reserve(set, owner));
      if (!coins) return round > 0 ? 'refused' : 'no-coin';
      try {
        await send(signed(draftOf(coins, raise)!));
        return 'paid';
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        if (isTooLow(error) && round < RAISES) continue;
        log.warn({ err: error }, 'the network does not take a transaction that we pay for');
        return 'refused';
      } finally {
        wallet.release(owner);
      }
    }
  }

  /** What `vsize` virtual bytes pay at least to take the place of `rivals`. */
  function leastFee(rivals: readonly Waiting[], vsize: number): bigint {
    if (rivals.length === 0) return 0n;
    const relay = sumSats(rivals.map(({ fee }) => fee)) + BigInt(Math.ceil(vsize * INCREMENTAL_RATE));
    const rate = Math.max(...rivals.map((rival) => Number(rival.fee) / rival.vsize));
    const better = BigInt(Math.ceil(vsize * rate)) + 1n;
    return relay > better ? relay : better;
  }

  async function secure(parent: Tx, price: Price, stake: bigint): Promise<Secured> {
    const txid = txidOf(parent);
    const known = await chain.transaction(txid);
    if (known?.confirmation) return 'confirmed';
    const anchor = anchorOf(parent);
    invariant(anchor !== undefined, 'what we signed beforehand has an anchor');
    const size = vsizeOf(known?.tx ?? parent);
    const ways = known
      ? parent.outputs.map((_, vout) => ({ txid, vout }))
      : parent.inputs.map(({ prevout }) => prevout);
    const rivals = await spendersOf(ways);
    const [rival] = rivals;
    if (known && rival) {
      const due = price(size + rival.vsize);
      if (due === undefined || rival.fee >= due) return 'paid';
    }
    const feeOf = (childSize: number, raise: bigint): bigint | undefined => {
      const due = price(size + childSize);
      if (due === undefined) return undefined;
      const least = leastFee(rivals, known ? childSize : size + childSize);
      const raised = due * raise > stake ? stake : due * raise;
      const fee = raised > least ? raised : least;
      return fee <= stake ? fee : undefined;
    };
    if (feeOf(SMALL_CHILD, 1n) === undefined) return known && rival ? 'paid' : 'too-dear';
    const draftOf = (coins: readonly WalletCoin[], raise: bigint): Draft | undefined => {
      const whole = sumSats(coins.map(({ output }) => output.value));
      const change = coins[0]!.output.script;
      const tx = payingChild(parent, coins, change, (vsize) => feeOf(vsize, raise) ?? whole, ctx.settings().dust);
      return tx && { tx, prevouts: [parent.outputs[anchor]!, ...coins.map(({ output }) => output)] };
    };
    return pay(rivals, draftOf, (child) => (known ? chain.broadcast(child) : chain.broadcastPackage(parent, child)));
  }

  return { secure };
}

/**
 * What leaving without the server would cost, before anybody does: fees, blocks, the last moment to begin, whether it is
 * worth it, what the fee wallet lacks, and how all that looks when a whole crowd leaves at once. Pure.
 */
import type { Bytes } from '../../base/bytes.ts';
import type { FeeRate } from '../../base/units.ts';
import { p2tr } from '../../bitcoin/script.ts';
import type { RelativeTimelock } from '../../bitcoin/timelock.ts';
import type { Tx } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { feeOf, unrollCost } from '../../txgraph/cost.ts';
import type { SourceTip } from './chain-source.ts';
import { claimVsize, exitLeafOf } from './claim.ts';
import { insist } from './errors.ts';
import type { KeptVtxo } from './exit-store.ts';
import type { Life } from './life.ts';

/** Everybody at the door. */
export interface Crowd {
  /** Exits like this one that begin together, this one included. */
  readonly exits: number;
  /** What a block then takes. */
  readonly rate: FeeRate;
  /** Virtual bytes of each block that are left for exits. */
  readonly blockVbytes?: number;
}

export interface QuoteRequest {
  readonly vtxo: KeptVtxo;
  /** Signed, parents before children, without those that are in blocks already. */
  readonly txs: readonly Tx[];
  readonly rate: FeeRate;
  /** Values of the fee wallet's confirmed coins, satoshi. */
  readonly coins: readonly bigint[];
  readonly tip: SourceTip;
  /** Satoshi. */
  readonly dust: bigint;
  readonly life?: Life | undefined;
  readonly crowd?: Crowd;
}

export interface CrowdQuote {
  /** Until everybody's transactions are in blocks; no less than this exit takes alone. */
  readonly blocks: number;
  /** Satoshi that this exit pays. */
  readonly fee: bigint;
  readonly net: bigint;
  /** Whether this exit is through before its batch expires, when everybody begins now. */
  readonly isInTime: boolean;
}

export interface ExitQuote {
  /** The claim not counted. */
  readonly transactions: number;
  /** Children that pay and claim included. */
  readonly vbytes: number;
  /** Satoshi. The fee wallet pays for unrolling, the VTXO itself for its claim. */
  readonly unrollFee: bigint;
  readonly claimFee: bigint;
  readonly value: bigint;
  /** What is left of the value after all fees; negative where leaving costs more than it brings. */
  readonly net: bigint;
  readonly isWorthIt: boolean;
  /** Until the VTXO stands on chain. */
  readonly blocks: number;
  readonly delay: RelativeTimelock;
  /** About how long until the money is free, ten minutes a block. */
  readonly seconds: number;
  /** Height or unix seconds by which an exit has to begin; absent when the life of the batch is not known. */
  readonly latestStart: number | undefined;
  /** With as many coins nothing waits for another's change. */
  readonly coins: number;
  /** Satoshi that one more coin of the fee wallet would have to hold. */
  readonly shortfall: bigint;
  readonly crowd: CrowdQuote | undefined;
}

const SECONDS_PER_BLOCK = 600;
/** A block, less what it takes without any exit. */
const CROWD_BLOCK_VBYTES = 500_000;

const secondsOf = ({ type, value }: RelativeTimelock): number =>
  type === 'seconds' ? value : value * SECONDS_PER_BLOCK;

/** `owner` is the x-only key that leaves. Throws `EXIT_IMPOSSIBLE` where no leaf lets it out alone. */
export function quoteExit(secp: Secp, owner: Bytes, request: QuoteRequest): ExitQuote {
  const { vtxo, txs, rate, coins, dust, life, crowd } = request;
  const leaf = exitLeafOf(secp, vtxo, owner);
  insist(leaf, 'EXIT_IMPOSSIBLE', 'no leaf lets the owner out alone');
  const claim = claimVsize(vtxo, leaf, p2tr(owner));
  const { transactions, vbytes, fee, blocks, coins: width, shortfall } = unrollCost(txs, rate, coins, dust);
  const { value } = vtxo.output;
  const claimFee = feeOf(claim, rate);
  const net = value - fee - claimFee;
  return {
    transactions,
    vbytes: vbytes + claim,
    unrollFee: fee,
    claimFee,
    value,
    net,
    isWorthIt: net > 0n && value - claimFee >= dust,
    blocks,
    delay: leaf.delay,
    seconds: blocks * SECONDS_PER_BLOCK + secondsOf(leaf.delay),
    latestStart: life?.latestStart,
    coins: width,
    shortfall,
    crowd: crowd && crowdQuote(crowd),
  };

  function crowdQuote({ exits, rate: surge, blockVbytes = CROWD_BLOCK_VBYTES }: Crowd): CrowdQuote {
    const paid = unrollCost(txs, surge, [], dust).fee + feeOf(claim, surge);
    const queue = Math.max(blocks, Math.ceil((exits * vbytes) / blockVbytes));
    const ends = life && life.now + (life.unit === 'blocks' ? queue : queue * SECONDS_PER_BLOCK);
    return { blocks: queue, fee: paid, net: value - paid, isInTime: !life || ends! < life.expiresAt };
  }
}

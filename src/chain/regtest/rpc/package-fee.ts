/** What transactions of a package pay, as bitcoind reports it and as callers limit it. */
import { type Tx, vsizeOf, wtxidOf } from '../../../bitcoin/tx.ts';
import { feeAt, rateOf, type SatsPerKvb, sumOf } from '../fee-rate.ts';
import type { MempoolEntry } from '../mempool.ts';
import { btcJson } from './json.ts';

/** `together` are those whose fees count as one, itself among them. */
export const feesJson = (entry: MempoolEntry, together: readonly MempoolEntry[]) => ({
  base: btcJson(entry.fee),
  'effective-feerate': btcJson(rateOf(sumOf(together))),
  'effective-includes': together.map(({ tx }) => wtxidOf(tx)),
});

/** More than the caller meant to pay; a limit of 0 is none. */
export const isTooDear = (limit: SatsPerKvb, tx: Tx, fee: bigint): boolean =>
  limit > 0n && fee > feeAt(limit, vsizeOf(tx));

/** Why a transaction is refused, in bitcoind's words for it. */

import { ProtocolError } from '../../base/errors.ts';
import type { BroadcastErrorCode } from '../chain.ts';

const CODES: Readonly<Record<string, BroadcastErrorCode>> = {
  'bad-txns-inputs-missingorspent': 'TX_MISSING_INPUTS',
  'txn-already-known': 'TX_ALREADY_IN_CHAIN',
};

/** `data.reason` is the reject reason that bitcoind gives, `data.detail` what it adds. */
export class TxRejection extends ProtocolError<BroadcastErrorCode> {
  readonly reason: string;
  /** The fee is all that is wrong, so that a child paying for both may help. */
  readonly isReconsiderable: boolean;

  constructor(reason: string, detail: string, isReconsiderable: boolean) {
    super(CODES[reason] ?? 'TX_REJECTED', detail ? `${reason}, ${detail}` : reason, {
      reason,
      ...(detail ? { detail } : {}),
    });
    this.reason = reason;
    this.isReconsiderable = isReconsiderable;
  }
}

export function reject(reason: string, detail = ''): never {
  throw new TxRejection(reason, detail, false);
}

/** Refuses for the fee, which a child in the same package could make good. */
export function rejectFee(reason: string, detail: string): never {
  throw new TxRejection(reason, detail, true);
}

export function check(condition: boolean, reason: string, detail = ''): asserts condition {
  if (!condition) reject(reason, detail);
}

/** Refuses for what another check found, if it found anything. */
export function rejectFault(fault: string | undefined): void {
  if (fault) reject(fault);
}

/**
 * The delegator: renews VTXOs for owners who sleep. What it takes in is durable; what is under way is not, since the
 * server's word tells after a crash what came of it.
 */
import { toHex } from '../../../base/bytes.ts';
import type { Sats } from '../../../base/units.ts';
import { createAccount } from '../../client/account.ts';
import type { CosignerKey } from '../../client/tree-cosigning.ts';
import type { DelegationRequest } from '../../protocol/delegation.ts';
import {
  countWaitingDelegations,
  dueDelegations,
  nextDelegationDue,
  type StoredDelegation,
} from '../store/delegations.ts';
import { admit } from './admission.ts';
import { clientOf, type DelegatorParts, nowSeconds } from './parts.ts';
import { runRound } from './round.ts';
import { payOut } from './takings.ts';

export interface DelegatorInfo {
  /** Compressed, hex. */
  readonly publicKey: string;
  readonly fee: Sats;
  /** Ark address where the fee goes. */
  readonly address: string;
}

export interface Delegator {
  info(): Promise<DelegatorInfo>;
  /** Stores a delegation; returns its id. Throws an `ArkError` or a `DelegationErrorCode`. */
  delegate(request: DelegationRequest, rejectReplace: boolean): Promise<string>;
  /** Begins to carry out what is due. */
  start(): Promise<void>;
  /** Lets the current step end. */
  stop(): Promise<void>;
}

/** Delegations in one round. */
const MAX_TOGETHER = 64;
/** After this many failures a delegation is tried by itself, so that it cannot keep failing others. */
const PATIENCE_WITH_COMPANY = 3;
/** Looks again at least this often, whatever the database said was next. */
const LONGEST_SLEEP_MS = 60_000;
const AFTER_FAILURE_MS = 5_000;

export function createDelegator(parts: DelegatorParts): Delegator {
  const { db, clock, log, secp, secret, fee, entropy } = parts;
  const publicKey = secp.publicKey(secret);
  const cosigner: CosignerKey = { secret, public: publicKey, id: toHex(publicKey) };
  const client = clientOf(parts);
  parts.metrics.gauge('canalworks_delegator_waiting', 'Delegations that wait for their time.', {}, async () => [
    { labels: {}, value: await countWaitingDelegations(db) },
  ]);
  const stopping = new AbortController();
  const active = new Set<string>();
  let cancelTimer = (): void => {};
  let running: Promise<void> | undefined;
  let news = false;

  async function chooseDue(): Promise<readonly StoredDelegation[]> {
    const due = await dueDelegations(db, nowSeconds(parts), MAX_TOGETHER);
    const [first] = due;
    if (first && first.attempts >= PATIENCE_WITH_COMPANY) return [first];
    return due.filter(({ attempts }) => attempts < PATIENCE_WITH_COMPANY);
  }

  async function work(): Promise<void> {
    for (let due = await chooseDue(); due.length > 0 && !stopping.signal.aborted; due = await chooseDue()) {
      for (const { id } of due) active.add(id);
      try {
        await runRound({ ...parts, client: await client(), cosigner, signal: stopping.signal }, due);
      } finally {
        active.clear();
      }
    }
    if (fee > 0n) await collect();
  }

  /** Whoever waits for a renewal does not wait for this to work. */
  async function collect(): Promise<void> {
    try {
      await payOut(parts, await client(), stopping.signal);
    } catch (error) {
      if (!stopping.signal.aborted) log.warn({ err: error }, "the delegator's takings could not be paid out");
    }
  }

  function wake(): void {
    cancelTimer();
    news = true;
    if (stopping.signal.aborted || running) return;
    news = false;
    running = work()
      .then(sleep)
      .catch((error) => {
        log.error({ err: error }, 'the delegator failed');
        return AFTER_FAILURE_MS;
      })
      .then((ms) => {
        running = undefined;
        if (!stopping.signal.aborted) cancelTimer = clock.setTimer(news ? 0 : ms, wake);
      });
  }

  /** Milliseconds until something is due. */
  async function sleep(): Promise<number> {
    const at = await nextDelegationDue(db);
    const ms = at === undefined ? LONGEST_SLEEP_MS : at * 1000 - clock.now();
    return Math.min(LONGEST_SLEEP_MS, Math.max(0, ms));
  }

  return {
    async info() {
      const { terms } = await client();
      return { publicKey: cosigner.id, fee, address: createAccount(secp, terms, secret).address };
    },
    async delegate(request, rejectReplace) {
      const id = toHex(entropy.bytes(16));
      await admit(parts, await client(), request, { id, rejectReplace, active });
      wake();
      return id;
    },
    async start() {
      wake();
    },
    async stop() {
      stopping.abort();
      cancelTimer();
      await running;
    },
  };
}

/**
 * Who may ask, and how much: each address has a budget for each kind of call, and all together no more than the server
 * can work on. Whoever is on this machine has no budget of its own, so that a proxy beside the server is not taken for
 * one greedy client; `--trust-proxy` tells its clients apart.
 */
import type { DescMethod } from '@bufbuild/protobuf';
import type { Clock } from '../../runtime/clock.ts';
import type { Peer } from '../../runtime/peer.ts';
import { createRateLimiter } from '../../runtime/rate-limiter.ts';
import { createSlots } from '../../runtime/slots.ts';
import { ArkService } from '../wire/gen/ark/v1/service_pb.ts';

/**
 * `read`: answered from the books. `proof`: signatures to verify, a place in a queue, a part in a batch. `submission`:
 * an off-chain payment. `stream`: opening one.
 */
export type CallKind = 'read' | 'proof' | 'submission' | 'stream';

export interface Gate {
  /** Resolves when the call may begin, with what has to be called at its end. Throws `RATE_LIMITED` or `UNAVAILABLE`. */
  enter(peer: Peer, method: DescMethod): Promise<() => void>;
}

/** Calls that are worked on at once, that wait for it, and for how long. */
const MOST_RUNNING = 256;
const MOST_WAITING = 4_096;
const PATIENCE_MS = 10_000;

/** Calls a second and at once; a wallet that opens with a hundred scripts does not meet them. */
const BUDGETS = {
  read: { perSecond: 100, burst: 1_000 },
  proof: { perSecond: 20, burst: 200 },
  submission: { perSecond: 20, burst: 200 },
  stream: { perSecond: 5, burst: 100 },
} as const;

const PROOFS = new Set<DescMethod>([
  ArkService.method.registerIntent,
  ArkService.method.estimateIntentFee,
  ArkService.method.deleteIntent,
  ArkService.method.getIntent,
  ArkService.method.confirmRegistration,
  ArkService.method.submitTreeNonces,
  ArkService.method.submitTreeSignatures,
  ArkService.method.submitSignedForfeitTxs,
  ArkService.method.getPendingTx,
]);
const SUBMISSIONS = new Set<DescMethod>([ArkService.method.submitTx, ArkService.method.finalizeTx]);

function kindOf(method: DescMethod): CallKind {
  if (method.methodKind !== 'unary') return 'stream';
  if (PROOFS.has(method)) return 'proof';
  return SUBMISSIONS.has(method) ? 'submission' : 'read';
}

export interface GateOptions {
  readonly clock: Clock;
  /** How much of the usual budgets an address has: 1 for all of it, 0 for no limit. */
  readonly rateFactor: number;
}

export function createGate({ clock, rateFactor }: GateOptions): Gate {
  const scaled = Object.fromEntries(
    Object.entries(BUDGETS).map(([kind, { perSecond, burst }]) => [
      kind,
      { perSecond: perSecond * rateFactor, burst: burst * rateFactor },
    ]),
  ) as Record<CallKind, { perSecond: number; burst: number }>;
  const limiter = createRateLimiter(clock, scaled);
  const slots = createSlots(clock, { mostRunning: MOST_RUNNING, mostWaiting: MOST_WAITING, patienceMs: PATIENCE_MS });
  return {
    enter(peer, method) {
      if (rateFactor > 0) limiter.spend(peer, kindOf(method));
      return slots.take();
    },
  };
}

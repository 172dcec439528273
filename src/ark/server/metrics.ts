/** What the Ark server counts and times as it works; `gauges.ts` has what is looked up when somebody asks. */
import type { Metrics } from '../../runtime/metrics.ts';
import type { BatchState } from '../protocol/batch.ts';
import { ARK_ERRORS } from '../wire/errors.ts';
import { STATUS_CODES } from '../wire/status.ts';
import type { Door } from './door.ts';

const MS_TO_MINUTE = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60] as const;
const POWERS_OF_TWO = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048] as const;
/** Refusals that are not Ark's own. */
const REFUSALS = [
  'MALFORMED_REQUEST',
  'UNAUTHENTICATED',
  'PERMISSION_DENIED',
  'RATE_LIMITED',
  'UNEXPECTED',
  ...STATUS_CODES,
] as const;
const PHASES = ['gathering', 'confirming', 'building', 'noncing', 'signing', 'forfeiting', 'finalizing'] as const;

export const createArkMetrics = (metrics: Metrics) => ({
  /** A batch has come to its end. */
  batches: metrics.counter('canalworks_ark_batches_total', 'Batches by how they ended.', {
    outcome: ['settled', 'failed'],
  }),
  /** Intents of a batch that settled. */
  batchIntents: metrics.histogram('canalworks_ark_batch_intents', 'Intents in a settled batch.', {}, POWERS_OF_TWO),
  phaseSeconds: metrics.histogram(
    'canalworks_ark_batch_phase_seconds',
    'How long batches stayed in each phase.',
    { phase: PHASES },
    MS_TO_MINUTE,
  ),
  /** Off-chain payments that were accepted, from the request to the durable answer. */
  offchainSeconds: metrics.histogram(
    'canalworks_ark_offchain_seconds',
    'Time to answer an accepted off-chain call.',
    { call: ['submit', 'finalize'] },
    MS_TO_MINUTE,
  ),
  sweeps: metrics.counter('canalworks_ark_sweeps_total', 'Sweep transactions by what became of them.', {
    outcome: ['broadcast', 'refused', 'confirmed'],
  }),
  /** `checkpoint`: a VTXO spent off-chain was put on chain; `forfeit`: one that a batch has settled. */
  fraud: metrics.counter('canalworks_ark_fraud_total', 'Spent VTXOs that were put on chain, and our answers.', {
    kind: ['checkpoint', 'forfeit'],
    outcome: ['noticed', 'answered', 'failed'],
  }),
  convictions: metrics.counter('canalworks_ark_convictions_total', 'Convictions by crime.', {
    crime: ['CONFIRMATION', 'NONCES', 'SIGNATURES', 'FORFEIT', 'BOARDING_SIGNATURE', 'DOUBLE_SPEND', 'MANUAL'],
  }),
  slowStreams: metrics.counter(
    'canalworks_ark_slow_streams_total',
    'Streams cut off because their listeners did not read.',
    {},
  ),
  refusals: metrics.counter('canalworks_ark_refusals_total', 'Requests that were refused, by code.', {
    code: [...REFUSALS, ...(Object.keys(ARK_ERRORS) as (keyof typeof ARK_ERRORS)[])],
  }),
});

export type ArkMetrics = ReturnType<typeof createArkMetrics>;

type Phase = (typeof PHASES)[number];
const isPhase = (at: BatchState['at']): at is Phase => (PHASES as readonly string[]).includes(at);

/** Times the phases of a batch. Tell it of every state the batch machine is in, with the time in milliseconds. */
export function createPhaseWatch({ phaseSeconds }: ArkMetrics): (at: BatchState['at'], nowMs: number) => void {
  let last: { readonly at: BatchState['at']; readonly since: number } | undefined;
  return (at, nowMs) => {
    if (last?.at === at) return;
    if (last && isPhase(last.at)) phaseSeconds.observe({ phase: last.at }, (nowMs - last.since) / 1000);
    last = { at, since: nowMs };
  };
}

/** `/metrics`, for whoever reaches the door: it tells sums and counts, nothing of anybody's. */
export function mountMetrics({ app }: Door, metrics: Metrics): void {
  app.get('/metrics', async (c) => c.body(await metrics.print(), 200, { 'content-type': metrics.contentType }));
}

/** What is looked up when Prometheus asks: streams, the queue, liquidity, and whether chain and database are there. */
import type { Metrics } from '../../runtime/metrics.ts';
import { remembered } from '../../runtime/recent.ts';
import type { Streams } from '../../runtime/sse.ts';
import type { ArkContext } from './context.ts';
import type { EventHub } from './event-hub.ts';
import type { Health } from './health.ts';
import { countBanned } from './store/convictions.ts';
import { countQueued } from './store/intents.ts';
import { owed } from './store/liquidity.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Sums over all VTXOs are made no more often than this. */
const SUMS_AGE_MS = 30_000;

export interface GaugeParts {
  readonly ctx: ArkContext;
  readonly health: Health;
  readonly hub: EventHub;
  readonly streams: Streams;
  readonly subscriptions: Subscriptions;
}

export function mountGauges(metrics: Metrics, { ctx, health, hub, streams, subscriptions }: GaugeParts): void {
  const { db, chain, wallet, clock } = ctx;
  const sums = remembered(SUMS_AGE_MS, clock.now, () => owed(db));

  metrics.gauge(
    'canalworks_up',
    'Whether chain and database can be used.',
    { part: ['chain', 'database'] },
    async () => {
      const troubles = await health.troubles();
      return (['chain', 'database'] as const).map((part) => ({
        labels: { part },
        value: troubles.some((trouble) => trouble.part === part) ? 0 : 1,
      }));
    },
  );
  metrics.gauge('canalworks_chain_height', 'Height of the best block.', {}, async () => [
    { labels: {}, value: (await chain.tip()).height },
  ]);
  metrics.gauge('canalworks_ark_streams', 'Open event streams.', { kind: ['batch', 'transactions', 'scripts'] }, () => [
    { labels: { kind: 'batch' }, value: hub.size },
    { labels: { kind: 'transactions' }, value: streams.size - hub.size - subscriptions.attended },
    { labels: { kind: 'scripts' }, value: subscriptions.attended },
  ]);
  metrics.gauge('canalworks_ark_subscriptions', 'Script subscriptions, attended or not.', {}, () => [
    { labels: {}, value: subscriptions.size },
  ]);
  metrics.gauge('canalworks_ark_banned_scripts', 'Input scripts that are banned now.', {}, async () => [
    { labels: {}, value: await countBanned(db, ctx.settings().banThreshold, ctx.nowSeconds()) },
  ]);
  metrics.gauge('canalworks_ark_queued_intents', 'Intents that wait for a batch.', {}, async () => [
    { labels: {}, value: await countQueued(db) },
  ]);
  metrics.gauge(
    'canalworks_ark_wallet_sats',
    "The server's own coins.",
    { state: ['available', 'locked'] },
    async () => {
      const { available, locked } = await wallet.balance();
      return [
        { labels: { state: 'available' }, value: Number(available) },
        { labels: { state: 'locked' }, value: Number(locked) },
      ];
    },
  );
  const states = { state: ['spendable', 'recoverable'] } as const;
  metrics.gauge('canalworks_ark_owed_sats', 'What users own in VTXOs.', states, async () => {
    const { spendable, recoverable } = await sums();
    return [
      { labels: { state: 'spendable' }, value: Number(spendable) },
      { labels: { state: 'recoverable' }, value: Number(recoverable) },
    ];
  });
  metrics.gauge('canalworks_ark_vtxos', 'VTXOs that are neither spent nor on chain.', states, async () => {
    const { spendableCount, recoverableCount } = await sums();
    return [
      { labels: { state: 'spendable' }, value: spendableCount },
      { labels: { state: 'recoverable' }, value: recoverableCount },
    ];
  });
}

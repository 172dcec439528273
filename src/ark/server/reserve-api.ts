/** What an operator is told of the coins for answers to fraud. */
import type { Metrics } from '../../runtime/metrics.ts';
import { ADMIN_ROUTES } from '../wire/routes.ts';
import type { Door } from './door.ts';
import type { Reserve } from './reserve.ts';

export function mountReserve(door: Door, metrics: Metrics, reserve: Reserve): void {
  door.on(ADMIN_ROUTES.reserve, async () => {
    const { amount, coinAmount, exposedAmount, shortfall, ...counts } = await reserve.state();
    return {
      ...counts,
      amount: `${amount}`,
      coinAmount: `${coinAmount}`,
      exposedAmount: `${exposedAmount}`,
      shortfall: `${shortfall}`,
    };
  });
  metrics.gauge(
    'canalworks_ark_reserve_coins',
    'Coins kept apart to pay for answers to fraud.',
    { state: ['ready', 'pending', 'wanted'] },
    async () => {
      const state = await reserve.state();
      return (['ready', 'pending', 'wanted'] as const).map((name) => ({ labels: { state: name }, value: state[name] }));
    },
  );
  metrics.gauge(
    'canalworks_ark_reserve_shortfall_sats',
    'What the wallet would have to receive to have those coins.',
    {},
    async () => [{ labels: {}, value: Number((await reserve.state()).shortfall) }],
  );
  metrics.gauge('canalworks_ark_exposed_vtxos', 'Spent VTXOs that could still be put on chain.', {}, async () => [
    { labels: {}, value: (await reserve.state()).exposed },
  ]);
}

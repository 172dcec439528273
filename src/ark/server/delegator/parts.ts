/** What the delegator is given. It is a client of the Ark server and knows it by its public API alone. */
import type { Bytes } from '../../../base/bytes.ts';
import type { Sats } from '../../../base/units.ts';
import type { Chain } from '../../../chain/chain.ts';
import type { Secp } from '../../../crypto/secp.ts';
import type { Clock } from '../../../runtime/clock.ts';
import type { Entropy } from '../../../runtime/entropy.ts';
import type { Log } from '../../../runtime/log.ts';
import type { Metrics } from '../../../runtime/metrics.ts';
import type { Db } from '../../../store/db.ts';
import { type ArkClient, connect, createAggregators } from '../../client/client.ts';
import type { Transport } from '../../client/transport.ts';

export interface DelegatorParts {
  /** Migrated with `ARK_MIGRATIONS`. */
  readonly db: Db;
  readonly chain: Pick<Chain, 'tip'>;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly secp: Secp;
  /** Reaches the Ark server. */
  readonly transport: Transport;
  /** The delegate's key. */
  readonly secret: Bytes;
  /** Asked for each delegation: nothing, or at least dust. */
  readonly fee: Sats;
  /** On chain: where what has been earned is paid out. */
  readonly payoutScript: Bytes;
  readonly metrics: Metrics;
}

export const nowSeconds = ({ clock }: Pick<DelegatorParts, 'clock'>): number => Math.floor(clock.now() / 1000);

/** Asks for the server's terms anew each time: they change, and what is agreed under old ones is refused. */
export function clientOf({ transport, secp, entropy }: DelegatorParts): () => Promise<ArkClient> {
  const aggregators = createAggregators(secp);
  return () => connect({ transport, secp, random: entropy.bytes, aggregators });
}

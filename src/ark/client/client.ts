/** What every deed of a client needs: a way to the server, the server's terms, cryptography and chance. */
import { type Bytes, toHex } from '../../base/bytes.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { KeyAggregator } from '../../txgraph/cosign.ts';
import { batchAggregator } from '../protocol/batch-tree.ts';
import type { Fields } from '../wire/request.ts';
import { ARK_ROUTES } from '../wire/routes.ts';
import { parseTerms, type ServerTerms } from './terms.ts';
import type { Call, Transport } from './transport.ts';

/** The aggregator of all batches with this sweep script. */
export type Aggregators = (sweep: Bytes) => KeyAggregator;

export interface ClientParts {
  readonly transport: Transport;
  readonly secp: Secp;
  /** Fresh random bytes. */
  readonly random: (length: number) => Bytes;
  /** Shared by the clients of one process, no key set is aggregated twice. */
  readonly aggregators: Aggregators;
}

export interface ArkClient extends ClientParts {
  readonly terms: ServerTerms;
}

/** Sweep scripts differ by the expiry alone, so that there are few of them. */
export function createAggregators(secp: Secp): Aggregators {
  const known = new Map<string, KeyAggregator>();
  return (sweep) => {
    const id = toHex(sweep);
    const aggregator = known.get(id) ?? batchAggregator(secp, sweep);
    known.set(id, aggregator);
    return aggregator;
  };
}

/** Asks the server for its terms. */
export async function connect(parts: ClientParts): Promise<ArkClient> {
  return { ...parts, terms: parseTerms(parts.secp, await parts.transport.call({ route: ARK_ROUTES.getInfo })) };
}

/** Posts under the terms that the client knows. */
export const post = ({ transport, terms }: Pick<ArkClient, 'transport' | 'terms'>, call: Call): Promise<Fields> =>
  transport.call({ ...call, headers: { 'x-digest': terms.digest } });

/** The chain of a world as a client sees it: through the Esplora door, without a socket. */
import type { ChainSource } from '../../src/ark/client/chain-source.ts';
import { createEsploraSource } from '../../src/ark/client/esplora.ts';
import { createEsplora } from '../../src/chain/esplora/door.ts';
import type { World } from './world.ts';

export function explorerOf({ chain }: Pick<World, 'chain'>): ChainSource {
  const app = createEsplora({ explorer: chain.explorer, chain });
  return createEsploraSource(async (url, init) => app.request(url, init), '', 'regtest');
}

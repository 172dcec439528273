/** A server and an explorer that tell of one forged lineage, as they would over their APIs. */
import type { ChainSource, Placed, SourceSpend } from '../../../../src/ark/client/chain-source.ts';
import type { ArkClient } from '../../../../src/ark/client/client.ts';
import type { Call } from '../../../../src/ark/client/transport.ts';
import type { Fields } from '../../../../src/ark/wire/request.ts';
import { INDEXER_ROUTES } from '../../../../src/ark/wire/routes.ts';
import { outpointKey, toHex } from '../../../../src/base/bytes.ts';
import { feeRate } from '../../../../src/base/units.ts';
import { psbtBase64 } from '../../../../src/bitcoin/psbt.ts';
import { type Tx, txidOf } from '../../../../src/bitcoin/tx.ts';
import type { Made } from './forged-lineage.ts';
import { client } from './support.ts';

export interface ServerLie {
  /** One page of the list of ancestors, or of the transactions, as it goes out. */
  readonly chain?: (page: Fields, index: number) => Fields;
  readonly txs?: (txs: readonly string[]) => readonly string[];
  /** What is told of the VTXO itself. */
  readonly vtxo?: Fields;
}

export const CONFIRMED: Placed = { height: 100, blockTime: 1_700_000_000 };

export function serverOf(made: Made, lie: ServerLie = {}): ArkClient {
  const { psbts, commitment, outpoint } = made;
  const entry = (txid: string, type: string) => ({ txid, type: `INDEXER_CHAINED_TX_TYPE_${type}`, spends: [] });
  const chain = [...[...psbts.keys()].map((txid) => entry(txid, 'TREE')), entry(txidOf(commitment), 'COMMITMENT')];
  const output = psbts.get(outpoint.txid)?.tx.outputs[outpoint.vout];
  const answers: Record<string, (call: Call) => Fields> = {
    [INDEXER_ROUTES.vtxoChain.path]: ({ query }) => {
      const index = Number(query!['page.index']);
      const page = { chain: index === 1 ? chain : [], page: { current: index, next: 1, total: 1 } };
      return lie.chain?.(page, index) ?? page;
    },
    [INDEXER_ROUTES.virtualTxs.path]: ({ params }) => {
      const txids = `${params!.txids}`.split(',');
      const txs = txids.flatMap((txid) => psbts.get(txid as never) ?? []).map(psbtBase64);
      return { txs: lie.txs?.(txs) ?? txs };
    },
    [INDEXER_ROUTES.vtxos.path]: () => ({
      vtxos: [
        {
          outpoint,
          amount: `${output?.value ?? 0n}`,
          script: toHex(output?.script ?? new Uint8Array()),
          expiresAt: '244',
          isPreconfirmed: true,
          commitmentTxids: [txidOf(commitment)],
          ...lie.vtxo,
        },
      ],
    }),
  };
  return { ...client, transport: { ...client.transport, call: async (call) => answers[call.route.path]!(call) } };
}

export interface ChainStory {
  readonly height?: number;
  readonly confirmation?: Placed | undefined;
  /** Transactions beside the commitment that the chain has. */
  readonly txs?: readonly Tx[];
  readonly knowsCommitment?: boolean;
}

export function chainOf({ commitment }: Made, story: ChainStory = {}): ChainSource {
  const { height = 110, txs = [], knowsCommitment = true } = story;
  const confirmation = 'confirmation' in story ? story.confirmation : CONFIRMED;
  const placed = confirmation ? { confirmation } : {};
  const known = [...(knowsCommitment ? [commitment] : []), ...txs];
  return {
    tip: async () => ({ height, medianTime: 1_700_006_000 }),
    async transaction(txid) {
      const tx = known.find((each) => txidOf(each) === txid);
      return tx && { tx, ...placed };
    },
    async spender(outpoint): Promise<SourceSpend | undefined> {
      const key = outpointKey(outpoint);
      const tx = known.find(({ inputs }) => inputs.some(({ prevout }) => outpointKey(prevout) === key));
      return tx && { txid: txidOf(tx), ...placed };
    },
    unspent: async () => [],
    feeRate: async () => feeRate(1),
    broadcast: async () => {},
    broadcastPackage: async () => {},
  };
}

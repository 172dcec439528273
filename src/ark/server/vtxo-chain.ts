/**
 * The transactions between a VTXO and the chain, breadth first: each hop is an ark transaction and its checkpoints,
 * until a batch's tree is reached. Read from the database a few hundred hops at a time, however deep it goes.
 */
import type { OutpointKey, Txid } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import { demand } from '../protocol/errors.ts';
import { ancestorsDownTo, type Descendant, type TreeStep, treeStepsUp } from './store/ancestry.ts';
import type { Reader } from './store/vtxos.ts';

export type ChainedTxType = 'COMMITMENT' | 'ARK' | 'TREE' | 'CHECKPOINT';

/** One transaction between a VTXO and the chain. */
export interface ChainedTx {
  readonly txid: Txid;
  readonly type: ChainedTxType;
  readonly expiresAt: number;
  /** What it spends: txids, or for a checkpoint the outpoint of its VTXO. */
  readonly spends: readonly string[];
}

export interface VtxoChain {
  readonly txs: readonly ChainedTx[];
  /** There is more than was asked for. */
  readonly more: boolean;
}

/** Off-chain transactions that are read at once. */
const STRIDE = 512;

/** What has been read of a VTXO's ancestors: always all that are at least so deep, and no more than was needed. */
function createAncestry(db: Reader, start: Descendant) {
  const known = new Map<OutpointKey, Descendant>([[start.outpoint, start]]);
  const wanted = new Set<OutpointKey>();
  let floor = start.depth;

  const learn = (vtxo: Descendant): void => {
    known.set(vtxo.outpoint, vtxo);
    wanted.delete(vtxo.outpoint);
    for (const { outpoint } of vtxo.parents) if (!known.has(outpoint)) wanted.add(outpoint);
  };
  learn(start);

  return async (outpoint: OutpointKey): Promise<Descendant> => {
    if (!known.has(outpoint)) {
      floor -= STRIDE;
      for (const vtxo of await ancestorsDownTo(db, [...wanted], floor)) learn(vtxo);
    }
    const vtxo = known.get(outpoint);
    invariant(vtxo, 'what was spent off-chain is a VTXO');
    return vtxo;
  };
}

/** The chain of `outpoint`, or at least its first `limit` transactions. Throws `VTXO_NOT_FOUND`. */
export async function walkChain(db: Reader, outpoint: OutpointKey, limit: number): Promise<VtxoChain> {
  const [start] = await ancestorsDownTo(db, [outpoint], Number.MAX_SAFE_INTEGER);
  demand(start && start.origin !== 'note', 'VTXO_NOT_FOUND', `${outpoint} is no VTXO`, { vtxo_outpoint: outpoint });
  const vtxoAt = createAncestry(db, start);
  const txs: ChainedTx[] = [];
  const commitments: ChainedTx[] = [];
  const seen = new Set<Txid>();
  const add = (tx: ChainedTx, list = txs): boolean => {
    if (seen.has(tx.txid)) return false;
    seen.add(tx.txid);
    list.push(tx);
    return true;
  };

  function addHop({ txid, expiresAt, parents }: Descendant): void {
    add({ txid, type: 'ARK', expiresAt, spends: parents.map(({ checkpointTxid }) => checkpointTxid) });
    for (const { checkpointTxid, outpoint: spent } of parents) {
      add({ txid: checkpointTxid, type: 'CHECKPOINT', expiresAt, spends: [spent] });
    }
  }

  /** From the leaf to the commitment, which comes last in the whole chain: all else stands between it and the VTXO. */
  function addBranch({ txid, expiresAt }: Descendant, steps: ReadonlyMap<Txid, TreeStep>): void {
    for (let step = steps.get(txid); step; step = steps.get(step.parentTxid)) {
      if (!add({ txid: step.txid, type: 'TREE', expiresAt, spends: [step.parentTxid] })) return;
      if (step.parentTxid !== step.commitmentTxid) continue;
      add({ txid: step.commitmentTxid, type: 'COMMITMENT', expiresAt, spends: [] }, commitments);
    }
  }

  for (let generation: readonly Descendant[] = [start]; generation.length > 0; ) {
    if (txs.length > limit) return { txs, more: true };
    const leaves = generation.filter((vtxo) => vtxo.origin === 'batch').map((vtxo) => vtxo.txid);
    const steps = new Map((await treeStepsUp(db, leaves)).map((step) => [step.txid, step]));
    const parents = new Set<OutpointKey>();
    for (const vtxo of generation) {
      if (seen.has(vtxo.txid)) continue;
      if (vtxo.origin === 'batch') addBranch(vtxo, steps);
      else {
        addHop(vtxo);
        for (const parent of vtxo.parents) parents.add(parent.outpoint);
      }
    }
    const next: Descendant[] = [];
    for (const parent of parents) next.push(await vtxoAt(parent));
    generation = next;
  }
  return { txs: [...txs, ...commitments], more: false };
}

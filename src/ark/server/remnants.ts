/**
 * What the server may take back now: of an expired batch its output, or after a partial unroll whatever outputs of its
 * tree stand on chain; its connectors, once no forfeit can need them; and checkpoints that nobody went on from.
 */
import { equal, fromHex, type Outpoint, type Txid } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import { parseClosure } from '../../bitcoin/closure.ts';
import { parsePsbt } from '../../bitcoin/psbt.ts';
import type { RelativeTimelock } from '../../bitcoin/timelock.ts';
import type { ChainOutput, Confirmation, Tip } from '../../chain/chain.ts';
import { BATCH_OUTPUT, CONNECTOR_OUTPUT } from '../protocol/batch-tree.ts';
import { leafOfVtxo, revealedLeaf } from '../protocol/leaf-spend.ts';
import { checkpointScript } from '../protocol/offchain.ts';
import { expiryOf } from '../protocol/psbt-fields.ts';
import type { ArkContext } from './context.ts';
import { checkpointTapscript } from './offchain.ts';
import {
  areConnectorsNeeded,
  type Batch,
  type TreeLink,
  type TreeName,
  treeLinks,
  treeTxById,
} from './store/batches.ts';
import { openCases } from './store/cases.ts';
import { type CheckpointTx, checkpointById, offchainTxById } from './store/offchain.ts';
import { NO_WAIT, type Remnant, treeRemnantLeaf, waiting, worthUpTo } from './sweep-tx.ts';

export interface Remnants {
  /** Of an expired batch; `isDone` once nothing is or will be left of it, whatever reorganization may come. */
  ofBatch(batch: Batch, tip: Tip): Promise<{ readonly remnants: readonly Remnant[]; readonly isDone: boolean }>;
  ofCheckpoints(tip: Tip): Promise<readonly Remnant[]>;
  /** What a batch's tree has on chain unspent, ripe or not. */
  standing(batch: Batch, tip: Tip): Promise<readonly Standing[]>;
}

export interface Standing {
  readonly outpoint: Outpoint;
  /** Satoshi. */
  readonly value: bigint;
  /** The height or unix seconds from which on it may be swept; `undefined` while it is in no block. */
  readonly ripeAt: number | undefined;
}

/** Confirmations after which a spend is taken for good. */
export const BURIED_DEPTH = 12;
/** Satoshi per virtual byte below which nodes relay nothing: what is not worth this will never be. */
const LEAST_RATE = 1;

/** An unspent output of a tree, with the node that would have spent it; without one for a connector. */
interface Unspent {
  readonly outpoint: Outpoint;
  readonly output: ChainOutput;
  readonly node?: TreeLink;
}

const depthOf = (at: Confirmation | undefined, tip: Tip): number => (at ? tip.height - at.height + 1 : 0);

/** BIP68, told conservatively for times: the confirming block's own time instead of the median before it. */
export const isUnlocked = (at: Confirmation | undefined, lock: RelativeTimelock, tip: Tip): boolean =>
  at !== undefined &&
  (lock.type === 'blocks' ? tip.height + 1 - at.height >= lock.value : tip.medianTime - at.blockTime >= lock.value);

export function createRemnants(ctx: ArkContext): Remnants {
  const { db, chain, wallet } = ctx;
  const unfit = new Set<Txid>();

  /** The frontier of a tree: its outputs that stand on chain unspent. */
  async function frontierOf(commitmentTxid: Txid, tree: TreeName, tip: Tip) {
    const links = await treeLinks(db, commitmentTxid, tree);
    const nodes = new Map(links.map((link) => [link.txid, link]));
    const root = links.find((link) => link.parentTxid === commitmentTxid);
    const vout = tree === 'vtxo' ? BATCH_OUTPUT : CONNECTOR_OUTPUT;
    const unspent: Unspent[] = [];
    let isBuried = true;
    const queue: { outpoint: Outpoint; node?: TreeLink }[] = root
      ? [{ outpoint: { txid: commitmentTxid, vout }, node: root }]
      : [];
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { outpoint, node } = next;
      const output = await chain.output(outpoint);
      if (depthOf(output?.spentBy?.confirmation, tip) < BURIED_DEPTH) isBuried = false;
      if (!output) continue;
      if (!output.spentBy) unspent.push({ outpoint, output, ...(node && { node }) });
      if (!node || output.spentBy?.txid !== node.txid) continue;
      for (const [index, child] of Object.entries(node.children)) {
        queue.push({ outpoint: { txid: node.txid, vout: Number(index) }, node: nodes.get(child)! });
      }
      const isConnector = tree === 'connector' && Object.keys(node.children).length === 0;
      if (isConnector) queue.push({ outpoint: { txid: node.txid, vout: 0 } });
    }
    return { unspent, isBuried };
  }

  async function expiryBelow({ node }: Unspent) {
    const stored = await treeTxById(db, node!.txid);
    const expiry = stored && expiryOf(parsePsbt(stored.psbt).inputs[0]!);
    invariant(expiry, 'a tree transaction names the expiry of its batch');
    return { stored, expiry };
  }

  async function treeRemnant(commitmentTxid: Txid, unspent: Unspent, tip: Tip) {
    const { outpoint, output } = unspent;
    const { stored, expiry } = await expiryBelow(unspent);
    if (!isUnlocked(output.confirmation, expiry, tip)) return [];
    const leaf = treeRemnantLeaf(ctx, stored.psbt, expiry);
    return [{ outpoint, output, sequence: waiting(expiry), leaf, commitmentTxid }];
  }

  async function ofConnectors(commitmentTxid: Txid, tip: Tip) {
    const { unspent, isBuried } = await frontierOf(commitmentTxid, 'connector', tip);
    if (unspent.length === 0) return { remnants: [], isDone: isBuried };
    if (await areConnectorsNeeded(db, commitmentTxid)) return { remnants: [], isDone: false };
    const confirmed = unspent.filter(({ output }) => output.confirmation);
    const remnants = confirmed
      .map(({ outpoint, output }): Remnant => ({ outpoint, output, sequence: NO_WAIT, commitmentTxid }))
      .filter((remnant) => worthUpTo(remnant, wallet.script) >= LEAST_RATE);
    return { remnants, isDone: false };
  }

  async function checkpointRemnant(stored: CheckpointTx, tip: Tip): Promise<Remnant[]> {
    const outpoint = { txid: stored.txid, vout: 0 };
    const output = await chain.output(outpoint);
    if (!output?.confirmation || output.spentBy) return [];
    const own = stored.tapscript === undefined ? checkpointTapscript(ctx) : fromHex(stored.tapscript);
    const collaborative = revealedLeaf(parsePsbt(stored.psbt).inputs[0]!);
    const closure = parseClosure(own);
    invariant(collaborative && closure?.kind === 'csv', 'a checkpoint has two leaves');
    const vtxo = checkpointScript(ctx.secp, own, collaborative.script);
    if (!equal(vtxo.script, output.script)) {
      if (!unfit.has(stored.txid)) ctx.log.error({ checkpoint: stored.txid }, 'the delay of a checkpoint is not known');
      unfit.add(stored.txid);
      return [];
    }
    if (!isUnlocked(output.confirmation, closure.timelock, tip)) return [];
    const { script, controlBlock } = leafOfVtxo(vtxo, own)!;
    return [{ outpoint, output, sequence: waiting(closure.timelock), leaf: { script, controlBlock } }];
  }

  return {
    async ofBatch({ commitmentTxid }, tip) {
      const { unspent, isBuried } = await frontierOf(commitmentTxid!, 'vtxo', tip);
      const remnants: Remnant[] = [];
      for (const each of unspent) remnants.push(...(await treeRemnant(commitmentTxid!, each, tip)));
      const connectors = await ofConnectors(commitmentTxid!, tip);
      return {
        remnants: [...remnants, ...connectors.remnants],
        isDone: unspent.length === 0 && isBuried && connectors.isDone,
      };
    },

    async standing({ commitmentTxid }, tip) {
      const { unspent } = await frontierOf(commitmentTxid!, 'vtxo', tip);
      return Promise.all(
        unspent.map(async (each): Promise<Standing> => {
          const { value, confirmation: at } = each.output;
          const { expiry } = await expiryBelow(each);
          const from = expiry.type === 'blocks' ? at?.height : at?.blockTime;
          return { outpoint: each.outpoint, value, ripeAt: from === undefined ? undefined : from + expiry.value };
        }),
      );
    },

    async ofCheckpoints(tip) {
      const found: Remnant[] = [];
      for (const { arkTxid, spentBy } of await openCases(db)) {
        // Without finality the sender never gave its VTXO away.
        if (!arkTxid || (await offchainTxById(db, arkTxid))?.finalizedAt === undefined) continue;
        const stored = await checkpointById(db, spentBy!);
        invariant(stored, 'a VTXO spent off-chain has its checkpoint');
        found.push(...(await checkpointRemnant(stored, tip)));
      }
      return found;
    },
  };
}

/**
 * Takes back what is left of expired batches: the batch output, or after a partial unroll whatever outputs of its tree
 * stand on chain unspent. Looks again at every block and remembers nothing that the chain and the books do not say.
 */
import { fromHex, type Outpoint, type Txid, toHex } from '../../base/bytes.ts';
import { invariant, ProtocolError } from '../../base/errors.ts';
import { type FeeRate, sumSats } from '../../base/units.ts';
import { parsePsbt } from '../../bitcoin/psbt.ts';
import { taprootSighash } from '../../bitcoin/sighash.ts';
import { controlBlock, leafHash, outputKey } from '../../bitcoin/taproot.ts';
import { isMature, type RelativeTimelock, toSequence } from '../../bitcoin/timelock.ts';
import { parseTx, type Tx, type TxOut, txHex, txIn, txidOf, vsizeOf } from '../../bitcoin/tx.ts';
import type { Confirmation, Tip } from '../../chain/chain.ts';
import { BATCH_OUTPUT, batchAggregator, sweepScript } from '../protocol/batch-tree.ts';
import { cosignersOf, expiryOf } from '../protocol/psbt-fields.ts';
import type { ArkContext } from './context.ts';
import type { Notifier } from './notifier.ts';
import { type Batch, closeBatch, type TreeTx, treeTxs, unsweptBatches } from './store/batches.ts';
import { confirmSweep, deleteSweep, insertSweep, type Sweep, unconfirmedSweeps } from './store/sweeps.ts';
import { markSwept } from './store/vtxos.ts';

export interface Sweeper {
  /** Sweeps what is due and follows up on earlier sweeps. Call at start and at every block. */
  sweep(): Promise<void>;
}

/** An unspent output of a batch's tree, with the node that would have spent it. */
interface Remnant {
  readonly outpoint: Outpoint;
  readonly output: TxOut;
  readonly confirmation: Confirmation | undefined;
  readonly node: TreeTx;
}

const SWEEP_VERSION = 2;
const CONFIRM_WITHIN_BLOCKS = 6;

export function createSweeper(ctx: ArkContext, notifier: Notifier): Sweeper {
  const { db, chain, secp, log } = ctx;
  // A recoverable VTXO is paid without forfeit, so its batch must be gone for good: a sweep in the mempool can still
  // be replaced by the owner's own unroll. Regtest trades that for not having to mine one more block.
  const waitsForBlock = chain.network !== 'regtest';

  async function sweep(): Promise<void> {
    const tip = await chain.tip();
    for (const earlier of await unconfirmedSweeps(db)) await followUp(earlier);
    for (const batch of await unsweptBatches(db)) if (isMature(batch.expiresAt, tip)) await sweepBatch(batch, tip);
  }

  async function sweepBatch(batch: Batch, tip: Tip): Promise<void> {
    const nodes = await nodesOf(batch.commitmentTxid!);
    const remnants = await remnantsOf(batch, nodes);
    if (remnants.length === 0) return db.write((tx) => closeBatch(tx, batch.id));
    const expiry = expiryOf(parsePsbt(remnants[0]!.node.psbt).inputs[0]!);
    invariant(expiry, 'a tree transaction names the expiry of its batch');
    const mature = remnants.filter((remnant) => isUnlocked(remnant.confirmation, expiry, tip));
    if (mature.length === 0) return;
    const tx = signSweep(mature, expiry, await chain.feeRate(CONFIRM_WITHIN_BLOCKS));
    if (!tx) return log.debug({ batch: batch.id }, 'what is left of a batch is not worth its fee');
    await record(batch, tx);
    const leaves = mature.flatMap(({ node }) => leavesBelow(node, nodes));
    if (!waitsForBlock) await mark(tx, leaves);
  }

  async function nodesOf(commitmentTxid: Txid): Promise<ReadonlyMap<Txid, TreeTx>> {
    const all = { limit: Number.MAX_SAFE_INTEGER, offset: 0 };
    const { txs } = await treeTxs(db, commitmentTxid, 'vtxo', all);
    return new Map(txs.map((tx) => [tx.txid, tx]));
  }

  async function remnantsOf(batch: Batch, nodes: ReadonlyMap<Txid, TreeTx>): Promise<Remnant[]> {
    const root = [...nodes.values()].find((node) => node.parentTxid === batch.commitmentTxid);
    const found: Remnant[] = [];
    const queue = root ? [{ outpoint: { txid: batch.commitmentTxid!, vout: BATCH_OUTPUT }, node: root }] : [];
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { outpoint, node } = next;
      const output = await chain.output(outpoint);
      if (!output) continue;
      if (!output.spentBy) found.push({ outpoint, output, confirmation: output.confirmation, node });
      if (output.spentBy?.txid !== node.txid) continue;
      for (const [vout, child] of Object.entries(node.children)) {
        queue.push({ outpoint: { txid: node.txid, vout: Number(vout) }, node: nodes.get(child)! });
      }
    }
    return found;
  }

  function signSweep(remnants: readonly Remnant[], expiry: RelativeTimelock, rate: FeeRate): Tx | undefined {
    const leaf = sweepScript(expiry, fromHex(ctx.publicKeys.forfeit).slice(1));
    const aggregator = batchAggregator(secp, leaf);
    const hash = leafHash(leaf);
    const prevouts = remnants.map(({ output }) => ({ value: output.value, script: output.script }));
    const controls = remnants.map(({ node }) => {
      const cosigners = cosignersOf(parsePsbt(node.psbt).inputs[0]!).map(toHex);
      const { internal } = aggregator.of(cosigners);
      return controlBlock(internal, outputKey(secp, internal, hash).parity, []);
    });
    const unsigned = (value: bigint): Tx => ({
      version: SWEEP_VERSION,
      inputs: remnants.map(({ outpoint }) => txIn(outpoint, toSequence(expiry))),
      outputs: [{ value, script: ctx.wallet.script }],
      locktime: 0,
    });
    const withWitness = (tx: Tx, signatureOf: (index: number) => Uint8Array): Tx => ({
      ...tx,
      inputs: tx.inputs.map((input, i) => ({ ...input, witness: [signatureOf(i), leaf, controls[i]!] })),
    });
    const size = vsizeOf(withWitness(unsigned(0n), () => new Uint8Array(64)));
    const value = sumSats(prevouts.map((output) => output.value)) - BigInt(Math.ceil(size * rate));
    if (value < ctx.settings().dust) return undefined;
    const tx = unsigned(value);
    return withWitness(tx, (index) => {
      const message = taprootSighash(tx, index, prevouts, { leafHash: hash });
      invariant(message, 'a sweep input has a sighash');
      return ctx.signer.sign('forfeit', message);
    });
  }

  async function record(batch: Batch, tx: Tx): Promise<void> {
    const commitmentTxid = batch.commitmentTxid!;
    const row = { txid: txidOf(tx), commitmentTxid, tx: txHex(tx), createdAt: ctx.nowSeconds() };
    await db.write((write) => insertSweep(write, row));
    if (await broadcast(row)) log.info({ txid: row.txid, commitmentTxid }, 'swept an expired batch');
  }

  /** False when the network refuses the sweep, which is forgotten then: the next block brings a new look. */
  async function broadcast(sweepTx: Pick<Sweep, 'txid' | 'tx'>): Promise<boolean> {
    try {
      await chain.broadcast(parseTx(sweepTx.tx));
      ctx.metrics.sweeps.add({ outcome: 'broadcast' });
      return true;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      log.warn({ err: error, txid: sweepTx.txid }, 'a sweep was refused');
      ctx.metrics.sweeps.add({ outcome: 'refused' });
      await db.write((tx) => deleteSweep(tx, sweepTx.txid));
      return false;
    }
  }

  async function followUp(earlier: Sweep): Promise<void> {
    const found = await chain.transaction(earlier.txid);
    if (!found) return void (await broadcast(earlier));
    const at = found.confirmation;
    if (!at) return;
    await db.write((tx) => confirmSweep(tx, earlier.txid, at.height));
    ctx.metrics.sweeps.add({ outcome: 'confirmed' });
    if (waitsForBlock) await mark(found.tx, await leavesSweptBy(found.tx, earlier.commitmentTxid));
  }

  async function leavesSweptBy(tx: Tx, commitmentTxid: Txid): Promise<Txid[]> {
    const nodes = await nodesOf(commitmentTxid);
    const spent = new Set(tx.inputs.map(({ prevout }) => `${prevout.txid}:${prevout.vout}`));
    const cutOff = [...nodes.values()].filter((node) => spent.has(fundingOf(node)));
    return cutOff.flatMap((node) => leavesBelow(node, nodes));
  }

  async function mark(tx: Tx, leaves: readonly Txid[]): Promise<void> {
    if (!(await chain.transaction(txidOf(tx)))) return;
    const swept = await db.write((write) => markSwept(write, leaves, ctx.clock.now()));
    if (swept.length === 0) return;
    notifier.publish({
      kind: 'sweep',
      txid: txidOf(tx),
      tx: txHex(tx),
      spent: [],
      created: [],
      swept,
      checkpoints: {},
    });
  }

  return { sweep };
}

/** BIP68, told conservatively for times: the confirming block's own time instead of the median before it. */
const isUnlocked = (at: Confirmation | undefined, lock: RelativeTimelock, tip: Tip): boolean =>
  at !== undefined &&
  (lock.type === 'blocks' ? tip.height + 1 - at.height >= lock.value : tip.medianTime - at.blockTime >= lock.value);

/** The outpoint that a node of a tree spends. */
function fundingOf(node: TreeTx): string {
  const { txid, vout } = parsePsbt(node.psbt).tx.inputs[0]!.prevout;
  return `${txid}:${vout}`;
}

function leavesBelow(node: TreeTx, nodes: ReadonlyMap<Txid, TreeTx>): Txid[] {
  const children = Object.values(node.children);
  return children.length === 0 ? [node.txid] : children.flatMap((child) => leavesBelow(nodes.get(child)!, nodes));
}

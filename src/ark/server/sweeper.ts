/**
 * Takes back what is the server's again: expired batches, many in one transaction, and checkpoints that nobody went on
 * from. Follows each sweep until it is buried: broadcasts it again, replaces it by a dearer one, and where another
 * transaction wins takes back what it had marked. Looks again at every block; what is recorded are the sweeps alone.
 */
import { outpointKey, type Txid } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { isMature } from '../../bitcoin/timelock.ts';
import { parseTx, type Tx, txHex, txidOf, vsizeOf } from '../../bitcoin/tx.ts';
import type { Confirmation, Tip } from '../../chain/chain.ts';
import { createMailbox } from '../../runtime/mailbox.ts';
import { BATCH_OUTPUT } from '../protocol/batch-tree.ts';
import { refused } from '../wire/status.ts';
import type { ArkContext } from './context.ts';
import type { Notifier } from './notifier.ts';
import { BURIED_DEPTH, createRemnants, type Standing } from './remnants.ts';
import {
  type Batch,
  batchByCommitment,
  closeBatch,
  reopenBatch,
  type TreeLink,
  treeLinks,
  unconfirmedBatches,
  unsweptBatches,
} from './store/batches.ts';
import {
  confirmSweep,
  deleteSweep,
  insertSweep,
  openSweeps,
  type Sweep,
  sweepsOf,
  sweptCommitments,
} from './store/sweeps.ts';
import { markSwept, unmarkSwept } from './store/vtxos.ts';
import { inLoads, type Remnant, type SweepTx, signSweep, worthUpTo } from './sweep-tx.ts';
import type { Unrolls } from './unrolls.ts';

export interface Sweeper {
  /** Sweeps what is due and follows up on earlier sweeps. Call at start and at every block. */
  sweep(): Promise<void>;
  /**
   * Sweeps expired batches at once and whatever it costs, as one transaction can hold. Throws `NOT_FOUND` or
   * `FAILED_PRECONDITION`.
   */
  sweepNow(order: SweepOrder): Promise<Tx>;
  /** What there is to sweep, now or one day. */
  scheduled(): Promise<readonly ScheduledSweep[]>;
}

export interface SweepOrder {
  /** The batches whose trees are swept. */
  readonly commitmentTxids: readonly Txid[];
  /** Whether the connectors of all expired batches are swept as well, where no forfeit can need them. */
  readonly connectors: boolean;
}

export interface ScheduledSweep {
  readonly batch: Batch;
  readonly standing: readonly Standing[];
}

const CONFIRM_WITHIN_BLOCKS = 6;

export function createSweeper(ctx: ArkContext, notifier: Notifier, unrolls: Unrolls): Sweeper {
  const { db, chain, log, wallet } = ctx;
  // A recoverable VTXO is paid without forfeit, so its batch must be gone for good: a sweep in the mempool can still be
  // replaced by the owner's own unroll, and one in the topmost block by the next. Regtest trades that for not having to
  // mine more blocks.
  const confirmationsToCount = chain.network === 'regtest' ? 0 : 2;
  const collect = createRemnants(ctx);
  /** Sweeps whose VTXOs this process has marked. */
  const marked = new Set<Txid>();
  /** Expired batches of which nothing is worth its fee → the rate below which that changes. */
  const tooDear = new Map<string, number>();

  /** One at a time: two would want the same outputs. */
  const turns = createMailbox();
  const sweep = (): Promise<void> => turns.run('sweep', sweepDue);

  async function sweepDue(): Promise<void> {
    const tip = await chain.tip();
    for (const earlier of await openSweeps(db, tip.height - BURIED_DEPTH)) await followUp(earlier, tip);
    const rate = await chain.feeRate(CONFIRM_WITHIN_BLOCKS);
    await replaceStuck(tip, rate);
    await sweepAll(await ofExpiredBatches(tip, rate), rate, tip);
    await sweepAll(worthTheirFee(await collect.ofCheckpoints(tip), rate), rate, tip);
  }

  const worthTheirFee = (remnants: readonly Remnant[], rate: number): Remnant[] =>
    remnants.filter((remnant) => worthUpTo(remnant, wallet.script) > rate);

  async function ofExpiredBatches(tip: Tip, rate: number): Promise<Remnant[]> {
    const found: Remnant[] = [];
    for (const batch of await unsweptBatches(db)) {
      if (!isMature(batch.expiresAt, tip) || rate >= (tooDear.get(batch.id) ?? Number.POSITIVE_INFINITY)) continue;
      const { remnants, isDone } = await collect.ofBatch(batch, tip);
      if (isDone) await db.write((tx) => closeBatch(tx, batch.id));
      const worth = worthTheirFee(remnants, rate);
      found.push(...worth);
      if (remnants.length === 0 || worth.length > 0) tooDear.delete(batch.id);
      else postpone(batch.id, remnants, rate);
    }
    return found;
  }

  function postpone(batchId: string, remnants: readonly Remnant[], rate: number): void {
    const below = Math.max(...remnants.map((remnant) => worthUpTo(remnant, wallet.script)));
    tooDear.set(batchId, below);
    log.warn({ batch: batchId, rate, below }, 'what is left of a batch is not worth its fee, and waits for lower ones');
  }

  async function sweepAll(remnants: readonly Remnant[], rate: number, tip: Tip): Promise<void> {
    for (const load of inLoads(remnants, wallet.script)) await sweepTogether(load, rate, tip);
  }

  /** Where the network refuses them together, somebody else may be spending one of them: the halves are tried alone. */
  async function sweepTogether(remnants: readonly Remnant[], rate: number, tip: Tip): Promise<void> {
    const made = signSweep(ctx, remnants, rate);
    if (!made) return log.debug({ outputs: remnants.length }, 'what could be swept does not cover its fee');
    if ((await send(made, tip)) || remnants.length < 2) return;
    const half = Math.ceil(remnants.length / 2);
    await sweepTogether(remnants.slice(0, half), rate, tip);
    await sweepTogether(remnants.slice(half), rate, tip);
  }

  /** Records and broadcasts a sweep. False when it was refused, which leaves no trace. */
  async function send({ tx, fee, remnants }: SweepTx, tip: Tip): Promise<boolean> {
    const commitments = [...new Set(remnants.flatMap(({ commitmentTxid }) => commitmentTxid ?? []))];
    const row = { txid: txidOf(tx), tx: txHex(tx), fee, height: tip.height, createdAt: ctx.nowSeconds() };
    await db.write((write) => insertSweep(write, row, commitments));
    if (!(await broadcast(row))) {
      await db.write((write) => deleteSweep(write, row.txid));
      return false;
    }
    log.info({ txid: row.txid, outputs: remnants.length, batches: commitments.length }, 'swept what was due');
    if (confirmationsToCount === 0) await mark(row.txid, tx);
    return true;
  }

  const sweepNow = (order: SweepOrder): Promise<Tx> => turns.run('sweep', () => sweepOrdered(order));

  async function sweepOrdered({ commitmentTxids, connectors }: SweepOrder): Promise<Tx> {
    const tip = await chain.tip();
    const isConnector = (remnant: Remnant): boolean => remnant.leaf === undefined;
    const remnants: Remnant[] = [];
    for (const commitmentTxid of new Set(commitmentTxids)) {
      const batch = await expiredBatch(commitmentTxid, tip);
      remnants.push(...(await collect.ofBatch(batch, tip)).remnants.filter((remnant) => !isConnector(remnant)));
    }
    for (const batch of connectors ? await unsweptBatches(db) : []) {
      if (!isMature(batch.expiresAt, tip)) continue;
      remnants.push(...(await collect.ofBatch(batch, tip)).remnants.filter(isConnector));
    }
    const [load] = inLoads(remnants, wallet.script);
    if (!load) throw refused('FAILED_PRECONDITION', 'there is nothing to sweep');
    const made = signSweep(ctx, load, await chain.feeRate(CONFIRM_WITHIN_BLOCKS));
    if (!made) throw refused('FAILED_PRECONDITION', 'what there is to sweep does not cover the fee');
    if (!(await send(made, tip))) throw refused('FAILED_PRECONDITION', 'the network refuses the sweep, see the log');
    return made.tx;
  }

  async function expiredBatch(commitmentTxid: Txid, tip: Tip): Promise<Batch> {
    const batch = await batchByCommitment(db, commitmentTxid);
    if (batch?.state !== 'final') throw refused('NOT_FOUND', `there is no batch of ${commitmentTxid}`);
    if (batch.swept) throw refused('FAILED_PRECONDITION', `the batch of ${commitmentTxid} is swept already`);
    if (isMature(batch.expiresAt, tip)) return batch;
    throw refused('FAILED_PRECONDITION', `the batch of ${commitmentTxid} expires at ${batch.expiresAt} only`);
  }

  async function scheduled(): Promise<ScheduledSweep[]> {
    const tip = await chain.tip();
    const found: ScheduledSweep[] = [];
    for (const batch of await unsweptBatches(db)) found.push({ batch, standing: await collect.standing(batch, tip) });
    for (const batch of await unconfirmedBatches(db)) found.push({ batch, standing: [] });
    return found.filter(({ batch }) => batch.summary.vtxoCount > 0);
  }

  async function broadcast({ txid, tx }: Pick<Sweep, 'txid' | 'tx'>): Promise<boolean> {
    try {
      await chain.broadcast(parseTx(tx));
      ctx.metrics.sweeps.add({ outcome: 'broadcast' });
      return true;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (error.code === 'TX_ALREADY_IN_CHAIN') return true;
      log.warn({ err: error, txid }, 'a sweep was refused');
      ctx.metrics.sweeps.add({ outcome: 'refused' });
      return false;
    }
  }

  async function followUp(earlier: Sweep, tip: Tip): Promise<void> {
    const found = await chain.transaction(earlier.txid);
    if (!found && !(await broadcast(earlier))) return forget(earlier);
    const at = found?.confirmation;
    await noteConfirmation(earlier, at);
    const depth = at ? tip.height - at.height + 1 : 0;
    if (depth >= confirmationsToCount) await mark(earlier.txid, parseTx(earlier.tx));
  }

  async function noteConfirmation({ txid, confirmedHeight }: Sweep, at: Confirmation | undefined): Promise<void> {
    if (confirmedHeight === at?.height) return;
    await db.write((tx) => confirmSweep(tx, txid, at?.height ?? null));
    if (at) ctx.metrics.sweeps.add({ outcome: 'confirmed' });
  }

  /** Something else has spent what it would have taken, or the network wants more for it: this sweep never was. */
  async function forget(lost: Sweep): Promise<void> {
    const commitments = await sweptCommitments(db, lost.txid);
    const freed = await leavesBelow(parseTx(lost.tx), commitments);
    const held = new Set<Txid>();
    for (const commitment of commitments) {
      for (const other of await sweepsOf(db, commitment)) {
        if (other.txid === lost.txid) continue;
        for (const leaf of await leavesBelow(parseTx(other.tx), [commitment])) held.add(leaf);
      }
    }
    const leaves = freed.filter((leaf) => !held.has(leaf));
    await db.write(async (tx) => {
      await deleteSweep(tx, lost.txid);
      await unmarkSwept(tx, leaves, ctx.settings().dust, ctx.clock.now());
      for (const commitment of commitments) await reopenBatch(tx, commitment);
    });
    marked.delete(lost.txid);
    log.warn({ txid: lost.txid, batches: commitments.length }, 'a sweep did not come to be');
    await unrolls.lookFor(leaves);
  }

  /** Sweeps that no block took in a while are replaced by dearer ones of the same outputs. */
  async function replaceStuck(tip: Tip, rate: number): Promise<void> {
    for (const old of await openSweeps(db, tip.height + 1)) {
      const tx = parseTx(old.tx);
      const isStuck = tip.height - old.height >= CONFIRM_WITHIN_BLOCKS && Number(old.fee) / vsizeOf(tx) < rate;
      if (isStuck) await replace(old, tx, rate, tip);
    }
  }

  async function replace(old: Sweep, tx: Tx, rate: number, tip: Tip): Promise<void> {
    const outputs = await Promise.all(tx.inputs.map(({ prevout }) => chain.output(prevout)));
    if (outputs.some((output) => output?.spentBy?.txid !== old.txid)) return;
    const remnants = tx.inputs.map(({ prevout, sequence, witness }, i): Remnant => {
      const [, script, controlBlock] = witness;
      const leaf = script && controlBlock ? { leaf: { script, controlBlock } } : {};
      return { outpoint: prevout, output: outputs[i]!, sequence, ...leaf };
    });
    // BIP125 rule 4: it pays for its own relay on top of what it replaces.
    const made = signSweep(ctx, remnants, rate, (vsize) => old.fee + BigInt(vsize));
    if (!made) return;
    const commitments = await sweptCommitments(db, old.txid);
    const row = { txid: txidOf(made.tx), tx: txHex(made.tx), fee: made.fee, height: tip.height };
    await db.write((write) => insertSweep(write, { ...row, createdAt: ctx.nowSeconds() }, commitments));
    const taken = await broadcast(row);
    await db.write((write) => deleteSweep(write, taken ? old.txid : row.txid));
    if (taken && marked.delete(old.txid)) marked.add(row.txid);
    if (taken) log.info({ txid: row.txid, replaces: old.txid, rate }, 'a sweep that was stuck pays more now');
  }

  /** The leaves of these batches' trees that `tx` has cut off from the chain. */
  async function leavesBelow(tx: Tx, commitments: readonly Txid[]): Promise<Txid[]> {
    const spent = new Set(tx.inputs.map(({ prevout }) => outpointKey(prevout)));
    const trees = await Promise.all(commitments.map((commitment) => treeLinks(db, commitment, 'vtxo')));
    return trees.flatMap((links, i) => cutOffBy(spent, commitments[i]!, links));
  }

  async function mark(txid: Txid, tx: Tx): Promise<void> {
    if (marked.has(txid)) return;
    const leaves = await leavesBelow(tx, await sweptCommitments(db, txid));
    const swept = await db.write((write) => markSwept(write, leaves, ctx.clock.now()));
    marked.add(txid);
    if (swept.length === 0) return;
    notifier.publish({ kind: 'sweep', txid, tx: txHex(tx), spent: [], created: [], swept, checkpoints: {} });
  }

  return { sweep, sweepNow, scheduled };
}

function cutOffBy(spent: ReadonlySet<string>, commitmentTxid: Txid, links: readonly TreeLink[]): Txid[] {
  const nodes = new Map(links.map((link) => [link.txid, link]));
  const leaves: Txid[] = [];
  const root = links.find((link) => link.parentTxid === commitmentTxid);
  const queue = root ? [{ node: root, from: `${commitmentTxid}:${BATCH_OUTPUT}`, isCutOff: false }] : [];
  for (let next = queue.pop(); next; next = queue.pop()) {
    const { node } = next;
    const isCutOff = next.isCutOff || spent.has(next.from);
    const children = Object.entries(node.children);
    if (children.length === 0 && isCutOff) leaves.push(node.txid);
    for (const [vout, child] of children) {
      queue.push({ node: nodes.get(child)!, from: `${node.txid}:${vout}`, isCutOff });
    }
  }
  return leaves;
}

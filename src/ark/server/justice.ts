/**
 * Answers VTXOs that were put on chain although they were spent: paid on off-chain, their checkpoint follows, so that
 * the receiver keeps what is theirs and the server can take back the rest; settled in a batch, the forfeit follows, once
 * the connector it needs is on chain. Each step waits for a confirmation, as a TRUC transaction has one unconfirmed
 * parent at most, and pays more the nearer the exit delay comes to its end. Looks again at every block and remembers
 * nothing that the chain and the books do not say.
 */
import { type OutpointKey, parseOutpoint, type Txid } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import { sumSats } from '../../base/units.ts';
import type { Tx } from '../../bitcoin/tx.ts';
import type { ChainOutput, Confirmation, Tip } from '../../chain/chain.ts';
import { blocksLeft, urgentFee } from '../protocol/urgency.ts';
import { createAnswers } from './answers.ts';
import type { CommitmentFees } from './commitment-fees.ts';
import type { ArkContext } from './context.ts';
import type { FeeBumper, Secured } from './fee-bumper.ts';
import { forfeitOf } from './store/batches.ts';
import { closeCase, openCases } from './store/cases.ts';
import { checkpointById, offchainTxById } from './store/offchain.ts';
import type { Vtxo } from './store/vtxos.ts';
import type { Unrolls } from './unrolls.ts';

export interface Justice {
  /** Takes the next step of every open case. */
  pursue(): Promise<void>;
  /** Answers under way, and those of them that no coin could pay for when they were last looked at. */
  load(): { readonly open: number; readonly unpaid: number };
}

/** What has to confirm next for a case, and how many blocks there are for it. */
interface Step {
  readonly txid: Txid;
  /** Signs it. */
  readonly make: () => Tx;
  /** Set where it is a commitment transaction, which pays by itself if not enough. */
  readonly commitment?: boolean;
  readonly left: number;
  readonly total: number;
  /** Satoshi that it may cost. */
  readonly stake: bigint;
}

/** What became of an unrolled VTXO's output; `answered` is no end before the answer is in a block. */
type Fate = 'unseen' | 'open' | 'answered' | 'lost';

/**
 * Confirmations before the server broadcasts a checkpoint. Most who unroll a spent VTXO are its receivers on their way
 * out, and broadcast the checkpoint themselves in the very next block; the server's child would only be in their way.
 */
const RECEIVERS_TURN = 2;
/** A case is closed when what ended it has this many confirmations: no reorganization is expected to reach so far. */
export const CLOSED_AT_DEPTH = 12;

export interface JusticeParts {
  readonly ctx: ArkContext;
  readonly bumper: FeeBumper;
  readonly commitmentFees: CommitmentFees;
  readonly unrolls: Unrolls;
}

export function createJustice({ ctx, bumper, commitmentFees, unrolls }: JusticeParts): Justice {
  const { chain, db, log } = ctx;
  const answers = createAnswers(ctx);
  /** What was reported of which case, so that it is reported once. */
  const reported = new Map<OutpointKey, string>();
  let load = { open: 0, unpaid: 0 };

  async function pursue(): Promise<void> {
    const tip = await chain.tip();
    const steps: Step[] = [];
    for (const vtxo of await openCases(db)) {
      try {
        steps.push(...(await (vtxo.arkTxid ? checkpointStep(vtxo, tip) : forfeitStep(vtxo, tip))));
      } catch (error) {
        log.error({ err: error, outpoint: vtxo.outpoint }, 'could not act on an unrolled VTXO that was spent');
      }
    }
    const inTurn = inOrder(steps);
    load = { open: inTurn.length, unpaid: 0 };
    if (inTurn.length === 0) return;
    const rate = await chain.feeRate(1);
    for (const step of inTurn) {
      try {
        if ((await take(step, rate)) === 'no-coin') load = { ...load, unpaid: load.unpaid + 1 };
      } catch (error) {
        log.error({ err: error, txid: step.txid }, 'could not broadcast an answer to fraud');
      }
    }
  }

  async function take(step: Step, rate: number): Promise<Secured> {
    const price = (vsize: number): bigint | undefined => urgentFee(vsize, { ...step, rate });
    const tx = step.make();
    const result = await (step.commitment ? commitmentFees.speedUp(tx, price) : bumper.secure(tx, price, step.stake));
    const about = { txid: step.txid, blocksLeft: step.left, stake: `${step.stake}`, rate };
    if (TROUBLES[result]) log.error(about, TROUBLES[result]);
    else log.debug({ ...about, result }, 'an answer to fraud is on its way');
    return result;
  }

  async function fateOf(vtxo: Vtxo, answer: Txid): Promise<{ fate: Fate; output: ChainOutput | undefined }> {
    const output = await chain.output(parseOutpoint(vtxo.outpoint));
    if (!output) await unrolls.checkGone(vtxo);
    const by = output?.spentBy;
    // As long as another transaction is not in a block it can be replaced, or fail to confirm.
    const fate = !output ? 'unseen' : by?.txid === answer ? 'answered' : by?.confirmation ? 'lost' : 'open';
    return { fate, output };
  }

  const depthOf = (at: Confirmation | undefined, tip: Tip): number => (at ? tip.height - at.height + 1 : 0);

  async function checkpointStep(vtxo: Vtxo, tip: Tip): Promise<Step[]> {
    const offchain = await offchainTxById(db, vtxo.arkTxid!);
    // Without finality the sender never signed the checkpoint: it was the sender's to take.
    if (offchain?.finalizedAt === undefined) return [];
    const stored = await checkpointById(db, vtxo.spentBy!);
    invariant(stored, 'a VTXO spent off-chain has its checkpoint');
    const { fate, output } = await fateOf(vtxo, stored.txid);
    const by = output?.spentBy?.confirmation;
    if (fate === 'lost') return giveUp(vtxo, by, tip);
    if (fate === 'answered' && by) {
      report(vtxo, 'answered');
      // What is left in the checkpoint is taken back by the sweeper, unless an ark transaction goes on from there.
      const rest = (await chain.output({ txid: stored.txid, vout: 0 }))?.spentBy?.confirmation;
      if (depthOf(rest, tip) >= CLOSED_AT_DEPTH) await close(vtxo, 'answered');
      return [];
    }
    if (depthOf(output?.confirmation, tip) < RECEIVERS_TURN) return [];
    return [step(vtxo, output?.confirmation, tip, 0, stored.txid, () => answers.checkpoint(stored.psbt))];
  }

  async function forfeitStep(vtxo: Vtxo, tip: Tip): Promise<Step[]> {
    const forfeit = await forfeitOf(db, vtxo.outpoint);
    invariant(forfeit, 'a settled VTXO that owed a forfeit has one');
    const { fate, output } = await fateOf(vtxo, forfeit.txid);
    const by = output?.spentBy?.confirmation;
    if (fate === 'lost') return giveUp(vtxo, by, tip);
    if (fate === 'answered' && by) {
      report(vtxo, 'answered');
      if (depthOf(by, tip) >= CLOSED_AT_DEPTH) await close(vtxo, 'answered');
      return [];
    }
    if (fate === 'unseen') return [];
    // The connector takes blocks of its own to get there, so it sets out as soon as the VTXO is seen.
    const branch = await answers.branchTo(forfeit);
    const at = output?.confirmation;
    const commitmentTxid = branch[0]!.commitmentTxid;
    const commitment = await chain.transaction(commitmentTxid);
    if (!commitment?.confirmation) {
      if (!commitment) return [];
      return [{ ...step(vtxo, at, tip, branch.length + 1, commitmentTxid, () => commitment.tx), commitment: true }];
    }
    for (const [i, node] of branch.entries()) {
      if ((await chain.transaction(node.txid))?.confirmation) continue;
      return [step(vtxo, at, tip, branch.length - i, node.txid, () => answers.connector(node))];
    }
    return at ? [step(vtxo, at, tip, 0, forfeit.txid, () => answers.forfeit(forfeit))] : [];
  }

  /** `after` steps follow this one, a block and a share of the stake for each. */
  function step(
    vtxo: Vtxo,
    since: Confirmation | undefined,
    tip: Tip,
    after: number,
    txid: Txid,
    make: () => Tx,
  ): Step {
    const { left, total } = blocksLeft(ctx.settings().unilateralExitDelay, since, tip);
    return { txid, make, left: left - after, total: total - after, stake: vtxo.amount / BigInt(after + 1) };
  }

  async function giveUp(vtxo: Vtxo, at: Confirmation | undefined, tip: Tip): Promise<Step[]> {
    report(vtxo, 'lost');
    if (depthOf(at, tip) >= CLOSED_AT_DEPTH) await close(vtxo, 'lost');
    return [];
  }

  function report({ outpoint, amount, arkTxid }: Vtxo, outcome: 'answered' | 'lost'): void {
    if (reported.get(outpoint) === outcome) return;
    reported.set(outpoint, outcome);
    const about = { outpoint, amount: `${amount}` };
    const kind = arkTxid ? 'checkpoint' : 'forfeit';
    ctx.metrics.fraud.add({ kind, outcome: outcome === 'lost' ? 'failed' : 'answered' });
    if (outcome === 'lost') log.error(about, 'a spent VTXO was taken on chain before the answer');
    else log.info(about, 'a spent VTXO that was put on chain is answered');
  }

  async function close({ outpoint }: Vtxo, outcome: 'answered' | 'lost'): Promise<void> {
    await db.write((tx) => closeCase(tx, outpoint, outcome, ctx.nowSeconds()));
    reported.delete(outpoint);
  }

  return { pursue, load: () => load };
}

const TROUBLES: Partial<Record<Secured, string>> = {
  'no-coin': 'no confirmed coin can pay for an answer to fraud: the wallet needs more, or smaller, coins',
  'too-dear': 'an answer to fraud costs more than is at stake, and waits for lower fees',
  refused: 'the network does not take an answer to fraud',
};

/** The most urgent first, then those with more at stake; a transaction that several cases need is worth all of them. */
function inOrder(steps: readonly Step[]): Step[] {
  const byTxid = Map.groupBy(steps, ({ txid }) => txid);
  const merged = [...byTxid.values()].map((same) => {
    const urgent = same.reduce((a, b) => (b.left < a.left ? b : a));
    return { ...urgent, stake: sumSats(same.map(({ stake }) => stake)) };
  });
  return merged.sort((a, b) => a.left - b.left || (a.stake < b.stake ? 1 : -1));
}

/** What the chain adds to a verified lineage: confirmations, life, rivals. Pure. */
import { equal, type Outpoint, outpointKey, type Txid } from '../../base/bytes.ts';
import type { RelativeTimelock } from '../../bitcoin/timelock.ts';
import { isMature } from '../../bitcoin/timelock.ts';
import { type Tx, type TxOut, txidOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { byTxid, lineageOf } from '../../txgraph/lineage.ts';
import type { ChainFacts, Rival } from './chain-facts.ts';
import { type EquivocationProof, proveEquivocation, type SignedSpend } from './equivocation.ts';
import { createFindings, type Finding, type Findings } from './finding.ts';
import { type Life, lifeOf, type Margins, shortest } from './life.ts';
import type { ServerTerms } from './terms.ts';
import { leafOfWitness } from './verify-hop.ts';
import type { LineageRoot } from './verify-lineage.ts';

export interface ChainClaim {
  readonly txs: readonly Tx[];
  readonly roots: readonly LineageRoot[];
  readonly outpoint: Outpoint;
  /** Until the owner may claim what was put on chain. */
  readonly exitDelay: RelativeTimelock;
}

export interface JudgedChain {
  readonly findings: readonly Finding[];
  readonly life: Life | undefined;
  readonly equivocations: readonly EquivocationProof[];
}

export function verifyChain(
  secp: Secp,
  { txs, roots, outpoint, exitDelay }: ChainClaim,
  facts: ChainFacts,
  terms: ServerTerms,
  margins?: Margins,
): JudgedChain {
  const findings = createFindings();
  const { expect } = findings;
  const { tip, commitments, onchain } = facts;
  const isConfirmed = (txid: Txid): boolean => commitments.get(txid)?.confirmation !== undefined;
  for (const { commitmentTxid: txid } of roots) {
    expect(isConfirmed(txid), 'COMMITMENT_UNCONFIRMED', 'the commitment transaction is in no block', txid);
  }
  const locked = txs.filter((tx) => tx.locktime > 0 && !isMature(tx.locktime, tip));
  for (const tx of locked) expect(false, 'PATH_LOCKED', `locked until ${tx.locktime}`, txidOf(tx));

  const unconfirmed = byTxid(txs.filter((tx) => !onchain.get(txidOf(tx))?.confirmation));
  const depth = lineageOf(outpoint.txid, (txid) => unconfirmed.get(txid)).depths.get(outpoint.txid) ?? 0;
  const lives = roots.flatMap(({ commitmentTxid, expiry }) => {
    const confirmation = commitments.get(commitmentTxid)?.confirmation;
    return expiry ? [lifeOf({ expiry, confirmation, tip, depth, exitDelay }, margins)] : [];
  });
  const life = shortest(lives);
  // What is on chain whole waits for nobody but its owner.
  if (life && depth > 0) checkLife(life, findings);

  const equivocations = facts.rivals.flatMap((rival) => {
    const proof = proofOf(rival);
    const isSweep = sweeps(rival, terms);
    if (proof) expect(false, 'EQUIVOCATION', `${rival.txid} was signed as well`, rival.outpoint);
    expect(!isSweep, 'SWEPT', `the server took it by ${rival.txid}`, rival.outpoint);
    expect(isSweep, 'SPENT_ON_CHAIN', `${rival.txid} spends it`, rival.outpoint);
    return proof ?? [];
  });
  return { findings: findings.list, life, equivocations };

  function proofOf({ outpoint, tx, prevouts }: Rival): EquivocationProof | undefined {
    const ours = txs.find(({ inputs }) => inputs.some(({ prevout }) => outpointKey(prevout) === outpoint));
    if (!tx || !ours || !isWhole(prevouts)) return undefined;
    const spent = prevoutsAmong(ours, byTxid([...txs, ...[...commitments.values()].map((found) => found.tx)]));
    return spent && proveEquivocation(secp, terms.signers, outpoint, spent, { tx, prevouts });
  }
}

function checkLife({ expiresAt, latestStart, renewFrom, now }: Life, { expect }: Findings): void {
  if (!expect(now < expiresAt, 'EXPIRED', `the batch expired at ${expiresAt}, now ${now}`)) return;
  const isTimely = now <= latestStart;
  if (!expect(isTimely, 'EXPIRY_TOO_SOON', `an exit had to begin at ${latestStart}, now ${now}`)) return;
  expect(now < renewFrom, 'EXPIRY_NEAR', `to be renewed from ${renewFrom} on, now ${now}`);
}

const isWhole = (outputs: readonly (TxOut | undefined)[]): outputs is readonly TxOut[] =>
  outputs.every((output) => output !== undefined);

function prevoutsAmong(tx: Tx, known: ReadonlyMap<Txid, Tx>): SignedSpend | undefined {
  const prevouts = tx.inputs.map(({ prevout }) => known.get(prevout.txid)?.outputs[prevout.vout]);
  return isWhole(prevouts) ? { tx, prevouts } : undefined;
}

/** True of a spend through a leaf that the server alone signs after a delay. */
function sweeps({ tx, outpoint }: Rival, { forfeitKey }: ServerTerms): boolean {
  const input = tx?.inputs.find(({ prevout }) => outpointKey(prevout) === outpoint);
  const closure = input && leafOfWitness(input)?.closure;
  return closure?.kind === 'csv' && closure.keys.length === 1 && equal(closure.keys[0]!, forfeitKey);
}

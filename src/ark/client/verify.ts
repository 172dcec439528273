/**
 * Verifies a VTXO, one's own or one about to be accepted: asks the server for its lineage and an explorer for the chain,
 * and believes neither more than it can check. The report is data; it throws only where somebody does not answer.
 */
import { type Outpoint, outpointKey, type Txid } from '../../base/bytes.ts';
import { type Tx, type TxOut, txidOf } from '../../bitcoin/tx.ts';
import { smallestExitDelay, type VtxoScript } from '../protocol/vtxo.ts';
import { chainFacts, commitmentsOf } from './chain-facts.ts';
import type { ChainSource } from './chain-source.ts';
import type { ArkClient } from './client.ts';
import type { EquivocationProof } from './equivocation.ts';
import { createFindings, type Finding } from './finding.ts';
import type { Life, Margins } from './life.ts';
import { fetchLineage, LINEAGE_LIMITS, type LineageLimits } from './lineage.ts';
import { verifyChain } from './verify-chain.ts';
import { type JudgedLineage, type LineageRoot, unknownParents, verifyLineage } from './verify-lineage.ts';
import { type ReportedVtxo, vtxosByOutpoint } from './vtxos.ts';

/**
 * `settled`: nobody can take it before it expires, unless all cosigners of its branch and the server conspire.
 * `preconfirmed`: nor can anybody then but the server together with a former owner, at any of its hops.
 * `onchain`: it was put on chain. `unconfirmed`: its batch is in no block yet. `refused`: there is a fatal finding.
 */
export type Standing = 'settled' | 'preconfirmed' | 'onchain' | 'unconfirmed' | 'refused';

export interface VtxoReport {
  readonly outpoint: Outpoint;
  readonly standing: Standing;
  /** Value in satoshi and script, as its transaction has them. */
  readonly output: TxOut | undefined;
  /** Off-chain payments since the batch, at each of which the receiver trusts the server not to sign another one. */
  readonly serverTrustedHops: number;
  /** The owner's own key cosigned its branch, so that nobody can conspire without the owner. */
  readonly isOwnBranch: boolean;
  /** Batches it hangs on. */
  readonly roots: readonly LineageRoot[];
  readonly life: Life | undefined;
  readonly findings: readonly Finding[];
  readonly equivocations: readonly EquivocationProof[];
  /** What an exit broadcasts, signed, parents before children. */
  readonly txs: readonly Tx[];
  /** Those of them that are in blocks. */
  readonly confirmed: readonly Txid[];
}

export interface VerifyOptions {
  /** Its script, where it is one's own. */
  readonly vtxo?: VtxoScript | undefined;
  /** Compressed key in hex that cosigned its batch for the owner, where that is known. */
  readonly cosigner?: string | undefined;
  readonly margins?: Margins;
  readonly limits?: LineageLimits;
}

/** Throws the server's refusals (`VTXO_NOT_FOUND`), `MALFORMED_ANSWER` and `CHAIN_SOURCE_FAILED`. */
export async function verifyVtxo(
  client: ArkClient,
  chain: ChainSource,
  outpoint: Outpoint,
  options: VerifyOptions = {},
): Promise<VtxoReport> {
  const { secp, aggregators, terms } = client;
  const { vtxo, cosigner, margins, limits = LINEAGE_LIMITS } = options;
  const received = await fetchLineage(client, outpoint, limits);
  const { psbts } = received;
  const onChain = await commitmentsOf(chain, unknownParents({ outpoint, psbts }));
  const commitments = new Map([...onChain].map(([txid, { tx }]) => [txid, tx]));
  const lineage = verifyLineage(secp, aggregators, { outpoint, psbts, commitments }, { terms, vtxo, cosigner });

  const facts = await chainFacts(chain, onChain, lineage.txs, outpoint);
  const exitDelay = (vtxo && smallestExitDelay(vtxo)) ?? terms.unilateralExitDelay;
  const { txs, roots } = lineage;
  const judged = verifyChain(secp, { txs, roots, outpoint, exitDelay }, facts, terms, margins);
  const [reported] = await vtxosByOutpoint(client, [outpoint]);
  const told = compare(reported, lineage, judged.life);
  const findings = [...received.findings, ...lineage.findings, ...judged.findings, ...told];
  const confirmed = txs.map(txidOf).filter((txid) => facts.onchain.get(txid)?.confirmation);
  return {
    outpoint,
    standing: standingOf(findings, lineage.hops, facts.onchain.has(outpoint.txid)),
    output: lineage.output,
    serverTrustedHops: lineage.hops,
    isOwnBranch:
      cosigner !== undefined && lineage.hops === 0 && !findings.some(({ code }) => code === 'COSIGNER_MISSING'),
    roots,
    life: judged.life,
    findings,
    equivocations: [...lineage.equivocations, ...judged.equivocations],
    txs,
    confirmed,
  };
}

function standingOf(findings: readonly Finding[], hops: number, isOnChain: boolean): Standing {
  if (findings.some(({ weight }) => weight === 'fatal')) return 'refused';
  if (isOnChain) return 'onchain';
  if (findings.some(({ code }) => code === 'COMMITMENT_UNCONFIRMED')) return 'unconfirmed';
  return hops > 0 ? 'preconfirmed' : 'settled';
}

/** SDKs tell heights from dates by size; no height is this large, no date since 2025 this small. */
const FIRST_DATE = 1_735_689_600;
/** A date can be told only about: the block's time and the server's clock differ by as much (consensus allows it). */
const DATE_SLACK = 7_200;

/** What the server tells about a VTXO against what it is. */
function compare(told: ReportedVtxo | undefined, { output, hops, roots }: JudgedLineage, life: Life | undefined) {
  const { list, expect } = createFindings();
  if (!told || !output) return list;
  const key = outpointKey(told.outpoint);
  expect(told.amount === output.value, 'AMOUNT_MISSTATED', `told ${told.amount} sat, has ${output.value}`, key);
  expect(told.isPreconfirmed === hops > 0, 'STATUS_MISSTATED', `${hops} hops, told otherwise`, key);
  const [named, real] = [told.commitmentTxids, roots.map(({ commitmentTxid }) => commitmentTxid)];
  const areSame = real.every((txid) => named.includes(txid)) && named.every((txid) => real.includes(txid as Txid));
  expect(areSame, 'COMMITMENTS_MISSTATED', `told ${named.join()}, hangs on ${real.join()}`, key);
  const isDate = told.expiresAt >= FIRST_DATE;
  if (life && isDate === (life.unit === 'seconds')) {
    const latest = life.expiresAt + (isDate ? DATE_SLACK : 0);
    expect(told.expiresAt <= latest, 'EXPIRY_MISSTATED', `told ${told.expiresAt}, is ${life.expiresAt}`, key);
  }
  return list;
}

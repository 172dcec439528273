/**
 * Verifies everything between a VTXO and the chain: a tree below a commitment transaction, then any number of off-chain
 * payments. Pure: what the server sent and what the chain has come in, findings come out. Parents are looked at before
 * children and without recursion, whatever the length.
 */
import { equal, type Outpoint, type OutpointKey, outpointKey, type Txid, toHex } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { parseClosure } from '../../bitcoin/closure.ts';
import type { Psbt } from '../../bitcoin/psbt.ts';
import { DecodeError } from '../../bitcoin/reader.ts';
import { isP2TR } from '../../bitcoin/script.ts';
import type { RelativeTimelock } from '../../bitcoin/timelock.ts';
import { type Tx, type TxOut, txidOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { lineageOf } from '../../txgraph/lineage.ts';
import { BATCH_OUTPUT } from '../protocol/batch-tree.ts';
import { type ClosureLeaf, finalize } from '../protocol/leaf-spend.ts';
import { cosignersOf } from '../protocol/psbt-fields.ts';
import { subDustKey, type VtxoScript } from '../protocol/vtxo.ts';
import type { Aggregators } from './client.ts';
import { type EquivocationProof, proveEquivocation, type SignedSpend } from './equivocation.ts';
import { createFindings, type Finding } from './finding.ts';
import type { ServerTerms } from './terms.ts';
import { checkArkTx, checkCheckpoint, type HopTerms } from './verify-hop.ts';
import { checkNode, type NodeFacts } from './verify-node.ts';
import { checkSpend, type Spend } from './verify-spend.ts';

export interface LineageClaim {
  readonly outpoint: Outpoint;
  /** What the server gave, by txid. */
  readonly psbts: ReadonlyMap<Txid, Psbt>;
  /** What the chain has of the transactions that {@link unknownParents} names. */
  readonly commitments: ReadonlyMap<Txid, Tx>;
}

export interface LineageExpectation {
  readonly terms: ServerTerms;
  /** The owner's script; absent where somebody else's VTXO is looked at. */
  readonly vtxo?: VtxoScript | undefined;
  /** Compressed key in hex that the owner cosigned the batch with. */
  readonly cosigner?: string | undefined;
}

/** A batch that a VTXO hangs on. */
export interface LineageRoot {
  readonly commitmentTxid: Txid;
  /** Life of its outputs from their confirmation on. */
  readonly expiry: RelativeTimelock | undefined;
}

export interface JudgedLineage {
  readonly findings: readonly Finding[];
  /** Signed, parents before children. Holds only what could be looked at. */
  readonly txs: readonly Tx[];
  readonly output: TxOut | undefined;
  readonly roots: readonly LineageRoot[];
  /** Off-chain payments on the longest way from a batch. */
  readonly hops: number;
  /** Proofs that the server signed two of the ancestors over one output. */
  readonly equivocations: readonly EquivocationProof[];
}

type Kind = 'tree' | 'checkpoint' | 'ark';

/** Ids of what is spent and was not given: commitments, unless something is missing. */
export const unknownParents = ({ outpoint, psbts }: Omit<LineageClaim, 'commitments'>): readonly Txid[] => [
  ...new Set(lineageOf(outpoint.txid, (txid) => psbts.get(txid)?.tx).roots.map(({ txid }) => txid)),
];

const isNode = ({ inputs }: Psbt): boolean => inputs.length > 0 && cosignersOf(inputs[0]!).length > 0;

export function verifyLineage(
  secp: Secp,
  aggregators: Aggregators,
  claim: LineageClaim,
  expected: LineageExpectation,
): JudgedLineage {
  const { outpoint, psbts, commitments } = claim;
  const { terms } = expected;
  const findings = createFindings();
  const { expect } = findings;
  const hopTerms = hopTermsOf(terms);
  const lineage = lineageOf(outpoint.txid, (txid) => psbts.get(txid)?.tx);
  const order = lineage.txs.map(txidOf);
  const kinds = kindsOf(order);
  const nodes = new Map<Txid, NodeFacts>();
  const leaves = new Map<Txid, ClosureLeaf>();
  const hops = new Map<Txid, number>();
  const signed = new Map<Txid, Tx>();
  const spends = new Map<OutpointKey, SignedSpend>();
  const equivocations: EquivocationProof[] = [];

  expect(order.length > 0, 'TX_MISSING', 'the transaction of the VTXO is missing', outpoint.txid);
  for (const txid of order) check(txid);
  const output = ownOutput();
  return {
    findings: findings.list,
    txs: order.flatMap((txid) => signed.get(txid) ?? []),
    output,
    roots: lineage.roots.flatMap((root) => rootOf(root)),
    hops: hops.get(outpoint.txid) ?? 0,
    equivocations,
  };

  /** A payment's place follows from what spends it: the VTXO's own transaction first, then back to the batch. */
  function kindsOf(parentsFirst: readonly Txid[]): ReadonlyMap<Txid, Kind> {
    const known = new Map<Txid, Kind>();
    const made = (txid: Txid): Kind => (isNode(psbts.get(txid)!) ? 'tree' : 'ark');
    for (const txid of parentsFirst.toReversed()) {
      const kind = known.get(txid) ?? made(txid);
      known.set(txid, kind);
      for (const { prevout } of psbts.get(txid)!.tx.inputs) {
        if (!psbts.has(prevout.txid)) continue;
        const wanted = kind === 'tree' ? 'tree' : kind === 'ark' ? 'checkpoint' : made(prevout.txid);
        const isOne = (known.get(prevout.txid) ?? wanted) === wanted;
        expect(isOne, 'TX_SHAPE', 'it stands in two places at once', prevout.txid);
        known.set(prevout.txid, wanted);
      }
    }
    return known;
  }

  function check(txid: Txid): void {
    const psbt = psbts.get(txid)!;
    const kind = kinds.get(txid)!;
    const parents = psbt.tx.inputs.map(({ prevout }) => prevout);
    const grown = kind === 'ark' ? 1 : 0;
    hops.set(txid, grown + Math.max(0, ...parents.map((parent) => hops.get(parent.txid) ?? 0)));
    const prevouts = parents.map((parent) => prevoutOf(parent, kind));
    const tx = sign(psbt);
    // Below what could not be looked at everything would look wrong.
    const isBlind = parents.some((parent) => psbts.has(parent.txid) && !signed.has(parent.txid));
    if (!tx || isBlind || parents.length === 0 || !prevouts.every((prevout) => prevout !== undefined)) return;
    signed.set(txid, tx);
    const spend: Spend = { txid, tx, prevouts, inputs: psbt.inputs };
    checkSpend(secp, spend, terms.dust, findings);
    for (const parent of parents) checkOnce(outpointKey(parent), spend);
    if (kind === 'tree') {
      const parent = nodes.get(parents[0]!.txid);
      const { cosigner } = expected;
      const facts = { aggregators, forfeitKey: terms.forfeitKey, cosigner, parent };
      nodes.set(txid, checkNode(spend, facts, findings));
    } else if (kind === 'checkpoint') {
      const leaf = checkCheckpoint(secp, spend, hopTerms, findings);
      if (leaf) leaves.set(txid, leaf);
    } else {
      checkArkTx(secp, spend, ({ prevout }) => leaves.get(prevout.txid), hopTerms, findings);
    }
  }

  function checkOnce(spent: OutpointKey, spend: Spend): void {
    const earlier = spends.get(spent);
    spends.set(spent, spend);
    expect(!earlier, 'SPENT_TWICE', `it is spent by ${spend.txid} and by another ancestor`, spent);
    const proof = earlier && proveEquivocation(secp, terms.signers, spent, earlier, spend);
    if (!proof) return;
    expect(false, 'EQUIVOCATION', 'the server signed both', spent);
    equivocations.push(proof);
  }

  function prevoutOf(parent: Outpoint, kind: Kind): TxOut | undefined {
    const commitment = commitments.get(parent.txid);
    const tx = psbts.get(parent.txid)?.tx ?? commitment;
    const missing = kind === 'tree' ? 'COMMITMENT_UNKNOWN' : 'TX_MISSING';
    if (!expect(tx, missing, 'neither chain nor server has it', parent.txid)) return undefined;
    const isRooted = psbts.has(parent.txid) || (kind === 'tree' && parent.vout === BATCH_OUTPUT);
    expect(isRooted, 'ROOT_NOT_BATCH_OUTPUT', 'it hangs on no batch output', outpointKey(parent));
    const output = tx!.outputs[parent.vout];
    expect(output, 'OUTPUT_MISSING', 'its transaction has no such output', outpointKey(parent));
    return output;
  }

  function sign(psbt: Psbt): Tx | undefined {
    const txid = txidOf(psbt.tx);
    try {
      return finalize(psbt);
    } catch (error) {
      if (error instanceof ProtocolError) expect(false, 'SIGNATURE_MISSING', error.message, txid);
      else if (error instanceof DecodeError) expect(false, 'TX_MALFORMED', error.message, txid);
      else throw error;
      return undefined;
    }
  }

  function ownOutput(): TxOut | undefined {
    const made = psbts.get(outpoint.txid)?.tx.outputs[outpoint.vout];
    if (order.length === 0) return undefined;
    const key = outpointKey(outpoint);
    const subDust = made && subDustKey(made.script);
    if (!expect(made && (isP2TR(made.script) || subDust), 'OUTPUT_MISSING', 'there is no VTXO', key)) return undefined;
    expect(!subDust, 'SUB_DUST', 'too small to leave without the server', key);
    const isOwn = !expected.vtxo || equal(subDust ?? made!.script.subarray(2), expected.vtxo.outputKey);
    expect(isOwn, 'NOT_OWN', `it pays to ${toHex(made!.script)}`, key);
    return made;
  }

  function rootOf({ txid }: Outpoint): readonly LineageRoot[] {
    if (!commitments.has(txid)) return [];
    const below = order.find((each) => psbts.get(each)!.tx.inputs.some(({ prevout }) => prevout.txid === txid));
    return [{ commitmentTxid: txid, expiry: below && nodes.get(below)?.expiry }];
  }
}

function hopTermsOf({ signers, forfeitKey, unilateralExitDelay, checkpointTapscript }: ServerTerms): HopTerms {
  const exit = parseClosure(checkpointTapscript);
  // The terms were refused if it were anything else.
  if (exit?.kind !== 'csv') throw new RangeError('the checkpoint script has no delay');
  return { signers, forfeitKey, unilateralExitDelay, checkpointExitDelay: exit.timelock };
}

/**
 * The two transactions of an off-chain payment. The checkpoint must leave the former owner no way around the server, and
 * the server no way around the receiver but the one that its delay announces.
 */
import { type Bytes, equal, outpointKey } from '../../base/bytes.ts';
import type { Closure } from '../../bitcoin/closure.ts';
import type { PsbtInput } from '../../bitcoin/psbt.ts';
import { leafHash } from '../../bitcoin/taproot.ts';
import { hasRelativeLocks, type RelativeTimelock } from '../../bitcoin/timelock.ts';
import { SEQUENCE_FINAL, SEQUENCE_LOCKTIME, type TxIn } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { type ClosureLeaf, withClosure } from '../protocol/leaf-spend.ts';
import { tapTreeOf } from '../protocol/psbt-fields.ts';
import {
  compareTimelocks,
  isForfeitClosure,
  smallestExitDelay,
  type VtxoScript,
  vtxoScript,
} from '../protocol/vtxo.ts';
import type { Findings } from './finding.ts';
import type { Spend } from './verify-spend.ts';

export interface HopTerms {
  /** x-only. */
  readonly signers: readonly Bytes[];
  readonly forfeitKey: Bytes;
  readonly unilateralExitDelay: RelativeTimelock;
  readonly checkpointExitDelay: RelativeTimelock;
}

/** Blocks that a checkpoint needs to get ahead of a former owner who has put the VTXO on chain. */
const SHORTEST_ANSWER: RelativeTimelock = { type: 'blocks', value: 3 };

/** The leaf that a witness spends by; `undefined` for the key path or a script that is no closure. */
export function leafOfWitness({ witness }: TxIn): ClosureLeaf | undefined {
  const [script, controlBlock] = witness.slice(-2);
  return script && controlBlock ? withClosure({ script, controlBlock, hash: leafHash(script) }) : undefined;
}

/** The closures behind `output`, as the input reveals them; `undefined` when they are not those, or not all closures. */
function revealedScript(secp: Secp, input: PsbtInput, output: Bytes): VtxoScript | undefined {
  try {
    const scripts = tapTreeOf(input);
    const vtxo = scripts && vtxoScript(secp, scripts);
    return vtxo && equal(vtxo.script, output) ? vtxo : undefined;
  } catch {
    return undefined;
  }
}

const asksServer = ({ keys }: Closure, { signers }: HopTerms): boolean =>
  keys.some((key) => signers.some((signer) => equal(signer, key)));

/** Only an absolute lock may hold a payment up. */
function checkLocks({ txid, tx }: Spend, { expect }: Findings): void {
  const free = tx.locktime === 0 ? [SEQUENCE_FINAL] : [SEQUENCE_FINAL, SEQUENCE_LOCKTIME];
  const isFree = hasRelativeLocks(tx) && tx.inputs.every(({ sequence }) => free.includes(sequence));
  expect(isFree, 'TX_SHAPE', 'an input waits for a relative lock', txid);
}

/** Returns the leaf by which the VTXO was spent. */
export function checkCheckpoint(
  secp: Secp,
  spend: Spend,
  terms: HopTerms,
  findings: Findings,
): ClosureLeaf | undefined {
  const { txid, tx, prevouts, inputs } = spend;
  const { expect } = findings;
  const at = outpointKey(tx.inputs[0]!.prevout);
  expect(tx.inputs.length === 1 && tx.outputs.length === 2, 'TX_SHAPE', 'a checkpoint moves one VTXO', txid);
  checkLocks(spend, findings);
  const vtxo = revealedScript(secp, inputs[0]!, prevouts[0]!.script);
  if (expect(vtxo, 'HIDDEN_SPEND_PATH', 'nobody can tell who else may spend it', at)) {
    const joint = vtxo!.closures.filter(isForfeitClosure);
    const isSafe = joint.every((closure) => asksServer(closure, terms));
    expect(isSafe, 'SERVER_NOT_REQUIRED', 'a former owner can spend it alone at once', at);
    const delay = smallestExitDelay(vtxo!);
    const isLong = !delay || compareTimelocks(delay, terms.unilateralExitDelay) >= 0;
    expect(isLong, 'EXIT_DELAY_SHORT', 'a former owner can leave sooner than the terms say', at);
    const isRace = delay && compareTimelocks(delay, SHORTEST_ANSWER) < 0;
    expect(!isRace, 'EXIT_RACE', 'a former owner can leave before its checkpoint is in a block', at);
  }
  const leaf = leafOfWitness(tx.inputs[0]!);
  const isJoint = leaf && isForfeitClosure(leaf.closure) && asksServer(leaf.closure, terms);
  expect(isJoint, 'SERVER_NOT_REQUIRED', 'it is spent by a leaf without the server', at);
  return leaf;
}

/** `leafOf` gives the leaf by which each checkpoint spent its VTXO. */
export function checkArkTx(
  secp: Secp,
  spend: Spend,
  leafOf: (input: TxIn) => ClosureLeaf | undefined,
  terms: HopTerms,
  findings: Findings,
): void {
  checkLocks(spend, findings);
  spend.tx.inputs.forEach((input, i) => {
    const at = outpointKey(input.prevout);
    const spentBy = leafOf(input);
    const checkpoint = revealedScript(secp, spend.inputs[i]!, spend.prevouts[i]!.script);
    const [exit, ...others] = checkpoint?.closures.filter((closure) => !isForfeitClosure(closure)) ?? [];
    const isServers = exit?.kind === 'csv' && exit.keys.length === 1 && equal(exit.keys[0]!, terms.forfeitKey);
    const keepsLeaf = checkpoint?.scripts.some((script) => spentBy && equal(script, spentBy.script));
    const isExclusive = isServers && others.length === 0 && keepsLeaf && checkpoint?.scripts.length === 2;
    const { expect } = findings;
    expect(isExclusive, 'HIDDEN_SPEND_PATH', 'a checkpoint belongs to more than its leaf and the server', at);
    const isLong = !isServers || compareTimelocks(exit.timelock, terms.checkpointExitDelay) >= 0;
    expect(isLong, 'CHECKPOINT_DELAY_SHORT', 'the server can take a checkpoint back too soon', at);
    const used = leafOfWitness(input);
    const isJoint = used && spentBy && equal(used.script, spentBy.script);
    expect(isJoint, 'SERVER_NOT_REQUIRED', 'it is not spent by the leaf of its VTXO', at);
  });
}

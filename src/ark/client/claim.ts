/** The end of an exit: the VTXO stands on chain, its delay is over, and its owner alone takes it. */
import { type Bytes, equal } from '../../base/bytes.ts';
import type { FeeRate } from '../../base/units.ts';
import { createPsbt, EMPTY_INPUT, type Psbt } from '../../bitcoin/psbt.ts';
import { type RelativeTimelock, toSequence } from '../../bitcoin/timelock.ts';
import { type Tx, txIn, vsizeOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { feeOf } from '../../txgraph/cost.ts';
import { type ClosureLeaf, finalize, leafFields, leafOfVtxo, signLeaves } from '../protocol/leaf-spend.ts';
import { conditionPair, withPairs } from '../protocol/psbt-fields.ts';
import { compareTimelocks, vtxoScript } from '../protocol/vtxo.ts';
import type { Placed, SourceTip } from './chain-source.ts';
import type { KeptVtxo } from './exit-store.ts';

/** The leaf by which the owner leaves alone, and how long it must wait. */
export interface ExitLeaf extends ClosureLeaf {
  readonly delay: RelativeTimelock;
}

/** The shortest way out that needs no key but `own` (x-only), and no condition but what is kept; `undefined` without. */
export function exitLeafOf(
  secp: Secp,
  vtxo: Pick<KeptVtxo, 'tapTree' | 'condition'>,
  own: Bytes,
): ExitLeaf | undefined {
  const script = vtxoScript(secp, vtxo.tapTree);
  const ways = script.scripts.flatMap((leafScript): ExitLeaf[] => {
    const leaf = leafOfVtxo(script, leafScript);
    const closure = leaf?.closure;
    if (!leaf || !closure || !('timelock' in closure) || !closure.keys.every((key) => equal(key, own))) return [];
    if (closure.kind === 'condition-csv' && !vtxo.condition) return [];
    return [{ ...leaf, delay: closure.timelock }];
  });
  return ways.sort((a, b) => compareTimelocks(a.delay, b.delay))[0];
}

const CLAIM_VERSION = 2;

function claimPsbt({ outpoint, output, condition }: KeptVtxo, leaf: ExitLeaf, to: Bytes, value: bigint): Psbt {
  const spending = { ...EMPTY_INPUT, witnessUtxo: output, ...leafFields(leaf) };
  const input = 'condition' in leaf.closure && condition ? withPairs(spending, conditionPair(condition)) : spending;
  const inputs = [txIn(outpoint, toSequence(leaf.delay))];
  return createPsbt({ version: CLAIM_VERSION, inputs, outputs: [{ value, script: to }], locktime: 0 }, [input]);
}

/** Virtual bytes of the claim to a P2TR output, whoever signs it. */
export function claimVsize(vtxo: KeptVtxo, leaf: ExitLeaf, to: Bytes): number {
  const psbt = claimPsbt(vtxo, leaf, to, 0n);
  const tapScriptSigs = leaf.closure.keys.map((publicKey) => ({
    publicKey,
    leafHash: leaf.hash,
    signature: new Uint8Array(64),
  }));
  return vsizeOf(finalize({ ...psbt, inputs: psbt.inputs.map((input) => ({ ...input, tapScriptSigs })) }));
}

export interface ClaimOrder {
  readonly vtxo: KeptVtxo;
  readonly leaf: ExitLeaf;
  /** Output script. */
  readonly to: Bytes;
  readonly secret: Bytes;
  readonly rate: FeeRate;
  readonly dust: bigint;
}

/** The signed claim of all the VTXO is worth, less the fee; `undefined` when less than `dust` would be left. */
export function buildClaim(secp: Secp, { vtxo, leaf, to, secret, rate, dust }: ClaimOrder, aux: Bytes): Tx | undefined {
  const value = vtxo.output.value - feeOf(claimVsize(vtxo, leaf, to), rate);
  return value >= dust ? finalize(signLeaves(secp, claimPsbt(vtxo, leaf, to, value), secret, aux)) : undefined;
}

/** First height, or median time, at which the claim of what confirmed `at` can be broadcast (BIP68). */
export const claimableFrom = ({ height, blockTime }: Placed, { type, value }: RelativeTimelock): number =>
  type === 'blocks' ? height + value - 1 : blockTime + value;

export const isClaimable = (at: Placed, delay: RelativeTimelock, tip: SourceTip): boolean =>
  (delay.type === 'blocks' ? tip.height : tip.medianTime) >= claimableFrom(at, delay);

/** The scripts a VTXO or a boarding output is locked with: closures under a key that nobody knows. */
import { type Bytes, equal, toHex } from '../../base/bytes.ts';
import { type Closure, csvMultisig, encodeClosure, multisig, parseClosure } from '../../bitcoin/closure.ts';
import { OP, p2tr, push, script } from '../../bitcoin/script.ts';
import { assembleTapTree, controlBlock, NUMS_KEY, outputKey, type TapTree } from '../../bitcoin/taproot.ts';
import { LOCKTIME_THRESHOLD, type RelativeTimelock } from '../../bitcoin/timelock.ts';
import type { Secp } from '../../crypto/secp.ts';
import { arkError, demand } from './errors.ts';

export interface VtxoScript {
  /** In leaf order, as {@link VtxoScript.scripts}. */
  readonly closures: readonly Closure[];
  readonly scripts: readonly Bytes[];
  readonly tree: TapTree;
  /** Merkle root. */
  readonly root: Bytes;
  /** x-only; the VTXO is known by it. */
  readonly outputKey: Bytes;
  readonly parity: 0 | 1;
  /** The P2TR output script. */
  readonly script: Bytes;
}

const tapscriptsData = (scripts: readonly Bytes[]) => ({ tapscripts: `[${scripts.map(toHex).join(' ')}]` });

/** Throws `INVALID_VTXO_SCRIPT` when there is no leaf or one is not a closure over valid keys. */
export function vtxoScript(secp: Secp, scripts: readonly Bytes[]): VtxoScript {
  const data = tapscriptsData(scripts);
  demand(scripts.length > 0, 'INVALID_VTXO_SCRIPT', 'a VTXO script needs a leaf', data);
  const closures = scripts.map((leaf) => {
    const closure = parseClosure(leaf);
    demand(closure, 'INVALID_VTXO_SCRIPT', `no closure: ${toHex(leaf).slice(0, 200)}`, data);
    demand(closure.keys.every(secp.isXonly), 'INVALID_VTXO_SCRIPT', 'a key is not on the curve', data);
    return closure;
  });
  const tree = assembleTapTree(scripts);
  const { xonly, parity } = outputKey(secp, NUMS_KEY, tree.root);
  return { closures, scripts, tree, root: tree.root, outputKey: xonly, parity, script: p2tr(xonly) };
}

const ofClosures = (secp: Secp, ...closures: readonly Closure[]): VtxoScript =>
  vtxoScript(secp, closures.map(encodeClosure));

/**
 * Owner and signer together at once, the owner alone after the delay. A boarding output is the same with the
 * boarding delay. Keys are x-only.
 */
export const defaultVtxo = (secp: Secp, owner: Bytes, signer: Bytes, exitDelay: RelativeTimelock): VtxoScript =>
  ofClosures(secp, multisig(owner, signer), csvMultisig(exitDelay, owner));

/** The default with a third leaf, by which a delegate renews for the owner. */
export const delegateVtxo = (
  secp: Secp,
  owner: Bytes,
  delegate: Bytes,
  signer: Bytes,
  exitDelay: RelativeTimelock,
): VtxoScript =>
  ofClosures(secp, multisig(owner, signer), csvMultisig(exitDelay, owner), multisig(owner, delegate, signer));

/** `undefined` when the script is none of the VTXO's leaves. */
export function controlBlockFor(vtxo: VtxoScript, leafScript: Bytes): Bytes | undefined {
  const leaf = vtxo.tree.leaves.find((candidate) => equal(candidate.script, leafScript));
  return leaf && controlBlock(NUMS_KEY, vtxo.parity, leaf.path);
}

type ExitClosure = Extract<Closure, { timelock: RelativeTimelock }>;
export type ForfeitClosure = Exclude<Closure, ExitClosure>;

/** True for a closure that the owner and the server can spend together without waiting for a relative lock. */
export const isForfeitClosure = (closure: Closure): closure is ForfeitClosure =>
  closure.kind !== 'csv' && closure.kind !== 'condition-csv';

export const exitClosures = (vtxo: VtxoScript): readonly ExitClosure[] =>
  vtxo.closures.filter((closure) => !isForfeitClosure(closure));

const SECONDS_PER_BLOCK = 600;
const secondsOf = ({ type, value }: RelativeTimelock): number =>
  type === 'seconds' ? value : value * SECONDS_PER_BLOCK;

/** Shortest first; blocks count as ten minutes where the units differ. */
export const compareTimelocks = (a: RelativeTimelock, b: RelativeTimelock): number => secondsOf(a) - secondsOf(b);

/** The soonest the VTXO can leave without the server; `undefined` without an exit. */
export const smallestExitDelay = (vtxo: VtxoScript): RelativeTimelock | undefined =>
  exitClosures(vtxo)
    .map(({ timelock }) => timelock)
    .sort(compareTimelocks)[0];

export interface VtxoRules {
  /** x-only keys that the server signs with: the current one and those deprecated that still count. */
  readonly signers: readonly Bytes[];
  readonly minExitDelay: RelativeTimelock;
  /** Locks counted in blocks are fine only where the batches' expiry is counted in blocks too. */
  readonly allowBlockType: boolean;
}

/** Throws `INVALID_VTXO_SCRIPT` unless the server can rely on the script: see the messages. */
export function checkVtxoScript(vtxo: VtxoScript, rules: VtxoRules): void {
  const insist = (condition: unknown, message: string): void => {
    if (!condition) throw arkError('INVALID_VTXO_SCRIPT', message, tapscriptsData(vtxo.scripts));
  };
  for (const closure of vtxo.closures.filter(isForfeitClosure)) {
    insist(
      closure.keys.some((key) => rules.signers.some((signer) => equal(signer, key))),
      'a leaf without delay lacks the server key',
    );
    insist(
      rules.allowBlockType || closure.kind !== 'cltv' || closure.locktime >= LOCKTIME_THRESHOLD,
      'a locktime in blocks is not allowed here',
    );
  }
  for (const { timelock } of exitClosures(vtxo)) {
    insist(rules.allowBlockType || timelock.type === 'seconds', 'a delay in blocks is not allowed here');
  }
  const shortest = smallestExitDelay(vtxo);
  insist(shortest, 'there is no exit leaf');
  insist(compareTimelocks(shortest!, rules.minExitDelay) >= 0, 'the exit delay is too short');
}

/** How an amount too small to stand on chain is written: unspendable, but naming the VTXO's key. */
export const subDustScript = (xonly: Bytes): Bytes => script(OP.RETURN, push(xonly));

/** The VTXO key that a sub-dust output names; `undefined` for any other script. */
export const subDustKey = (output: Bytes): Bytes | undefined =>
  output.length === 34 && output[0] === OP.RETURN && output[1] === 32 ? output.slice(2) : undefined;

/** Merkle trees over a block's transactions, and the witness commitment that hangs in its coinbase (BIP141). */
import { type Bytes, concat, equal, fromHex, reversed, type Txid, toHex } from '../base/bytes.ts';
import { sha256d } from '../crypto/hash.ts';
import { hasWitness, type Tx, type TxOut, txidBytes, txidOf, wtxidOf } from './tx.ts';

/** Joins hashes in pairs; an odd last one is paired with itself. */
const parents = (hashes: readonly Bytes[]): Bytes[] =>
  Array.from({ length: Math.ceil(hashes.length / 2) }, (_, i) => {
    const left = hashes[2 * i]!;
    return sha256d(concat(left, hashes[2 * i + 1] ?? left));
  });

const hasTwins = (hashes: readonly Bytes[]): boolean =>
  hashes.some((hash, i) => i % 2 === 1 && equal(hash, hashes[i - 1]!));

export interface MerkleRoot {
  /** Internal byte order. */
  readonly root: Bytes;
  /** CVE-2012-2459: the list could be one that repeats its end, which has the same root. */
  readonly isMutated: boolean;
}

/** Root over hashes in internal byte order; 32 zero bytes over none. */
export function merkleRoot(hashes: readonly Bytes[]): MerkleRoot {
  let level = hashes;
  let isMutated = false;
  while (level.length > 1) {
    isMutated ||= hasTwins(level);
    level = parents(level);
  }
  return { root: level[0] ?? new Uint8Array(32), isMutated };
}

/** What a header says of its transactions: the root over their txids. */
export const txMerkleRoot = (txs: readonly Tx[]): MerkleRoot => merkleRoot(txs.map((tx) => txidBytes(txidOf(tx))));

/**
 * Siblings, in display order and the leaf's own first, that lead from the transaction at `position` to the root.
 * Throws `RangeError` when there is none.
 */
export function merkleProof(txids: readonly Txid[], position: number): readonly string[] {
  if (!(position in txids)) throw new RangeError(`no transaction at ${position}`);
  const path: string[] = [];
  let index = position;
  for (let level = txids.map(txidBytes); level.length > 1; level = parents(level)) {
    path.push(toHex(reversed(level[index ^ 1] ?? level[index]!)));
    index >>= 1;
  }
  return path;
}

/** BIP141: starts an output script that commits to the witnesses. */
const COMMITMENT_PREFIX = fromHex('6a24aa21a9ed');
/** BIP141: the coinbase's one witness element, reserved for later rules. */
export const WITNESS_RESERVED: Bytes = new Uint8Array(32);

/** The coinbase comes first and counts as zero, since it holds the result. */
function witnessCommitment(txs: readonly Tx[], reserved: Bytes): Bytes {
  const { root } = merkleRoot(txs.map((tx, i) => (i === 0 ? WITNESS_RESERVED : txidBytes(wtxidOf(tx)))));
  return sha256d(concat(root, reserved));
}

/** The coinbase output that commits to the witnesses of `txs`, whose first is the coinbase, in any form. */
export const witnessCommitmentOutput = (txs: readonly Tx[]): TxOut => ({
  value: 0n,
  script: concat(COMMITMENT_PREFIX, witnessCommitment(txs, WITNESS_RESERVED)),
});

const isCommitment = ({ script: output }: TxOut): boolean =>
  output.length >= 38 && equal(output.subarray(0, COMMITMENT_PREFIX.length), COMMITMENT_PREFIX);

export type WitnessFault = 'bad-witness-nonce-size' | 'bad-witness-merkle-match' | 'unexpected-witness';

/** Bitcoin Core's reason why a block's witnesses are not those its coinbase commits to; `undefined` when they are. */
export function checkWitnessCommitment(txs: readonly Tx[]): WitnessFault | undefined {
  const [coinbase] = txs;
  const commitment = coinbase?.outputs.findLast(isCommitment);
  if (!coinbase || !commitment) return txs.some(hasWitness) ? 'unexpected-witness' : undefined;
  const { witness } = coinbase.inputs[0]!;
  const [reserved] = witness;
  if (witness.length !== 1 || reserved?.length !== 32) return 'bad-witness-nonce-size';
  const isRight = equal(commitment.script.subarray(6, 38), witnessCommitment(txs, reserved));
  return isRight ? undefined : 'bad-witness-merkle-match';
}

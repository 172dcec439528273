/**
 * Proof that a server signed two spends of one output. Nothing prevents a server from doing that together with a former
 * owner of a preconfirmed VTXO; but whoever sees both can show it to anybody, who needs nothing else to believe it.
 */
import { type Bytes, equal, fromHex, type OutpointKey, outpointKey, toHex } from '../../base/bytes.ts';
import { SIGHASH, taprootSighash } from '../../bitcoin/sighash.ts';
import { parseTx, sameOutput, type Tx, type TxOut, txHex, txidOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { leafOfWitness } from './verify-hop.ts';

/** A signed transaction with what it spends, one for each input. */
export interface SignedSpend {
  readonly tx: Tx;
  readonly prevouts: readonly TxOut[];
}

/** Plain text, to be stored, printed and sent around. */
export interface EquivocationProof {
  readonly outpoint: OutpointKey;
  /** x-only key that signed both, hex. */
  readonly signer: string;
  readonly spends: readonly [ProvenSpend, ProvenSpend];
}

interface ProvenSpend {
  /** Hex, with witnesses. */
  readonly tx: string;
  /** Satoshi as decimal text, script in hex. */
  readonly prevouts: readonly { readonly value: string; readonly script: string }[];
}

const indexOf = (tx: Tx, outpoint: OutpointKey): number =>
  tx.inputs.findIndex(({ prevout }) => outpointKey(prevout) === outpoint);

/** True when `signer` validly signed input `index` through a leaf that asks for it. */
function hasSigned(secp: Secp, signer: Bytes, { tx, prevouts }: SignedSpend, index: number): boolean {
  const input = tx.inputs[index]!;
  const leaf = leafOfWitness(input);
  const place = leaf ? leaf.closure.keys.findIndex((key) => equal(key, signer)) : -1;
  const witnessed = place < 0 ? undefined : input.witness[leaf!.closure.keys.length - 1 - place];
  if (!witnessed || witnessed.length < 64) return false;
  const type = witnessed.length === 64 ? SIGHASH.DEFAULT : witnessed[64]!;
  const message = taprootSighash(tx, index, prevouts, { type, leafHash: leaf!.hash });
  return message !== undefined && secp.schnorrVerify(witnessed.subarray(0, 64), message, signer);
}

const print = ({ tx, prevouts }: SignedSpend): ProvenSpend => ({
  tx: txHex(tx),
  prevouts: prevouts.map(({ value, script }) => ({ value: `${value}`, script: toHex(script) })),
});

/** The proof that one of `signers` signed both; `undefined` when none has. */
export function proveEquivocation(
  secp: Secp,
  signers: readonly Bytes[],
  outpoint: OutpointKey,
  first: SignedSpend,
  second: SignedSpend,
): EquivocationProof | undefined {
  const spends = [first, second] as const;
  const places = spends.map(({ tx }) => indexOf(tx, outpoint));
  if (txidOf(first.tx) === txidOf(second.tx) || places.some((place) => place < 0)) return undefined;
  const [a, b] = spends.map(({ prevouts }, i) => prevouts[places[i]!]);
  if (!a || !b || !sameOutput(a, b)) return undefined;
  const signer = signers.find((key) => spends.every((spend, i) => hasSigned(secp, key, spend, places[i]!)));
  return signer && { outpoint, signer: toHex(signer), spends: [print(first), print(second)] };
}

/** Whether a proof proves what it says. False, never a throw, for whatever is handed in. */
export function isEquivocation(secp: Secp, { outpoint, signer, spends }: EquivocationProof): boolean {
  try {
    const [first, second] = spends.map(({ tx, prevouts }) => ({
      tx: parseTx(tx),
      prevouts: prevouts.map(({ value, script }) => ({ value: BigInt(value), script: fromHex(script) })),
    }));
    return proveEquivocation(secp, [fromHex(signer)], outpoint, first!, second!) !== undefined;
  } catch {
    return false;
  }
}

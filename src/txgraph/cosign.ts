/**
 * MuSig2 (BIP327) over a whole graph: each edge is the tweaked aggregate of its node's cosigners. Nonces and partial
 * signatures are checked one by one, so that a failure names the key that caused it.
 */
import { type Bytes, fromHex, type Txid } from '../base/bytes.ts';
import { taprootSighash } from '../bitcoin/sighash.ts';
import { tapTweak } from '../bitcoin/taproot.ts';
import type { KeyAgg, MusigSession, Secp } from '../crypto/secp.ts';
import type { TxGraph, TxNode } from './graph.ts';

/** Key aggregation is deterministic and dear, so it is done once per set of keys. */
export interface KeyAggregator {
  /** Aggregate of compressed keys (hex, any order), tweaked with the graph's merkle root. */
  of(cosigners: readonly string[]): KeyAgg;
}

/** Sorts the keys (BIP327 KeySort), aggregates, and tweaks by BIP341 with `merkleRoot`. Throws on an invalid key. */
export function keyAggregator(secp: Secp, merkleRoot: Bytes): KeyAggregator {
  const known = new Map<string, KeyAgg>();
  return {
    of(cosigners) {
      const sorted = [...cosigners].sort();
      const id = sorted.join();
      let keys = known.get(id);
      if (!keys) {
        keys = secp.musigKeyAgg(sorted.map(fromHex), (internal) => tapTweak(internal, merkleRoot));
        known.set(id, keys);
      }
      return keys;
    },
  };
}

/** BIP341 message of a node's only input. */
export function messageOf(node: TxNode): Bytes {
  const hash = taprootSighash(node.tx, 0, [node.prevout]);
  if (!hash) throw new RangeError('a graph node has one input and one prevout');
  return hash;
}

/** Public nonces or partial signatures: compressed key (hex) → bytes. */
export type ByCosigner = Readonly<Record<string, Bytes>>;

export interface NodeSession {
  readonly node: TxNode;
  readonly keys: KeyAgg;
  readonly session: MusigSession;
  readonly nonces: ByCosigner;
}

/** Length of a public nonce: two compressed points. */
export const PUBLIC_NONCE_LENGTH = 66;

/** True when both halves of a public nonce are points: anything else would spoil the aggregate for everybody. */
export const isPublicNonce = (secp: Secp, nonce: Bytes): boolean =>
  nonce.length === PUBLIC_NONCE_LENGTH &&
  secp.isPublicKey(nonce.subarray(0, 33)) &&
  secp.isPublicKey(nonce.subarray(33));

/** The aggregate of a node's nonces, which has one for each cosigner. Throws when one is malformed. */
export const aggregateNonces = (secp: Secp, { cosigners }: TxNode, nonces: ByCosigner): Bytes =>
  secp.musigAggregateNonces(cosigners.map((cosigner) => nonces[cosigner]!));

/** Opens the signing session of one node; `nonces` has one checked nonce for each cosigner. */
export function openSession(secp: Secp, aggregator: KeyAggregator, node: TxNode, nonces: ByCosigner): NodeSession {
  const keys = aggregator.of(node.cosigners);
  const session = secp.musigSession(keys, aggregateNonces(secp, node, nonces), messageOf(node));
  return { node, keys, session, nonces };
}

export const isPartialValid = (secp: Secp, open: NodeSession, cosigner: string, partial: Bytes): boolean => {
  const nonce = open.nonces[cosigner];
  return nonce !== undefined && secp.musigVerify(open.session, open.keys, partial, nonce, fromHex(cosigner));
};

/** Sums verified partial signatures into the key-path signature of the node (64 bytes, SIGHASH_DEFAULT). */
export const combine = (secp: Secp, open: NodeSession, partials: ByCosigner): Bytes =>
  secp.musigAggregate(
    open.session,
    open.node.cosigners.map((cosigner) => partials[cosigner]!),
  );

/** Nodes that `cosigner` takes part in. */
export const nodesCosignedBy = (graph: TxGraph, cosigner: string): readonly TxNode[] =>
  graph.nodes.filter((node) => node.cosigners.includes(cosigner));

/** Txid → key-path signature for each node of a graph. */
export type GraphSignatures = Readonly<Record<Txid, Bytes>>;

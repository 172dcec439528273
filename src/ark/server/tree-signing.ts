/**
 * The signing of one batch's VTXO tree: nonces in, nonces out, partial signatures in, signatures out. Everything is
 * verified on arrival; what does not fit is refused to whoever sent it and changes nothing. In memory only.
 */
import { type Bytes, equal, fromHex, type Txid } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { Signer } from '../../runtime/signer.ts';
import {
  type ByCosigner,
  combine,
  type GraphSignatures,
  isPartialValid,
  isPublicNonce,
  type KeyAggregator,
  messageOf,
  type NodeSession,
  nodesCosignedBy,
  openSession,
} from '../../txgraph/cosign.ts';
import type { TxGraph, TxNode } from '../../txgraph/graph.ts';
import { demand } from '../protocol/errors.ts';
import type { ArkKeyName } from './keys.ts';

export interface TreeSigning {
  /**
   * Takes a client's nonces, one for each node it cosigns. `certain`: they come from the key's owner; `foreign`: from
   * somebody else while the owner can be heard, so that they are only held for the case that it sends none; `unknown`:
   * there is no telling. True when with them the key has its nonces now. Throws `ArkError`.
   */
  receiveNonces(cosigner: string, nonces: Readonly<Record<string, string>>, origin: NonceOrigin): boolean;
  /** Takes the nonces held for keys that have none; returns those keys. */
  adoptHeldNonces(): readonly string[];
  /** Everybody's nonces, once all are in; they are fixed from here on. */
  shareNonces(): readonly { readonly node: TxNode; readonly nonces: ByCosigner }[];
  /** Takes a client's partial signatures, one for each node it cosigns. Throws `INVALID_SIGNATURE` naming the node. */
  receiveSignatures(cosigner: string, partials: Readonly<Record<string, string>>): boolean;
  /** The signatures, once all partial ones are in. */
  signatures(): GraphSignatures;
  /** True when two different sets of nonces came for one key and there is no telling which is its owner's. */
  isContested(cosigner: string): boolean;
  /** True when a partial signature for this key was refused. */
  sentInvalidSignature(cosigner: string): boolean;
}

export type NonceOrigin = 'certain' | 'unknown' | 'foreign';

export interface TreeSigningParts {
  readonly secp: Secp;
  readonly signer: Signer<ArkKeyName>;
  readonly aggregator: KeyAggregator;
  readonly batchId: string;
  readonly graph: TxGraph;
  /** Compressed, hex. */
  readonly operator: string;
}

const PARTIAL_LENGTH = 32;

interface NonceSet {
  readonly origin: NonceOrigin;
  /** In the order of the graph. */
  readonly entries: readonly { readonly node: TxNode; readonly bytes: Bytes }[];
}

const isSame = (a: NonceSet, b: NonceSet): boolean =>
  a.entries.every(({ bytes }, i) => equal(bytes, b.entries[i]!.bytes));

export function createTreeSigning({
  secp,
  signer,
  aggregator,
  batchId,
  graph,
  operator,
}: TreeSigningParts): TreeSigning {
  const nonces = new Map<Txid, Record<string, Bytes>>();
  const partials = new Map<Txid, Record<string, Bytes>>();
  const sessions = new Map<Txid, NodeSession>();
  const heard = new Map<string, NonceSet>();
  const held = new Map<string, NonceSet>();
  const signed = new Set<string>();
  const contested = new Set<string>();
  const faulty = new Set<string>();
  let isShared = false;
  const slot = (node: TxNode): string => `${batchId}:${node.txid}`;

  for (const node of graph.nodes) {
    nonces.set(node.txid, { [operator]: signer.drawNonce('operator', slot(node)) });
    partials.set(node.txid, {});
  }

  /** The nodes of a client, with one entry of `sent` for each and none besides. */
  function entriesFor(cosigner: string, sent: Readonly<Record<string, string>>, length: number) {
    const nodes = cosigner === operator ? [] : nodesCosignedBy(graph, cosigner);
    demand(nodes.length > 0, 'INVALID_SIGNATURE', `${cosigner} is no cosigner of this batch`);
    demand(Object.keys(sent).length === nodes.length, 'INVALID_SIGNATURE', `expected ${nodes.length} entries`);
    return nodes.map((node) => {
      const text = sent[node.txid];
      const wellFormed = text !== undefined && new RegExp(`^[0-9a-fA-F]{${length * 2}}$`).test(text);
      demand(wellFormed, 'INVALID_SIGNATURE', `missing or malformed entry for ${node.txid}`, { txid: node.txid });
      return { node, bytes: fromHex(text) };
    });
  }

  function openSessions(): void {
    for (const node of graph.nodes) {
      const open = openSession(secp, aggregator, node, nonces.get(node.txid)!);
      sessions.set(node.txid, open);
      partials.get(node.txid)![operator] = signer.signPartial('operator', slot(node), open.session, open.keys);
    }
  }

  function accept(cosigner: string, set: NonceSet): boolean {
    for (const { node, bytes } of set.entries) nonces.get(node.txid)![cosigner] = bytes;
    heard.set(cosigner, set);
    if (set.origin === 'certain') contested.delete(cosigner);
    return true;
  }

  function hold(cosigner: string, set: NonceSet): boolean {
    const before = held.get(cosigner);
    if (before && !isSame(before, set)) contested.add(cosigner);
    if (!before) held.set(cosigner, set);
    return false;
  }

  return {
    isContested: (cosigner) => contested.has(cosigner),
    sentInvalidSignature: (cosigner) => faulty.has(cosigner),

    receiveNonces(cosigner, sent, origin) {
      const entries = entriesFor(cosigner, sent, 66);
      for (const { node, bytes } of entries) {
        demand(isPublicNonce(secp, bytes), 'INVALID_SIGNATURE', `malformed nonce for ${node.txid}`, {
          txid: node.txid,
        });
      }
      const set: NonceSet = { origin, entries };
      const before = heard.get(cosigner);
      if (!before) return origin === 'foreign' ? hold(cosigner, set) : accept(cosigner, set);
      if (isSame(before, set)) return false;
      // What the owner sends stands, whatever others send, unless their word was passed on already.
      const prevails = origin === 'certain' && before.origin !== 'certain' && !isShared;
      if (!prevails && (origin === 'certain' || before.origin !== 'certain')) contested.add(cosigner);
      demand(prevails, 'INVALID_SIGNATURE', `other nonces were received for ${cosigner} before`);
      accept(cosigner, set);
      return false;
    },

    adoptHeldNonces() {
      const adopted = [...held].filter(([cosigner]) => !heard.has(cosigner));
      for (const [cosigner, set] of adopted) accept(cosigner, set);
      return adopted.map(([cosigner]) => cosigner);
    },

    shareNonces() {
      isShared = true;
      return graph.nodes.map((node) => ({ node, nonces: nonces.get(node.txid)! }));
    },

    receiveSignatures(cosigner, sent) {
      const entries = entriesFor(cosigner, sent, PARTIAL_LENGTH);
      if (signed.has(cosigner)) return false;
      if (sessions.size === 0) openSessions();
      for (const { node, bytes } of entries) {
        const valid = isPartialValid(secp, sessions.get(node.txid)!, cosigner, bytes);
        if (!valid) faulty.add(cosigner);
        demand(valid, 'INVALID_SIGNATURE', `invalid partial signature of ${cosigner} for ${node.txid}`, {
          txid: node.txid,
          cosigner,
        });
      }
      for (const { node, bytes } of entries) partials.get(node.txid)![cosigner] = bytes;
      signed.add(cosigner);
      return true;
    },

    signatures() {
      const all: Record<Txid, Bytes> = {};
      for (const node of graph.nodes) {
        const open = sessions.get(node.txid)!;
        const signature = combine(secp, open, partials.get(node.txid)!);
        const key = node.prevout.script.subarray(2);
        invariant(equal(key, open.keys.xonly), 'a node is funded by its own aggregate key');
        invariant(secp.schnorrVerify(signature, messageOf(node), key), 'verified partial signatures add up');
        all[node.txid] = signature;
      }
      return all;
    },
  };
}

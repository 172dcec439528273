/** A client's part in signing its branch of the VTXO tree. Secret nonces are used once and wiped, whatever happens. */
import { type Bytes, equal, type Txid, toHex } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { NoncePair, Secp } from '../../crypto/secp.ts';
import { aggregateNonces, type KeyAggregator, messageOf } from '../../txgraph/cosign.ts';
import type { TxNode } from '../../txgraph/graph.ts';
import { type ClientErrorCode, insist } from './errors.ts';

/** A fresh key that cosigns one intent's branch. */
export interface CosignerKey {
  readonly secret: Bytes;
  readonly public: Bytes;
  /** {@link public} in hex. */
  readonly id: string;
}

export function createCosignerKey(secp: Secp, random: (length: number) => Bytes): CosignerKey {
  const secret = random(32);
  const key = secp.publicKey(secret);
  return { secret, public: key, id: toHex(key) };
}

export type HexByTxid = Readonly<Record<Txid, string>>;

export interface TreeCosigning {
  readonly publicNonces: HexByTxid;
  /** Takes everybody's nonces for a node. Returns all partial signatures once there are nonces for every node. */
  receiveNonces(txid: Txid, byXonly: Readonly<Record<string, Bytes>>): HexByTxid | undefined;
  /** Takes a node's final signature. Throws `SIGNATURE_INVALID`. */
  receiveSignature(txid: Txid, signature: Bytes): void;
  /** Signatures of the whole branch; `undefined` while one is missing. */
  signatures(): ReadonlyMap<Txid, Bytes> | undefined;
  /** Wipes the nonces that have not signed. */
  forget(): void;
}

export interface TreeCosigningParts {
  readonly secp: Secp;
  readonly random: (length: number) => Bytes;
  readonly aggregator: KeyAggregator;
  readonly key: CosignerKey;
  readonly path: readonly TxNode[];
}

export function createTreeCosigning({ secp, random, aggregator, key, path }: TreeCosigningParts): TreeCosigning {
  const drawn = new Map<Txid, NoncePair>(
    path.map(({ txid }) => [txid, secp.musigNonce(random(32), key.public, key.secret)]),
  );
  /** Aggregate nonces. */
  const heard = new Map<Txid, Bytes>();
  const final = new Map<Txid, Bytes>();
  const nodes = new Map(path.map((node) => [node.txid, node]));
  const publicNonces = Object.fromEntries([...drawn].map(([txid, pair]) => [txid, toHex(pair.public)]));

  /** The aggregate nonce of exactly the node's cosigners, the own one as it was sent. */
  function aggregate(node: TxNode, byXonly: Readonly<Record<string, Bytes>>): Bytes {
    const { txid, cosigners } = node;
    const nonces = Object.fromEntries(
      cosigners.map((cosigner) => {
        const nonce = byXonly[cosigner.slice(2)];
        insist(nonce, 'NONCES_INVALID', `no nonce of ${cosigner} for ${txid}`);
        return [cosigner, nonce];
      }),
    );
    const own = drawn.get(txid);
    insist(own && equal(own.public, nonces[key.id]!), 'NONCES_INVALID', `another nonce for ${txid} than was sent`);
    try {
      return aggregateNonces(secp, node, nonces);
    } catch {
      throw new ProtocolError<ClientErrorCode>('NONCES_INVALID', `a nonce for ${txid} is malformed`);
    }
  }

  function sign(node: TxNode): string {
    const pair = drawn.get(node.txid);
    insist(pair, 'NONCES_INVALID', `the nonce for ${node.txid} is used up`);
    drawn.delete(node.txid);
    try {
      const keys = aggregator.of(node.cosigners);
      const session = secp.musigSession(keys, heard.get(node.txid)!, messageOf(node));
      return toHex(secp.musigSign(session, keys, pair, key.secret));
    } finally {
      pair.secret.fill(0);
    }
  }

  return {
    publicNonces,
    receiveNonces(txid, byXonly) {
      const node = nodes.get(txid);
      if (!node || heard.has(txid)) return undefined;
      heard.set(txid, aggregate(node, byXonly));
      if (heard.size < path.length) return undefined;
      return Object.fromEntries(path.map((each) => [each.txid, sign(each)]));
    },
    receiveSignature(txid, signature) {
      const node = nodes.get(txid);
      if (!node) return;
      const valid = secp.schnorrVerify(signature, messageOf(node), node.prevout.script.subarray(2));
      insist(valid, 'SIGNATURE_INVALID', `the signature of ${txid} is invalid`);
      final.set(txid, signature);
    },
    signatures: () => (final.size === path.length ? final : undefined),
    forget() {
      for (const pair of drawn.values()) pair.secret.fill(0);
      drawn.clear();
    },
  };
}

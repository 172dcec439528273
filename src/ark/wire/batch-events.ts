/** Messages of the batch event stream (`GET /v1/batch/events`), in proto3 JSON. */
import { type Bytes, type Txid, toHex, utf8 } from '../../base/bytes.ts';
import { type Psbt, psbtBase64 } from '../../bitcoin/psbt.ts';
import { sha256 } from '../../crypto/hash.ts';
import type { ByCosigner } from '../../txgraph/cosign.ts';
import type { TxNode } from '../../txgraph/graph.ts';

export const heartbeat = { heartbeat: {} };

export const streamStarted = (id: string) => ({ streamStarted: { id } });

/** How a batch names an intent in public: its id stays between its owner and the server. */
export const intentIdHash = (intentId: string): string => toHex(sha256(utf8(intentId)));

export const batchStarted = (id: string, intentIds: readonly string[], batchExpiry: number) => ({
  batchStarted: { id, intentIdHashes: intentIds.map(intentIdHash), batchExpiry: `${batchExpiry}` },
});

/** `batchIndex` 0 is the VTXO tree, 1 the connectors. */
export const treeTx = (id: string, topic: readonly string[], batchIndex: 0 | 1, node: TxNode, psbt: Psbt) => ({
  treeTx: { id, topic, batchIndex, txid: node.txid, tx: psbtBase64(psbt), children: node.children },
});

export const treeSigningStarted = (id: string, cosignersPubkeys: readonly string[], commitment: Psbt) => ({
  treeSigningStarted: { id, cosignersPubkeys, unsignedCommitmentTx: psbtBase64(commitment) },
});

export const treeNonces = (id: string, topic: readonly string[], txid: Txid, nonces: ByCosigner) => ({
  treeNonces: {
    id,
    topic,
    txid,
    nonces: Object.fromEntries(Object.entries(nonces).map(([key, nonce]) => [key.slice(2), toHex(nonce)])),
  },
});

export const treeSignature = (id: string, topic: readonly string[], txid: Txid, signature: Bytes) => ({
  treeSignature: { id, topic, batchIndex: 0, txid, signature: toHex(signature) },
});

export const batchFinalization = (id: string, commitment: Psbt) => ({
  batchFinalization: { id, commitmentTx: psbtBase64(commitment) },
});

export const batchFinalized = (id: string, commitmentTxid: string) => ({ batchFinalized: { id, commitmentTxid } });

export const batchFailed = (id: string, reason: string) => ({ batchFailed: { id, reason } });

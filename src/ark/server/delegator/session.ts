/**
 * The delegator's part in batches, for many owners at once and under one cosigner key. A message goes in, calls to make
 * come out. Nothing is signed before all that the owners asked for is found in the tree, and no forfeit leaves before
 * the branches that replace its VTXO are signed. A lie ends the session with a throw.
 */
import { equal, type OutpointKey, outpointKey, type Txid } from '../../../base/bytes.ts';
import { type Psbt, psbtBase64 } from '../../../bitcoin/psbt.ts';
import type { RelativeTimelock } from '../../../bitcoin/timelock.ts';
import { txidOf } from '../../../bitcoin/tx.ts';
import { type BatchMessage, parseBatchMessage, type ReceivedNode } from '../../client/batch-messages.ts';
import type { ArkClient } from '../../client/client.ts';
import { insist } from '../../client/errors.ts';
import type { Call } from '../../client/transport.ts';
import { type CosignerKey, createTreeCosigning, type TreeCosigning } from '../../client/tree-cosigning.ts';
import { checkExpiry, verifyCommitment, verifyConnectors } from '../../client/verify-batch.ts';
import { verifyBranches } from '../../client/verify-branches.ts';
import { type Connector, sweepScript } from '../../protocol/batch-tree.ts';
import { completeDelegatedForfeit, type DelegatedForfeit, type Delegation } from '../../protocol/delegation.ts';
import { secretSigner } from '../../protocol/leaf-spend.ts';
import { intentIdHash } from '../../wire/batch-events.ts';
import { asFields, type Fields, texts } from '../../wire/request.ts';
import { ARK_ROUTES } from '../../wire/routes.ts';

/** A delegation that is queued at the server. */
export interface QueuedDelegation {
  /** Of the delegation. */
  readonly id: string;
  readonly intentId: string;
  readonly delegation: Delegation;
  /** Those of its forfeits that the server will ask for. */
  readonly owed: readonly DelegatedForfeit[];
}

export interface DelegateSession {
  /** Takes one message. Returns the calls it asks for, to be made in order. Throws a `ClientError`. */
  receive(message: Fields): readonly Call[];
  /** Delegations that a batch has settled, with its commitment; each is told once. */
  settled(): readonly { readonly id: string; readonly commitmentTxid: Txid }[];
  /** True once every delegation is settled. */
  isOver(): boolean;
  /** Wipes nonces that have not signed. */
  forget(): void;
}

export interface DelegateSessionParts {
  readonly client: ArkClient;
  readonly cosigner: CosignerKey;
  readonly queued: readonly QueuedDelegation[];
  /** Throws when a batch of this life would end before the VTXOs that it replaces. */
  readonly checkLife: (expiry: RelativeTimelock, members: readonly QueuedDelegation[]) => void;
}

interface Joined {
  readonly id: string;
  readonly expiry: RelativeTimelock;
  readonly members: readonly QueuedDelegation[];
  readonly vtxoNodes: ReceivedNode[];
  readonly connectorNodes: ReceivedNode[];
  /** Transaction of the connector tree → the VTXOs whose connectors hang below it. */
  readonly connectorTopics: Map<Txid, readonly string[]>;
  tree?: { readonly commitmentTxid: Txid; readonly cosigning: TreeCosigning };
  commitmentTxid?: Txid;
}

export function createDelegateSession(parts: DelegateSessionParts): DelegateSession {
  const { client, cosigner, checkLife } = parts;
  const { secp, random, terms } = client;
  const waiting = new Map(parts.queued.map((each) => [intentIdHash(each.intentId), each]));
  let news: { id: string; commitmentTxid: Txid }[] = [];
  let batch: Joined | undefined;

  function receive(message: Fields): readonly Call[] {
    const parsed = parseBatchMessage(message);
    if (!parsed) return [];
    if (parsed.type === 'batchStarted') return join(parsed);
    if (batch?.id !== parsed.id) return [];
    return proceed(batch, parsed, message);
  }

  function join({ id, intentIdHashes, expiry }: BatchMessage & { type: 'batchStarted' }): readonly Call[] {
    const members = intentIdHashes.flatMap((hash) => waiting.get(hash) ?? []);
    if (batch?.id === id || members.length === 0) return [];
    checkExpiry(expiry, terms);
    checkLife(expiry, members);
    batch?.tree?.cosigning.forget();
    batch = { id, expiry, members, vtxoNodes: [], connectorNodes: [], connectorTopics: new Map() };
    return members.map(({ intentId }) => ({ route: ARK_ROUTES.confirmRegistration, body: { intentId } }));
  }

  function proceed(current: Joined, message: BatchMessage, raw: Fields): readonly Call[] {
    switch (message.type) {
      case 'treeTx':
        if (message.tree === 'vtxo') current.vtxoNodes.push(message.node);
        else {
          current.connectorNodes.push(message.node);
          current.connectorTopics.set(message.node.txid, texts(asFields(raw.treeTx), 'topic'));
        }
        return [];
      case 'treeSigningStarted':
        return sendNonces(current, message);
      case 'treeNonces':
        return sendPartials(current, message);
      case 'treeSignature':
        current.tree?.cosigning.receiveSignature(message.txid, message.signature);
        return [];
      case 'batchFinalization':
        return payForfeits(current, message.commitment);
      case 'batchFinalized':
        return conclude(current, message.commitmentTxid);
      case 'batchFailed':
        return leave();
      case 'batchStarted':
        return [];
    }
  }

  function sendNonces(current: Joined, message: BatchMessage & { type: 'treeSigningStarted' }): readonly Call[] {
    insist(!current.tree, 'MALFORMED_ANSWER', 'the tree is to be signed twice');
    // Who is too late to confirm hears of the batch but has no part in it; the server queues it for the next.
    if (current.vtxoNodes.length === 0) return leave();
    const { commitment, cosigners: clients } = message;
    verifyCommitment(commitment, [], []);
    const aggregator = client.aggregators(sweepScript(current.expiry, terms.forfeitKey));
    const leaves = current.members.map(({ delegation }) => delegation.leafOutputs);
    const expected = { commitment, cosigner: cosigner.id, clients, leaves, aggregator };
    const { nodes: path } = verifyBranches(current.vtxoNodes, expected);
    const cosigning = createTreeCosigning({ secp, random, aggregator, key: cosigner, path });
    current.tree = { commitmentTxid: txidOf(commitment.tx), cosigning };
    const body = { batchId: current.id, pubkey: cosigner.id, treeNonces: cosigning.publicNonces };
    return [{ route: ARK_ROUTES.submitTreeNonces, body }];
  }

  function sendPartials(current: Joined, { txid, nonces }: BatchMessage & { type: 'treeNonces' }): readonly Call[] {
    const treeSignatures = current.tree?.cosigning.receiveNonces(txid, nonces);
    if (!treeSignatures) return [];
    const body = { batchId: current.id, pubkey: cosigner.id, treeSignatures };
    return [{ route: ARK_ROUTES.submitTreeSignatures, body }];
  }

  function payForfeits(current: Joined, commitment: Psbt): readonly Call[] {
    insist(!current.commitmentTxid, 'MALFORMED_ANSWER', 'the batch is finalized twice');
    const txid = txidOf(commitment.tx);
    insist(current.tree?.commitmentTxid === txid, 'COMMITMENT_CHANGED', 'the tree hangs below another commitment');
    insist(current.tree.cosigning.signatures(), 'SIGNATURE_INVALID', 'the branches are not signed');
    current.commitmentTxid = txid;
    const owed = current.members.flatMap((member) => member.owed);
    if (owed.length === 0) return [];
    const connectors = verifyConnectors(current.connectorNodes, commitment, owed.length, terms.dust);
    const delegate = secretSigner(secp, cosigner.secret, random(32));
    const signedForfeitTxs = assign(current, owed, connectors).map(({ forfeit, connector }) =>
      psbtBase64(completeDelegatedForfeit(forfeit, connector, delegate)),
    );
    return [{ route: ARK_ROUTES.submitForfeitTxs, body: { signedForfeitTxs } }];
  }

  /** Each VTXO gets the connector that was sent under its name, or else one that nobody's is. */
  function assign(current: Joined, owed: readonly DelegatedForfeit[], connectors: readonly Connector[]) {
    const free = new Set(connectors);
    const take = (forfeit: DelegatedForfeit, isFit: (connector: Connector) => boolean) => {
      const connector = [...free].find(isFit);
      if (!connector) return undefined;
      free.delete(connector);
      return { forfeit, connector };
    };
    const keyOf = ({ vtxo }: DelegatedForfeit): OutpointKey => outpointKey(vtxo.outpoint);
    const named = owed.map((forfeit) =>
      take(forfeit, ({ outpoint }) => current.connectorTopics.get(outpoint.txid)?.includes(keyOf(forfeit)) === true),
    );
    return named.map((pair, i) => pair ?? take(owed[i]!, () => true)!);
  }

  function conclude(current: Joined, commitmentTxid: Txid): readonly Call[] {
    insist(current.commitmentTxid === commitmentTxid, 'COMMITMENT_CHANGED', 'another commitment was broadcast');
    for (const { id, intentId } of current.members) {
      waiting.delete(intentIdHash(intentId));
      news.push({ id, commitmentTxid });
    }
    return leave();
  }

  function leave(): readonly Call[] {
    batch?.tree?.cosigning.forget();
    batch = undefined;
    return [];
  }

  return {
    receive,
    settled() {
      const told = news;
      news = [];
      return told;
    },
    isOver: () => waiting.size === 0,
    forget: () => void leave(),
  };
}

/** True when a delegation's proof has a leaf that the delegate, too, must sign. */
export const needsDelegate = ({ coins }: Delegation, delegate: Uint8Array): boolean =>
  coins.some(({ leaf }) => leaf.closure?.keys.some((key) => equal(key, delegate)));

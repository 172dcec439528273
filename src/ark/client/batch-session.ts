/**
 * A client's side of a batch, message by message:
 *
 *   waiting → joined → nonced → signed → paid → done
 *
 * A message goes in, calls to make come out; nothing here knows the network. An intent that asks for no VTXO goes from
 * joined straight to paid. A batch that fails sends the session back to waiting, since the server queues the intent
 * again. Whatever the server says is verified before anything is signed, and a lie ends the session with a throw.
 */
import { type Outpoint, outpointKey, type Txid } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { createPsbt, EMPTY_INPUT, type Psbt, prevoutsOf, psbtBase64, withInput } from '../../bitcoin/psbt.ts';
import type { RelativeTimelock } from '../../bitcoin/timelock.ts';
import { type Tx, type TxOut, txidOf } from '../../bitcoin/tx.ts';
import type { AssetAmount } from '../protocol/asset-packet.ts';
import { type Connector, sweepScript } from '../protocol/batch-tree.ts';
import { buildForfeit } from '../protocol/forfeit.ts';
import { leafFields, signLeaf, withClosure } from '../protocol/leaf-spend.ts';
import { conditionPair, withPairs } from '../protocol/psbt-fields.ts';
import { intentIdHash } from '../wire/batch-events.ts';
import type { Fields } from '../wire/request.ts';
import { ARK_ROUTES } from '../wire/routes.ts';
import { type Account, type Coin, signerOf } from './account.ts';
import { type BatchMessage, parseBatchMessage, type ReceivedNode } from './batch-messages.ts';
import { leafPacketOutput } from './batch-order.ts';
import type { ArkClient } from './client.ts';
import { type ClientErrorCode, insist } from './errors.ts';
import type { Call } from './transport.ts';
import { type CosignerKey, createTreeCosigning, type TreeCosigning } from './tree-cosigning.ts';
import { checkExpiry, type OwnBranch, verifyCommitment, verifyConnectors, verifyVtxoTree } from './verify-batch.ts';

/** What an owner wants of a batch. */
export interface BatchOrder {
  readonly coins: readonly Coin[];
  /** VTXOs to make: P2TR scripts and satoshi. */
  readonly receivers: readonly TxOut[];
  /** Outputs of the commitment transaction. */
  readonly onchain: readonly TxOut[];
  /** What each receiver's VTXO shall carry of the coins' assets; the rest is burned. By default the first gets all. */
  readonly assets?: readonly (readonly AssetAmount[])[];
}

export interface NewCoin {
  readonly outpoint: Outpoint;
  readonly output: TxOut;
}

/** What an owner has after a batch, the server's help no longer needed for it. */
export interface BatchOutcome {
  readonly commitmentTxid: Txid;
  /** In the order of the receivers. */
  readonly vtxos: readonly NewCoin[];
  /** The signed transactions from the commitment to the leaf, root first. */
  readonly branch: readonly Tx[];
  /** Life of the batch from the confirmation of its commitment on. */
  readonly expiry: RelativeTimelock;
  /** Compressed key in hex that cosigned the branch for the owner. */
  readonly cosigner: string;
}

export interface BatchSession {
  /** Takes one message. Returns the calls it asks for, to be made in order. Throws a `ClientError`. */
  receive(message: Fields): readonly Call[];
  /** The outcome as it will be, from the moment on when the owner is asked to pay for it. */
  signed(): BatchOutcome | undefined;
  outcome(): BatchOutcome | undefined;
}

export interface BatchSessionParts {
  readonly client: ArkClient;
  readonly account: Account;
  readonly order: BatchOrder;
  readonly intentId: string;
  readonly cosigner: CosignerKey;
}

/** Batches that others may spoil before the owner has enough. */
const MAX_FAILURES = 16;

interface Joined {
  readonly id: string;
  readonly expiry: RelativeTimelock;
  readonly vtxoNodes: ReceivedNode[];
  readonly connectorNodes: ReceivedNode[];
  /** From `nonced` on, where the order has receivers. */
  tree?: { readonly commitmentTxid: Txid; readonly branch: OwnBranch; readonly cosigning: TreeCosigning };

  commitmentTxid?: Txid;
}

export function createBatchSession({ client, account, order, intentId, cosigner }: BatchSessionParts): BatchSession {
  const { secp, random, terms } = client;
  const ownHash = intentIdHash(intentId);
  const boardings = order.coins.filter(({ kind }) => kind === 'boarding');
  const forfeited = order.coins.filter(({ kind }) => kind === 'vtxo');
  let batch: Joined | undefined;
  let signed: BatchOutcome | undefined;
  let outcome: BatchOutcome | undefined;
  let failures = 0;
  let failedId: string | undefined;

  function receive(message: Fields): readonly Call[] {
    const parsed = parseBatchMessage(message);
    if (!parsed || outcome) return [];
    if (parsed.type === 'batchStarted') return join(parsed);
    // Told twice: the batch failed, and the intent is not queued any more.
    if (parsed.type === 'batchFailed' && parsed.id === failedId) giveUp(parsed.reason);
    return batch?.id === parsed.id ? proceed(batch, parsed) : [];
  }

  function join({ id, intentIdHashes, expiry }: BatchMessage & { type: 'batchStarted' }): readonly Call[] {
    if (batch?.id === id || !intentIdHashes.includes(ownHash)) return [];
    checkExpiry(expiry, terms);
    batch?.tree?.cosigning.forget();
    batch = { id, expiry, vtxoNodes: [], connectorNodes: [] };
    return [{ route: ARK_ROUTES.confirmRegistration, body: { intentId } }];
  }

  function proceed(current: Joined, message: BatchMessage): readonly Call[] {
    switch (message.type) {
      case 'treeTx':
        (message.tree === 'vtxo' ? current.vtxoNodes : current.connectorNodes).push(message.node);
        return [];
      case 'treeSigningStarted':
        return order.receivers.length > 0 ? sendNonces(current, message) : [];
      case 'treeNonces':
        return sendPartials(current, message);
      case 'treeSignature':
        current.tree?.cosigning.receiveSignature(message.txid, message.signature);
        return [];
      case 'batchFinalization':
        return payDebts(current, message.commitment);
      case 'batchFinalized':
        return conclude(current, message.commitmentTxid);
      case 'batchFailed':
        return startOver(current, message.reason);
      case 'batchStarted':
        return [];
    }
  }

  function sendNonces(current: Joined, message: BatchMessage & { type: 'treeSigningStarted' }): readonly Call[] {
    insist(!current.tree, 'MALFORMED_ANSWER', 'the tree is to be signed twice');
    // Who is too late to confirm hears of the batch but has no part in it; the server queues it for the next.
    if (current.vtxoNodes.length === 0) return leave();
    const { commitment, cosigners: clients } = message;
    verifyCommitment(commitment, boardings, order.onchain);
    const aggregator = client.aggregators(sweepScript(current.expiry, terms.forfeitKey));
    const { receivers } = order;
    const packet = leafPacketOutput(order, cosigner.id);
    const expected = { commitment, cosigner: cosigner.id, clients, receivers, packet, aggregator, dust: terms.dust };
    const branch = verifyVtxoTree(current.vtxoNodes, expected);
    const cosigning = createTreeCosigning({ secp, random, aggregator, key: cosigner, path: branch.path });
    current.tree = { commitmentTxid: txidOf(commitment.tx), branch, cosigning };
    const body = { batchId: current.id, pubkey: cosigner.id, treeNonces: cosigning.publicNonces };
    return [{ route: ARK_ROUTES.submitTreeNonces, body }];
  }

  function sendPartials(current: Joined, { txid, nonces }: BatchMessage & { type: 'treeNonces' }): readonly Call[] {
    const treeSignatures = current.tree?.cosigning.receiveNonces(txid, nonces);
    if (!treeSignatures) return [];
    const body = { batchId: current.id, pubkey: cosigner.id, treeSignatures };
    return [{ route: ARK_ROUTES.submitTreeSignatures, body }];
  }

  /** Nothing is given up before what is received for it is signed and hangs below the very same commitment. */
  function payDebts(current: Joined, commitment: Psbt): readonly Call[] {
    insist(!current.commitmentTxid, 'MALFORMED_ANSWER', 'the batch is finalized twice');
    const txid = txidOf(commitment.tx);
    verifyCommitment(commitment, boardings, order.onchain);
    if (order.receivers.length > 0) {
      insist(current.tree?.commitmentTxid === txid, 'COMMITMENT_CHANGED', 'the tree hangs below another commitment');
      insist(current.tree.cosigning.signatures(), 'SIGNATURE_INVALID', 'the own branch is not signed');
    }
    current.commitmentTxid = txid;
    signed = outcomeOf(current, txid);
    const signedForfeitTxs = signForfeits(current.connectorNodes, commitment);
    const signedCommitmentTx = boardings.length > 0 ? psbtBase64(signBoardings(commitment)) : undefined;
    if (signedForfeitTxs.length + boardings.length === 0) return [];
    const body = { signedForfeitTxs, ...(signedCommitmentTx && { signedCommitmentTx }) };
    return [{ route: ARK_ROUTES.submitForfeitTxs, body }];
  }

  function signForfeits(nodes: readonly ReceivedNode[], commitment: Psbt): readonly string[] {
    if (forfeited.length === 0) return [];
    const connectors = verifyConnectors(nodes, commitment, forfeited.length, terms.dust);
    return forfeited.map((coin, i) => psbtBase64(signForfeit(coin, connectors[i]!)));
  }

  function signForfeit(coin: Coin, connector: Connector): Psbt {
    const closure = withClosure(coin.leaf)?.closure;
    const vtxo = { outpoint: coin.outpoint, value: coin.amount, script: coin.script };
    const locktime = closure?.kind === 'cltv' ? closure.locktime : 0;
    const tx = buildForfeit({ vtxo, connector, forfeitScript: terms.forfeitScript, locktime });
    const spending = { ...EMPTY_INPUT, witnessUtxo: vtxo, ...leafFields(coin.leaf) };
    const input = coin.condition ? withPairs(spending, conditionPair(coin.condition)) : spending;
    const psbt = createPsbt(tx, [input, { ...EMPTY_INPUT, witnessUtxo: connector }]);
    return signLeaf(psbt, 0, prevoutsOf(psbt)!, coin.leaf, signerOf(client, account));
  }

  function signBoardings(commitment: Psbt): Psbt {
    const prevouts = prevoutsOf(commitment)!;
    const signer = signerOf(client, account);
    return boardings.reduce((signed, { outpoint, leaf }) => {
      const key = outpointKey(outpoint);
      const index = commitment.tx.inputs.findIndex(({ prevout }) => outpointKey(prevout) === key);
      return signLeaf(withInput(signed, index, leafFields(leaf)), index, prevouts, leaf, signer);
    }, commitment);
  }

  function conclude(current: Joined, commitmentTxid: Txid): readonly Call[] {
    insist(current.commitmentTxid === commitmentTxid, 'COMMITMENT_CHANGED', 'another commitment was broadcast');
    outcome = signed;
    return [];
  }

  function outcomeOf({ tree, expiry }: Joined, commitmentTxid: Txid): BatchOutcome {
    const { branch, cosigning } = tree ?? {};
    const signatures = cosigning?.signatures();
    return {
      commitmentTxid,
      vtxos: branch
        ? order.receivers.map((output, vout) => ({ outpoint: { txid: branch.leaf.txid, vout }, output }))
        : [],
      branch: (branch?.path ?? []).map(({ tx, txid }) => ({
        ...tx,
        inputs: tx.inputs.map((input) => ({ ...input, witness: [signatures!.get(txid)!] })),
      })),
      expiry,
      cosigner: cosigner.id,
    };
  }

  function leave(): readonly Call[] {
    batch = undefined;
    return [];
  }

  function startOver(current: Joined, reason: string): readonly Call[] {
    current.tree?.cosigning.forget();
    signed = undefined;
    failures++;
    failedId = current.id;
    if (failures >= MAX_FAILURES) giveUp(reason);
    return leave();
  }

  function giveUp(reason: string): never {
    throw new ProtocolError<ClientErrorCode>('BATCH_FAILED', reason);
  }

  return { receive, signed: () => signed, outcome: () => outcome };
}

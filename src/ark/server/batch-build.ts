/** From the intents of a batch to its unsigned transactions: commitment, VTXO tree, connectors. */
import { fromHex, type OutpointKey, parseOutpoint, type Txid } from '../../base/bytes.ts';
import { invariant, messageOf } from '../../base/errors.ts';
import { type TxOut, txidOf } from '../../bitcoin/tx.ts';
import type { KeyAggregator } from '../../txgraph/cosign.ts';
import { leavesOf, pathToRoot, type TxGraph } from '../../txgraph/graph.ts';
import type { PlannedLeaf } from '../../txgraph/plan.ts';
import type { BatchMember } from '../protocol/batch.ts';
import {
  batchAggregator,
  type Connector,
  connectorsOf,
  planConnectorTree,
  planVtxoTree,
  rootConnectorTree,
  rootVtxoTree,
  sweepScript,
} from '../protocol/batch-tree.ts';
import { type BoardingInput, buildCommitment, type Commitment } from '../protocol/commitment.ts';
import type { ArkContext } from './context.ts';
import { boardingLeaf } from './debts.ts';
import type { RegisteredInput, Registration } from './registration.ts';
import type { StoredIntent } from './store/intents.ts';

export interface BuiltBatch {
  readonly commitment: Commitment;
  readonly commitmentTxid: Txid;
  readonly aggregator: KeyAggregator;
  readonly vtxoGraph: TxGraph | undefined;
  readonly connectorGraph: TxGraph | undefined;
  /** The connectors of each intent that owes forfeits. */
  readonly connectors: ReadonlyMap<string, readonly Connector[]>;
  /** Connector transaction → the VTXOs whose connectors hang below it. */
  readonly connectorTopics: ReadonlyMap<Txid, readonly OutpointKey[]>;
}

/** Thrown when a batch cannot be built; the intents named are dropped, the others may try again. */
export class UnfitError extends Error {
  override readonly name = 'UnfitError';
  readonly intentIds: readonly string[];

  constructor(message: string, intentIds: readonly string[]) {
    super(message);
    this.intentIds = intentIds;
  }
}

export const owesForfeit = (input: RegisteredInput): boolean => input.kind === 'vtxo';
/** Gets a connector: it owes a forfeit, or its owner may think so. */
export const mayForfeit = (input: RegisteredInput): boolean => owesForfeit(input) || input.sweptLately === true;
export const isBoarding = (input: RegisteredInput): boolean => input.kind === 'boarding';

/** What the batch machine needs to know of an intent. */
export const memberOf = ({ id, intent }: StoredIntent): BatchMember => ({
  intentId: id,
  topics: [...intent.inputs.map((input) => input.outpoint), ...intent.cosigners],
  cosigners: intent.receivers.length > 0 ? intent.cosigners : [],
  owes: intent.inputs.filter((input) => owesForfeit(input) || isBoarding(input)).map((input) => input.outpoint),
});

const leafOf = ({ intent }: StoredIntent, operator: string): PlannedLeaf => ({
  outputs: [...intent.receivers, ...(intent.extension ? [intent.extension] : [])],
  cosigners: [...intent.cosigners, operator],
});

async function recheckAll(registration: Registration, intents: readonly StoredIntent[]): Promise<void> {
  const unfit: { id: string; reason: string }[] = [];
  for (const { id, intent } of intents) {
    try {
      await registration.recheck(intent);
    } catch (error) {
      unfit.push({ id, reason: messageOf(error) });
    }
  }
  if (unfit.length > 0)
    throw new UnfitError(
      unfit[0]!.reason,
      unfit.map(({ id }) => id),
    );
}

function boardingInput(ctx: ArkContext, input: RegisteredInput): BoardingInput {
  const leaf = boardingLeaf(ctx, input);
  return {
    outpoint: parseOutpoint(input.outpoint),
    output: { value: input.amount, script: fromHex(input.script) },
    leafScript: leaf.script,
    controlBlock: leaf.controlBlock,
    signatures: leaf.closure.keys.length,
  };
}

function assignConnectors(intents: readonly StoredIntent[], graph: TxGraph | undefined) {
  const connectors = new Map<string, Connector[]>();
  const connectorTopics = new Map<Txid, OutpointKey[]>();
  if (!graph) return { connectors, connectorTopics };
  const free = [...connectorsOf(graph)];
  for (const { id, intent } of intents) {
    for (const input of intent.inputs.filter(mayForfeit)) {
      const connector = free.shift();
      invariant(connector, 'there is a connector for every forfeit');
      connectors.set(id, [...(connectors.get(id) ?? []), connector]);
      for (const node of pathToRoot(graph, connector.outpoint.txid)) {
        connectorTopics.set(node.txid, [...(connectorTopics.get(node.txid) ?? []), input.outpoint]);
      }
    }
  }
  return { connectors, connectorTopics };
}

/** Builds everything a batch will sign, reserving the wallet's coins under its id. Throws {@link UnfitError}. */
export async function buildBatch(
  ctx: ArkContext,
  registration: Registration,
  id: string,
  intents: readonly StoredIntent[],
): Promise<BuiltBatch> {
  await recheckAll(registration, intents);
  const settings = ctx.settings();
  const inputs = intents.flatMap(({ intent }) => intent.inputs);
  const aggregator = batchAggregator(
    ctx.secp,
    sweepScript(settings.batchExpiry, fromHex(ctx.publicKeys.forfeit).slice(1)),
  );
  const leaves = intents
    .filter(({ intent }) => intent.receivers.length > 0)
    .map((stored) => leafOf(stored, ctx.publicKeys.operator));
  const vtxoPlan = leaves.length > 0 ? planVtxoTree(aggregator, leaves) : undefined;
  const forfeits = inputs.filter(mayForfeit).length;
  const connectorPlan =
    forfeits > 0 ? planConnectorTree(forfeits, settings.dust, ctx.wallet.connectorScript) : undefined;
  const onchain: TxOut[] = intents.flatMap(({ intent }) => intent.onchain);
  const commitment = buildCommitment(
    {
      batch: vtxoPlan?.funding,
      connectors: connectorPlan?.funding,
      onchain,
      boarding: inputs.filter(isBoarding).map((input) => boardingInput(ctx, input)),
      changeScript: ctx.wallet.script,
      feeRate: await ctx.chain.feeRate(2),
      dust: settings.dust,
    },
    await ctx.wallet.spendable(),
  );
  if (!commitment) throw new UnfitError('the server lacks the liquidity for this batch', []);
  if (!ctx.wallet.reserve(commitment.coins, id)) throw new UnfitError('a coin of this batch is wanted elsewhere', []);
  const commitmentTxid = txidOf(commitment.psbt.tx);
  const connectorGraph = connectorPlan && rootConnectorTree(connectorPlan, commitmentTxid);
  return {
    commitment,
    commitmentTxid,
    aggregator,
    vtxoGraph: vtxoPlan && rootVtxoTree(vtxoPlan, commitmentTxid),
    connectorGraph,
    ...assignConnectors(intents, connectorGraph),
  };
}

/** Where each receiver of the batch finds its VTXO, and what that carries. A planned tree keeps the very outputs it was given. */
export function vtxoOutputs(built: BuiltBatch, intents: readonly StoredIntent[]) {
  const leaves = new Map(built.vtxoGraph ? leavesOf(built.vtxoGraph).map((leaf) => [leaf.tx.outputs[0], leaf]) : []);
  return intents.flatMap(({ intent }) =>
    intent.receivers.map((output, vout) => {
      const leaf = leaves.get(intent.receivers[0]);
      invariant(leaf, 'every intent with receivers has its leaf');
      return { txid: leaf.txid, vout, output, assets: intent.assets?.[vout] ?? [] };
    }),
  );
}

/** Batches that reached a commitment transaction (or failed on the way), with their trees and forfeits. */
import type { OutpointKey, Txid } from '../../../base/bytes.ts';
import { parse, print } from '../../../base/codec.ts';
import type { DbTx, Row } from '../../../store/db.ts';
import type { AssetChange } from '../../protocol/assets.ts';
import type { TimeRange } from '../../wire/request.ts';
import { parseChanges, printChanges } from './assets.ts';
import { type NewVtxo, type Reader, toVtxo, type Vtxo } from './vtxos.ts';

const SHAPE = 1;
/** Rows of one statement. */
const CHUNK = 500;

/** What a batch moved; amounts in satoshi. */
export interface BatchSummary {
  readonly inputAmount: bigint;
  readonly inputCount: number;
  readonly forfeitedAmount: bigint;
  readonly vtxoAmount: bigint;
  readonly vtxoCount: number;
  readonly exitAmount: bigint;
  readonly exitAddresses: readonly string[];
  /** On-chain fee paid by the server. */
  readonly feeAmount: bigint;
  readonly failure?: string;
}

export interface Batch {
  readonly id: string;
  /** `pending`: durable but perhaps not broadcast; its VTXOs do not exist yet. */
  readonly state: 'pending' | 'final' | 'failed';
  readonly commitmentTxid: Txid | undefined;
  /** Fully signed, hex. */
  readonly commitmentTx: string | undefined;
  /** Unix seconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Height or unix seconds; 0 while failed. */
  readonly expiresAt: number;
  readonly swept: boolean;
  readonly confirmedHeight: number | undefined;
  readonly summary: BatchSummary;
  /** The VTXOs it creates once final. */
  readonly outputs: readonly NewVtxo[];
  /** What its intents issue and burn once it is final, each asset once. */
  readonly assetChanges: readonly AssetChange[];
}

const toBatch = (row: Row): Batch => ({
  id: row.id as string,
  state: row.state as Batch['state'],
  commitmentTxid: (row.commitment_txid ?? undefined) as Txid | undefined,
  commitmentTx: (row.commitment_tx ?? undefined) as string | undefined,
  startedAt: Number(row.started_at),
  endedAt: Number(row.ended_at),
  expiresAt: Number(row.expires_at),
  swept: row.swept === 1n,
  confirmedHeight: row.confirmed_height === null ? undefined : Number(row.confirmed_height),
  summary: parse<BatchSummary>(SHAPE, row.summary as string),
  outputs: parse<NewVtxo[]>(SHAPE, row.outputs as string),
  assetChanges: parseChanges(row.asset_changes as string),
});

export async function insertBatch(tx: DbTx, batch: Omit<Batch, 'swept' | 'confirmedHeight'>): Promise<void> {
  await tx.run(
    `insert into ark_batch (id, state, commitment_txid, commitment_tx, started_at, ended_at, expires_at, summary, outputs,
       asset_changes) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      batch.id,
      batch.state,
      batch.commitmentTxid ?? null,
      batch.commitmentTx ?? null,
      batch.startedAt,
      batch.endedAt,
      batch.expiresAt,
      print(SHAPE, batch.summary),
      print(SHAPE, batch.outputs),
      printChanges(batch.assetChanges),
    ],
  );
}

/** Makes a pending batch final; false when it was not pending any more. */
export async function finishBatch(tx: DbTx, id: string): Promise<boolean> {
  const rows = await tx.run("update ark_batch set state = 'final' where id = $1 and state = 'pending' returning id", [
    id,
  ]);
  return rows.length === 1;
}

/**
 * Gives up a batch that is in this state; false when it was not any more. It gives its commitment's txid back, since
 * the next batch of the same intents may well come to the same.
 */
export async function failBatch(tx: DbTx, id: string, from: 'pending' | 'final'): Promise<boolean> {
  const rows = await tx.run(
    "update ark_batch set state = 'failed', commitment_txid = null where id = $1 and state = $2 returning id",
    [id, from],
  );
  return rows.length === 1;
}

export async function confirmBatch(tx: DbTx, commitmentTxid: Txid, height: number | null): Promise<void> {
  await tx.run('update ark_batch set confirmed_height = $2 where commitment_txid = $1', [commitmentTxid, height]);
}

export async function batchById(db: Reader, id: string): Promise<Batch | undefined> {
  return (await db.read('select * from ark_batch where id = $1', [id])).map(toBatch)[0];
}

export async function batchByCommitment(db: Reader, commitmentTxid: string): Promise<Batch | undefined> {
  return (await db.read('select * from ark_batch where commitment_txid = $1', [commitmentTxid])).map(toBatch)[0];
}

export async function pendingBatches(db: Reader): Promise<Batch[]> {
  return (await db.read("select * from ark_batch where state = 'pending' order by started_at")).map(toBatch);
}

/** Final batches whose commitment transaction is not in a block yet. */
export async function unconfirmedBatches(db: Reader): Promise<Batch[]> {
  return (await db.read("select * from ark_batch where state = 'final' and confirmed_height is null")).map(toBatch);
}

/** Signed commitment transactions (hex) that are recorded and not in a block: their coins are spoken for. */
export async function openCommitments(db: Reader): Promise<string[]> {
  const rows = await db.read(
    `select commitment_tx from ark_batch where commitment_tx is not null
     and (state = 'pending' or (state = 'final' and confirmed_height is null)) order by started_at`,
  );
  return rows.map((row) => row.commitment_tx as string);
}

/** Final, confirmed batches of which something may be left on chain. */
export async function unsweptBatches(db: Reader): Promise<Batch[]> {
  const rows = await db.read(
    "select * from ark_batch where state = 'final' and swept = 0 and confirmed_height is not null order by started_at",
  );
  return rows.map(toBatch);
}

/** Final batches of which nothing is being swept, without what they made. */
export async function liveBatches(
  db: Reader,
): Promise<(Pick<Batch, 'expiresAt' | 'summary'> & { readonly commitmentTxid: Txid })[]> {
  const rows = await db.read(
    `select commitment_txid, expires_at, summary from ark_batch where state = 'final' and swept = 0
     and not exists (select 1 from ark_sweep_batch s where s.commitment_txid = ark_batch.commitment_txid)`,
  );
  return rows.map((row) => ({
    commitmentTxid: row.commitment_txid as Txid,
    expiresAt: Number(row.expires_at),
    summary: parse<BatchSummary>(SHAPE, row.summary as string),
  }));
}

export async function closeBatch(tx: DbTx, id: string): Promise<void> {
  await tx.run('update ark_batch set swept = 1 where id = $1', [id]);
}

/** Takes {@link closeBatch} back. */
export async function reopenBatch(tx: DbTx, commitmentTxid: Txid): Promise<void> {
  await tx.run('update ark_batch set swept = 0 where commitment_txid = $1', [commitmentTxid]);
}

/** What the members of a batch left to the server, on-chain fees not counted; satoshi. */
export const collectedBy = ({ inputAmount, vtxoAmount, exitAmount }: BatchSummary): bigint =>
  inputAmount - vtxoAmount - exitAmount;

/** Satoshi that the batches of a time have left to the server, both bounds excluded. */
export async function feesCollected(db: Reader, { after, before }: TimeRange): Promise<bigint> {
  let [collected, last] = [0n, ''];
  for (;;) {
    const rows = await db.read(
      `select id, summary from ark_batch
       where state = 'final' and id > $1 and started_at > $2 and (cast($3 as bigint) = 0 or started_at < $3)
       order by id limit $4`,
      [last, after, before, CHUNK],
    );
    for (const row of rows) collected += collectedBy(parse<BatchSummary>(SHAPE, row.summary as string));
    if (rows.length < CHUNK) return collected;
    last = rows.at(-1)!.id as string;
  }
}

export interface BatchRange extends TimeRange {
  readonly withFailed: boolean;
  readonly withCompleted: boolean;
}

export async function batchIds(db: Reader, range: BatchRange): Promise<string[]> {
  const states = [range.withFailed ? 'failed' : '', range.withCompleted ? 'final' : ''];
  const rows = await db.read(
    `select id from ark_batch where started_at > $1 and (cast($2 as bigint) = 0 or started_at < $2) and state in ($3, $4)
     order by started_at, id`,
    [range.after, range.before, ...states],
  );
  return rows.map((row) => row.id as string);
}

export type TreeName = 'vtxo' | 'connector';

export interface TreeTx {
  readonly txid: Txid;
  readonly commitmentTxid: Txid;
  readonly tree: TreeName;
  readonly parentTxid: Txid;
  /** Output index → txid. */
  readonly children: Readonly<Record<string, Txid>>;
  /** Base64, signed where the tree is cosigned. */
  readonly psbt: string;
}

const toTreeTx = (row: Row): TreeTx => ({
  txid: row.txid as Txid,
  commitmentTxid: row.commitment_txid as Txid,
  tree: row.tree as TreeName,
  parentTxid: row.parent_txid as Txid,
  children: JSON.parse(row.children as string) as Record<string, Txid>,
  psbt: row.psbt as string,
});

export async function insertTreeTxs(tx: DbTx, txs: readonly TreeTx[]): Promise<void> {
  for (const [position, node] of txs.entries()) {
    await tx.run(
      `insert into ark_tree_tx (txid, commitment_txid, tree, position, parent_txid, children, psbt)
       values ($1, $2, $3, $4, $5, $6, $7)`,
      [node.txid, node.commitmentTxid, node.tree, position, node.parentTxid, JSON.stringify(node.children), node.psbt],
    );
  }
}

export interface Page {
  readonly limit: number;
  readonly offset: number;
}

export type TreeShape = Pick<TreeTx, 'txid' | 'children'>;

/** {@link treeTxs} without the transactions themselves. */
export async function treeShape(
  db: Reader,
  commitmentTxid: string,
  tree: TreeName,
  { limit, offset }: Page,
): Promise<{ txs: TreeShape[]; total: number }> {
  const args = [commitmentTxid, tree];
  const [count] = await db.read('select count(*) as n from ark_tree_tx where commitment_txid = $1 and tree = $2', args);
  const rows = await db.read(
    `select txid, children from ark_tree_tx where commitment_txid = $1 and tree = $2
     order by position limit $3 offset $4`,
    [...args, limit, offset],
  );
  const txs = rows.map((row) => ({ txid: row.txid as Txid, children: JSON.parse(row.children as string) }));
  return { txs, total: Number(count?.n ?? 0) };
}

/** Transactions of a tree, root first, and how many there are. */
export async function treeTxs(
  db: Reader,
  commitmentTxid: string,
  tree: TreeName,
  { limit, offset }: Page,
): Promise<{ txs: TreeTx[]; total: number }> {
  const args = [commitmentTxid, tree];
  const [count] = await db.read('select count(*) as n from ark_tree_tx where commitment_txid = $1 and tree = $2', args);
  const rows = await db.read(
    'select * from ark_tree_tx where commitment_txid = $1 and tree = $2 order by position limit $3 offset $4',
    [...args, limit, offset],
  );
  return { txs: rows.map(toTreeTx), total: Number(count?.n ?? 0) };
}

/** VTXOs of a batch in the order of its tree, and how many there are. */
export async function batchLeaves(
  db: Reader,
  commitmentTxid: string,
  { limit, offset }: Page,
): Promise<{ leaves: Vtxo[]; total: number }> {
  const from = `from ark_tree_tx t join ark_vtxo v on v.txid = t.txid
    where t.commitment_txid = $1 and t.tree = 'vtxo'`;
  const [count] = await db.read(`select count(*) as n ${from}`, [commitmentTxid]);
  const rows = await db.read(`select v.* ${from} order by t.position, v.vout limit $2 offset $3`, [
    commitmentTxid,
    limit,
    offset,
  ]);
  return { leaves: rows.map(toVtxo), total: Number(count?.n ?? 0) };
}

export async function treeTxById(db: Reader, txid: string): Promise<TreeTx | undefined> {
  return (await db.read('select * from ark_tree_tx where txid = $1', [txid])).map(toTreeTx)[0];
}

/** How a transaction of a tree hangs in it. */
export type TreeLink = Pick<TreeTx, 'txid' | 'parentTxid' | 'children'>;

/** A whole tree without its transactions, root first. */
export async function treeLinks(db: Reader, commitmentTxid: Txid, tree: TreeName): Promise<TreeLink[]> {
  const rows = await db.read(
    'select txid, parent_txid, children from ark_tree_tx where commitment_txid = $1 and tree = $2 order by position',
    [commitmentTxid, tree],
  );
  return rows.map((row) => ({
    txid: row.txid as Txid,
    parentTxid: row.parent_txid as Txid,
    children: JSON.parse(row.children as string) as Record<string, Txid>,
  }));
}

export interface Forfeit {
  readonly outpoint: OutpointKey;
  readonly connector: OutpointKey;
  readonly txid: Txid;
  /** Base64, signed by the owner. */
  readonly psbt: string;
}

export async function insertForfeits(tx: DbTx, commitmentTxid: Txid, forfeits: readonly Forfeit[]): Promise<void> {
  for (const forfeit of forfeits) {
    await tx.run(
      'insert into ark_forfeit (outpoint, commitment_txid, connector, txid, psbt) values ($1, $2, $3, $4, $5)',
      [forfeit.outpoint, commitmentTxid, forfeit.connector, forfeit.txid, forfeit.psbt],
    );
  }
}

export async function deleteBatchArtifacts(tx: DbTx, commitmentTxid: Txid): Promise<void> {
  await tx.run('delete from ark_forfeit where commitment_txid = $1', [commitmentTxid]);
  await tx.run('delete from ark_tree_tx where commitment_txid = $1', [commitmentTxid]);
}

export async function forfeitTxids(
  db: Reader,
  commitmentTxid: string,
  { limit, offset }: Page,
): Promise<{ txids: Txid[]; total: number }> {
  const [count] = await db.read('select count(*) as n from ark_forfeit where commitment_txid = $1', [commitmentTxid]);
  const rows = await db.read(
    'select txid from ark_forfeit where commitment_txid = $1 order by outpoint limit $2 offset $3',
    [commitmentTxid, limit, offset],
  );
  return { txids: rows.map((row) => row.txid as Txid), total: Number(count?.n ?? 0) };
}

export async function forfeitOf(db: Reader, outpoint: OutpointKey): Promise<Forfeit | undefined> {
  const [row] = await db.read('select * from ark_forfeit where outpoint = $1', [outpoint]);
  if (!row) return undefined;
  return {
    outpoint,
    connector: row.connector as OutpointKey,
    txid: row.txid as Txid,
    psbt: row.psbt as string,
  };
}

/** Whether a VTXO that this commitment's batch settled could still be put on chain, so that its connector is needed. */
export async function areConnectorsNeeded(db: Reader, commitmentTxid: Txid): Promise<boolean> {
  const rows = await db.read(
    `select f.outpoint from ark_forfeit f join ark_vtxo v on v.outpoint = f.outpoint
     where f.commitment_txid = $1 and v.swept = 0
     and not exists (select 1 from ark_closed_case c where c.outpoint = f.outpoint) limit 1`,
    [commitmentTxid],
  );
  return rows.length > 0;
}

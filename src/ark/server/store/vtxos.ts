/** VTXO rows: who may spend what, decided by the database and not by anybody's memory of it. */
import { type OutpointKey, parseOutpoint, type Txid } from '../../../base/bytes.ts';
import type { Sats } from '../../../base/units.ts';
import type { Db, DbTx, Row, SqlValue } from '../../../store/db.ts';
import type { AssetAmount, AssetId } from '../../protocol/asset-packet.ts';
import { inChunks, slots } from './chunks.ts';

export interface Vtxo {
  readonly outpoint: OutpointKey;
  readonly txid: Txid;
  readonly vout: number;
  readonly amount: Sats;
  /** P2TR script (hex), also where the amount is below dust and the output is an OP_RETURN. */
  readonly script: string;
  readonly origin: 'batch' | 'offchain' | 'note';
  /** The commitment transactions it descends from; none for a note. */
  readonly commitmentTxids: readonly Txid[];
  /** Off-chain transactions between it and its batches. */
  readonly depth: number;
  /** Unix seconds. */
  readonly createdAt: number;
  /** Unix milliseconds of the last change of any column: clients ask for what changed since. */
  readonly updatedAt: number;
  /** Block height, or unix seconds, at which the server may sweep the first of its batches. */
  readonly expiresAt: number;
  readonly swept: boolean;
  readonly unrolled: boolean;
  /** Checkpoint or forfeit transaction, or the commitment where nothing had to be forfeited. */
  readonly spentBy: Txid | undefined;
  readonly arkTxid: Txid | undefined;
  readonly settledBy: Txid | undefined;
  /** The confirmed transaction that took it from the chain after it was unrolled, while nobody had spent it in the Ark. */
  readonly claimedBy: Txid | undefined;
  readonly assets: readonly AssetAmount[];
}

export type NewVtxo = Omit<
  Vtxo,
  'outpoint' | 'updatedAt' | 'unrolled' | 'spentBy' | 'arkTxid' | 'settledBy' | 'claimedBy' | 'assets'
> &
  Partial<Pick<Vtxo, 'assets'>>;

const list = (text: string): Txid[] => (text === '' ? [] : (text.split(',') as Txid[]));

/** Assets as the column holds them: `id:amount,…`. */
const printAssets = (assets: readonly AssetAmount[]): string =>
  assets.map(({ assetId, amount }) => `${assetId}:${amount}`).join(',');

const parseAssets = (text: string): readonly AssetAmount[] =>
  (text === '' ? [] : text.split(',')).map((entry) => {
    const [assetId, amount] = entry.split(':');
    return { assetId: assetId as AssetId, amount: BigInt(amount!) };
  });

export function toVtxo(row: Row): Vtxo {
  return {
    outpoint: row.outpoint as OutpointKey,
    txid: row.txid as Txid,
    vout: Number(row.vout),
    amount: row.amount as Sats,
    script: row.script as string,
    origin: row.origin as Vtxo['origin'],
    commitmentTxids: list(row.commitment_txids as string),
    depth: Number(row.depth),
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
    expiresAt: Number(row.expires_at),
    swept: row.swept === 1n,
    unrolled: row.unrolled === 1n,
    spentBy: (row.spent_by ?? undefined) as Txid | undefined,
    arkTxid: (row.ark_txid ?? undefined) as Txid | undefined,
    settledBy: (row.settled_by ?? undefined) as Txid | undefined,
    claimedBy: (row.claimed_by ?? undefined) as Txid | undefined,
    assets: parseAssets(row.assets as string),
  };
}

export type Reader = Pick<Db, 'read'> | Pick<DbTx, 'read'>;

export async function vtxosByOutpoint(db: Reader, outpoints: readonly OutpointKey[]): Promise<Vtxo[]> {
  const rows = await inChunks(outpoints, (chunk) =>
    db.read(`select * from ark_vtxo where outpoint in (${slots(chunk.length)})`, chunk),
  );
  return rows.map(toVtxo);
}

export async function vtxosByTxid(db: Reader, txid: Txid): Promise<Vtxo[]> {
  return (await db.read('select * from ark_vtxo where txid = $1 order by vout', [txid])).map(toVtxo);
}

/** What an off-chain transaction or a batch consumed. */
export async function vtxosSpentBy(db: Reader, kind: 'ark_txid' | 'settled_by', txid: Txid): Promise<Vtxo[]> {
  return (await db.read(`select * from ark_vtxo where ${kind} = $1 order by outpoint`, [txid])).map(toVtxo);
}

export type VtxoFilter = 'all' | 'spendable' | 'spent' | 'recoverable' | 'renewable' | 'pending';

/** No term may suit an index better than the scripts do: `coalesce` keeps one from being looked up by. */
const FILTERS: Record<VtxoFilter, string> = {
  all: '',
  spendable: 'and spent_by is null and swept = 0 and unrolled = 0',
  spent: 'and (spent_by is not null or swept = 1 or unrolled = 1)',
  recoverable: "and spent_by is null and unrolled = 0 and (swept = 1 or origin = 'note')",
  renewable: 'and spent_by is null and unrolled = 0',
  pending: `and unrolled = 0 and coalesce(settled_by, '') = ''
    and ark_txid in (select txid from ark_offchain_tx where finalized_at is null)`,
};

export interface VtxoQuery {
  readonly scripts: readonly string[];
  readonly filter: VtxoFilter;
  /** Bounds on the last change, unix milliseconds, 0 for none. */
  readonly after: number;
  readonly before: number;
  readonly limit: number;
  readonly offset: number;
}

async function countByScript(db: Reader, query: VtxoQuery, where: string, args: readonly SqlValue[]): Promise<number> {
  // The same for less: what is not spendable is found by reading rows, all and the spendable ones are not.
  if (query.filter === 'spent' && query.after <= 0 && query.before <= 0) {
    const [all, spendable] = await Promise.all(
      (['all', 'spendable'] as const).map((filter) => {
        const scripts = `script in (${slots(query.scripts.length)}) ${FILTERS[filter]}`;
        return countByScript(db, { ...query, filter }, scripts, query.scripts);
      }),
    );
    return all! - spendable!;
  }
  const [count] = await db.read(`select count(*) as n from ark_vtxo where ${where}`, args);
  return Number(count?.n ?? 0);
}

/** VTXOs of some scripts, oldest first, and how many there are in all. */
export async function vtxosByScript(db: Reader, query: VtxoQuery): Promise<{ vtxos: Vtxo[]; total: number }> {
  const args: SqlValue[] = [...query.scripts];
  let where = `script in (${slots(args.length)}) ${FILTERS[query.filter]}`;
  if (query.after > 0) where += ` and updated_at >= $${args.push(query.after)}`;
  if (query.before > 0) where += ` and updated_at <= $${args.push(query.before)}`;
  const total = await countByScript(db, query, where, [...args]);
  const page = `limit $${args.push(query.limit)} offset $${args.push(query.offset)}`;
  const rows = await db.read(`select * from ark_vtxo where ${where} order by created_at, outpoint ${page}`, args);
  return { vtxos: rows.map(toVtxo), total };
}

/** Adds VTXOs. A repeated outpoint is a `ConstraintError`. */
export async function insertVtxos(tx: DbTx, vtxos: readonly NewVtxo[], nowMs: number): Promise<void> {
  for (const vtxo of vtxos) {
    await tx.run(
      `insert into ark_vtxo (outpoint, txid, vout, amount, script, origin, commitment_txids, depth, created_at,
         updated_at, expires_at, swept, assets) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
      [
        `${vtxo.txid}:${vtxo.vout}`,
        vtxo.txid,
        vtxo.vout,
        vtxo.amount,
        vtxo.script,
        vtxo.origin,
        vtxo.commitmentTxids.join(','),
        vtxo.depth,
        vtxo.createdAt,
        nowMs,
        vtxo.expiresAt,
        vtxo.swept ? 1 : 0,
        printAssets(vtxo.assets ?? []),
      ],
    );
  }
}

export interface Spend {
  readonly outpoint: OutpointKey;
  readonly spentBy: Txid;
  readonly arkTxid?: Txid;
  readonly settledBy?: Txid;
  /** Nothing is given for it but that it is swept: it must be so. */
  readonly asSwept?: boolean;
}

/**
 * Spends a VTXO that nobody spent yet. False when somebody did, or when it went on chain or came from there against
 * expectation: an unrolled VTXO can only be boarded again.
 */
export async function spendVtxo(tx: DbTx, spend: Spend, nowMs: number, unrolled = false): Promise<boolean> {
  const rows = await tx.run(
    `update ark_vtxo set spent_by = $2, ark_txid = $3, settled_by = $4, updated_at = $5
     where outpoint = $1 and spent_by is null and unrolled = $6 and swept >= $7 returning outpoint`,
    [
      spend.outpoint,
      spend.spentBy,
      spend.arkTxid ?? null,
      spend.settledBy ?? null,
      nowMs,
      unrolled ? 1 : 0,
      spend.asSwept ? 1 : 0,
    ],
  );
  return rows.length === 1;
}

/** Undoes the spends of a commitment that never came to be. */
export async function unspendSettled(tx: DbTx, commitmentTxid: Txid, nowMs: number): Promise<void> {
  await tx.run(
    `update ark_vtxo set spent_by = null, settled_by = null, updated_at = $2
     where settled_by = $1`,
    [commitmentTxid, nowMs],
  );
}

/** Which of these transactions made VTXOs that are not known to be on chain. */
export async function virtualTxidsAmong(db: Reader, txids: readonly Txid[]): Promise<Txid[]> {
  const rows = await inChunks(txids, (chunk) =>
    db.read(
      `select distinct txid from ark_vtxo where txid in (${slots(chunk.length)}) and unrolled = 0 and origin <> 'note'`,
      chunk,
    ),
  );
  return [...new Set(rows.map((row) => row.txid as Txid))];
}

/** Marks VTXOs whose transaction appeared on chain. Returns those that were not marked before. */
export async function markUnrolled(tx: DbTx, txid: Txid, nowMs: number): Promise<Vtxo[]> {
  const rows = await tx.run(
    `update ark_vtxo set unrolled = 1, updated_at = $2
     where txid = $1 and unrolled = 0 and origin <> 'note' returning *`,
    [txid, nowMs],
  );
  return rows.map(toVtxo);
}

/** `made`: the transactions among the first `count` arguments that have VTXOs, and all made off-chain from those. */
const descent = (count: number): string => `with recursive made (txid) as (
    select txid from ark_vtxo where txid in (${slots(count)})
    union
    select v.ark_txid from made join ark_vtxo v on v.txid = made.txid where v.ark_txid is not null
  )`;

/** These transactions and all that was made off-chain from their VTXOs. */
export async function descentOf(tx: DbTx, leaves: readonly Txid[]): Promise<Txid[]> {
  const rows = await inChunks(leaves, (chunk) => tx.read(`${descent(chunk.length)} select txid from made`, chunk));
  return [...new Set(rows.map((row) => row.txid as Txid))];
}

/**
 * Marks the VTXOs of these transactions, and all that was made off-chain from them, as swept.
 * Returns those that were not marked before.
 */
export async function markSwept(tx: DbTx, leaves: readonly Txid[], nowMs: number): Promise<Vtxo[]> {
  const marked = await inChunks(leaves, (chunk) =>
    tx.run(
      `${descent(chunk.length)}
       update ark_vtxo set swept = 1, updated_at = $${chunk.length + 1}
       where swept = 0 and unrolled = 0 and txid in (select txid from made) returning *`,
      [...chunk, nowMs],
    ),
  );
  return marked.map(toVtxo);
}

/**
 * Takes {@link markSwept} back where a sweep did not come to be: of these transactions' VTXOs and of what was made from
 * them off-chain, but for what descends from another swept VTXO too, and for amounts below `dust`, which are recoverable
 * from their birth.
 */
export async function unmarkSwept(tx: DbTx, leaves: readonly Txid[], dust: bigint, nowMs: number): Promise<void> {
  for (let generation = [...leaves]; generation.length > 0; ) {
    const rows = await tx.run(
      `update ark_vtxo set swept = 0, updated_at = $1
       where swept = 1 and origin <> 'note' and amount >= $2 and txid in (${slots(generation.length, 3)})
       and not exists (select 1 from ark_vtxo p where p.ark_txid = ark_vtxo.txid and p.swept = 1 and p.amount >= $2)
       returning ark_txid`,
      [nowMs, dust, ...generation],
    );
    generation = [...new Set(rows.flatMap((row) => (row.ark_txid === null ? [] : [row.ark_txid as Txid])))];
  }
}

/**
 * Takes the unspent VTXOs of these transactions, and of all made off-chain from them, out of circulation: like unrolled
 * ones they could only be boarded, if they were on chain.
 */
export async function suspendVtxos(tx: DbTx, leaves: readonly Txid[], nowMs: number): Promise<void> {
  await inChunks(leaves, (chunk) =>
    tx.run(
      `${descent(chunk.length)}
       update ark_vtxo set unrolled = 1, updated_at = $${chunk.length + 1}
       where unrolled = 0 and spent_by is null and txid in (select txid from made)`,
      [...chunk, nowMs],
    ),
  );
}

/** Puts back what {@link suspendVtxos} took, but for the VTXOs that `isOnChain`. */
export async function resumeVtxos(
  tx: DbTx,
  leaves: readonly Txid[],
  isOnChain: ReadonlySet<Txid>,
  nowMs: number,
): Promise<void> {
  const back = (await unrolledAmong(tx, leaves)).filter((txid) => !isOnChain.has(txid));
  await inChunks(back, (chunk) =>
    tx.run(
      `update ark_vtxo set unrolled = 0, updated_at = $${chunk.length + 1}
       where unrolled = 1 and txid in (${slots(chunk.length)})`,
      [...chunk, nowMs],
    ),
  );
}

/** Which transactions among these, and among all made off-chain from them, have VTXOs that count as unrolled. */
export async function unrolledAmong(tx: DbTx, leaves: readonly Txid[]): Promise<Txid[]> {
  const rows = await inChunks(leaves, (chunk) =>
    tx.read(
      `${descent(chunk.length)}
       select distinct txid from ark_vtxo where unrolled = 1 and txid in (select txid from made) order by txid`,
      chunk,
    ),
  );
  return [...new Set(rows.map((row) => row.txid as Txid))];
}

/** Takes {@link markUnrolled} back: the transaction has left the chain and the mempool. */
export async function markVirtual(tx: DbTx, txid: Txid, nowMs: number): Promise<void> {
  await tx.run('update ark_vtxo set unrolled = 0, updated_at = $2 where txid = $1 and unrolled = 1', [txid, nowMs]);
}

/** Unrolled VTXOs whose owners did not take them from the chain yet, as far as we know. */
export async function unclaimed(db: Reader): Promise<Vtxo[]> {
  const rows = await db.read(
    'select * from ark_vtxo where unrolled = 1 and spent_by is null and claimed_by is null order by outpoint',
  );
  return rows.map(toVtxo);
}

export async function markClaimed(tx: DbTx, outpoint: OutpointKey, claimedBy: Txid, nowMs: number): Promise<void> {
  await tx.run(
    `update ark_vtxo set claimed_by = $2, updated_at = $3
     where outpoint = $1 and unrolled = 1 and spent_by is null`,
    [outpoint, claimedBy, nowMs],
  );
}

/** Takes back what a transaction claimed that is not confirmed any more. */
export async function unmarkClaimed(tx: DbTx, claimedBy: Txid, nowMs: number): Promise<void> {
  await tx.run('update ark_vtxo set claimed_by = null, updated_at = $2 where claimed_by = $1', [claimedBy, nowMs]);
}

/** Transactions whose VTXOs could still appear on chain unnoticed. */
export async function txidsToWatch(db: Reader): Promise<Txid[]> {
  const rows = await db.read(
    "select distinct txid from ark_vtxo where unrolled = 0 and swept = 0 and origin <> 'note'",
  );
  return rows.map((row) => row.txid as Txid);
}

export const outpointOf = (vtxo: Pick<Vtxo, 'outpoint'>) => parseOutpoint(vtxo.outpoint);

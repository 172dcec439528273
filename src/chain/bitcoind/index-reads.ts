/** What the index knows of the confirmed chain. */
import type { Bytes, Outpoint, Txid } from '../../base/bytes.ts';
import { height, unixSeconds } from '../../base/units.ts';
import { type BlockHash, parseHeader } from '../../bitcoin/block.ts';
import { parseTx } from '../../bitcoin/tx.ts';
import type { Db, Row, SqlValue } from '../../store/db.ts';
import type { ChainOutput, ChainTx, ChainUtxo, Confirmation, Tip } from '../chain.ts';
import type { BlockSummary, ScriptActivity } from '../explorer.ts';
import type { ScriptHash } from '../script-hash.ts';
import { BLOCK_SPAN, heightOf, indexOf, placeOf } from './index-writes.ts';

type BlockRow = Row & {
  readonly height: bigint;
  readonly hash: BlockHash;
  readonly header: Bytes;
  readonly median_time: bigint;
  readonly size: bigint;
  readonly weight: bigint;
};
type PlacedRow = Row & { readonly place: bigint; readonly hash: string; readonly header: Bytes };
type TxRow = PlacedRow & { readonly txid: Txid; readonly raw: Bytes };

const BLOCK = 'select height, hash, header, median_time, size, weight from chain_block';
const TX = `select t.place, t.txid, t.raw, b.hash, b.header
  from chain_tx t join chain_block b on b.height = t.place / ${BLOCK_SPAN}`;
const HISTORY = `select place from chain_output where script = $1
  union select spent_place from chain_output where script = $1 and spent_place is not null`;

const confirmationOf = ({ place, hash, header }: PlacedRow): Confirmation => ({
  height: height(heightOf(place)),
  blockHash: hash,
  blockTime: unixSeconds(parseHeader(header).time),
});

const chainTxOf = (row: TxRow): ChainTx => ({
  txid: row.txid,
  tx: parseTx(row.raw),
  confirmation: confirmationOf(row),
});

export interface IndexTip extends Tip {
  /** The first block of the index. */
  readonly lowest: number;
}

export interface IndexReads {
  /** `undefined` while the index is empty. */
  tip(): Promise<IndexTip | undefined>;
  tipAt(height: number): Promise<Tip | undefined>;
  /** Hashes by height, from `from` to `to` inclusive, as far as they are indexed. */
  hashes(from: number, to: number): Promise<ReadonlyMap<number, BlockHash>>;
  block(hash: string): Promise<BlockSummary | undefined>;
  /** The transactions of the block at `height`, in order. */
  blockTxs(height: number): Promise<readonly { readonly txid: Txid; readonly raw: Bytes }[]>;
  transaction(txid: Txid): Promise<ChainTx | undefined>;
  spender(outpoint: Outpoint): Promise<ChainOutput['spentBy']>;
  /** Outputs that pay to a script and that no block spends. */
  unspent(script: ScriptHash): Promise<readonly ChainUtxo[]>;
  activity(script: ScriptHash): Promise<ScriptActivity>;
  history(script: ScriptHash, limit: number, after?: Txid): Promise<readonly ChainTx[]>;
}

export function createIndexReads(db: Db): IndexReads {
  const first = async <T extends Row>(sql: string, ...args: SqlValue[]): Promise<T | undefined> =>
    (await db.read<T>(sql, args))[0];

  const tipOf = (row: BlockRow): Tip => ({
    height: height(Number(row.height)),
    hash: row.hash,
    medianTime: unixSeconds(Number(row.median_time)),
  });

  const txidsAt = async (blockHeight: number): Promise<readonly Txid[]> => {
    const rows = await db.read<{ txid: Txid }>(
      'select txid from chain_tx where place >= $1 and place < $2 order by place',
      [placeOf(blockHeight, 0), placeOf(blockHeight + 1, 0)],
    );
    return rows.map(({ txid }) => txid);
  };

  const transaction = async (txid: Txid): Promise<ChainTx | undefined> => {
    const row = await first<TxRow>(`${TX} where t.txid = $1`, txid);
    return row && chainTxOf(row);
  };

  return {
    transaction,
    async tip() {
      const row = await first<BlockRow>(`${BLOCK} order by height desc limit 1`);
      if (!row) return undefined;
      const lowest = await first<{ height: bigint }>('select min(height) as height from chain_block');
      return { ...tipOf(row), lowest: Number(lowest!.height) };
    },
    async tipAt(blockHeight) {
      const row = await first<BlockRow>(`${BLOCK} where height = $1`, blockHeight);
      return row && tipOf(row);
    },
    async hashes(from, to) {
      const rows = await db.read<BlockRow>('select height, hash from chain_block where height between $1 and $2', [
        from,
        to,
      ]);
      return new Map(rows.map((row) => [Number(row.height), row.hash]));
    },
    async block(hash) {
      const row = await first<BlockRow>(`${BLOCK} where hash = $1`, hash);
      if (!row) return undefined;
      return {
        hash: row.hash,
        height: Number(row.height),
        header: parseHeader(row.header),
        medianTime: Number(row.median_time),
        txids: await txidsAt(Number(row.height)),
        size: Number(row.size),
        weight: Number(row.weight),
      };
    },
    blockTxs: (blockHeight) =>
      db.read<{ txid: Txid; raw: Bytes }>(
        'select txid, raw from chain_tx where place >= $1 and place < $2 order by place',
        [placeOf(blockHeight, 0), placeOf(blockHeight + 1, 0)],
      ),
    async spender({ txid, vout }) {
      const row = await first<PlacedRow & { txid: Txid; vin: bigint }>(
        `select t.place, t.txid, o.spent_vin as vin, b.hash, b.header
         from chain_output o
         join chain_tx t on t.place = o.spent_place
         join chain_block b on b.height = t.place / ${BLOCK_SPAN}
         where o.txid = $1 and o.vout = $2`,
        txid,
        vout,
      );
      return row && { txid: row.txid, vin: Number(row.vin), confirmation: confirmationOf(row) };
    },
    async unspent(script) {
      const rows = await db.read<PlacedRow & { txid: Txid; vout: bigint; value: bigint }>(
        `select o.txid, o.vout, o.value, o.place, b.hash, b.header
         from chain_output o join chain_block b on b.height = o.place / ${BLOCK_SPAN}
         where o.script = $1 and o.spent_place is null order by o.place, o.vout`,
        [script],
      );
      const [sample] = rows;
      // All of them pay to the same script, so one shows it.
      const bytes = sample && (await transaction(sample.txid))!.tx.outputs[Number(sample.vout)]!.script;
      return rows.map((row) => ({
        outpoint: { txid: row.txid, vout: Number(row.vout) },
        value: row.value,
        script: bytes!,
        isCoinbase: indexOf(row.place) === 0,
        confirmation: confirmationOf(row),
      }));
    },
    async activity(script) {
      const sums = await first<{ funded: bigint; funded_sum: bigint; spent: bigint; spent_sum: bigint }>(
        `select count(*) as funded, cast(coalesce(sum(value), 0) as bigint) as funded_sum,
           count(spent_place) as spent,
           cast(coalesce(sum(case when spent_place is null then 0 else value end), 0) as bigint) as spent_sum
         from chain_output where script = $1`,
        script,
      );
      const txs = await first<{ count: bigint }>(`select count(*) as count from (${HISTORY}) as history`, script);
      return {
        fundedCount: Number(sums!.funded),
        fundedSum: sums!.funded_sum,
        spentCount: Number(sums!.spent),
        spentSum: sums!.spent_sum,
        txCount: Number(txs!.count),
      };
    },
    async history(script, limit, after) {
      const below = after && (await first<{ place: bigint }>('select place from chain_tx where txid = $1', after));
      if (after && !below) return [];
      const rows = await db.read<TxRow>(
        `${TX} where t.place in (${HISTORY}) and t.place < $2 order by t.place desc limit $3`,
        [script, below?.place ?? Number.MAX_SAFE_INTEGER, limit],
      );
      return rows.map(chainTxOf);
    },
  };
}

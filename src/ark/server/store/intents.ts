/** Queued intents. An input stands in at most one, which the primary key of `ark_intent_input` sees to. */
import type { OutpointKey, Txid } from '../../../base/bytes.ts';
import { parse, print } from '../../../base/codec.ts';
import type { DbTx, Row } from '../../../store/db.ts';
import type { RegisteredIntent } from '../registration.ts';
import type { Reader } from './vtxos.ts';

const SHAPE = 1;

export interface StoredIntent {
  readonly id: string;
  readonly txid: Txid;
  readonly message: string;
  readonly proof: string;
  readonly intent: RegisteredIntent;
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** Batches it took part in, in vain, through nobody's fault but the server's. */
  readonly attempts: number;
  /** Batches that it did not confirm. */
  readonly missed: number;
  readonly batchId: string | undefined;
}

const toIntent = (row: Row): StoredIntent => ({
  id: row.id as string,
  txid: row.txid as Txid,
  message: row.message as string,
  proof: row.proof as string,
  intent: parse<RegisteredIntent>(SHAPE, row.data as string),
  createdAt: Number(row.created_at),
  attempts: Number(row.attempts),
  missed: Number(row.missed),
  batchId: (row.batch_id ?? undefined) as string | undefined,
});

export async function insertIntent(
  tx: DbTx,
  stored: Omit<StoredIntent, 'attempts' | 'missed' | 'batchId'>,
): Promise<void> {
  await tx.run('insert into ark_intent (id, txid, message, proof, data, created_at) values ($1, $2, $3, $4, $5, $6)', [
    stored.id,
    stored.txid,
    stored.message,
    stored.proof,
    print(SHAPE, stored.intent),
    stored.createdAt,
  ]);
  for (const input of stored.intent.inputs) {
    await tx.run('insert into ark_intent_input (outpoint, intent_id) values ($1, $2)', [input.outpoint, stored.id]);
  }
}

/** Which of `outpoints` stand in an intent already, and in which. */
export async function intentsHolding(
  db: Reader,
  outpoints: readonly OutpointKey[],
): Promise<{ outpoint: OutpointKey; intentId: string; batchId: string | undefined }[]> {
  if (outpoints.length === 0) return [];
  const marks = outpoints.map((_, i) => `$${i + 1}`).join(', ');
  const rows = await db.read(
    `select i.outpoint, i.intent_id, n.batch_id from ark_intent_input i join ark_intent n on n.id = i.intent_id
     where i.outpoint in (${marks}) order by i.outpoint`,
    outpoints,
  );
  return rows.map((row) => ({
    outpoint: row.outpoint as OutpointKey,
    intentId: row.intent_id as string,
    batchId: (row.batch_id ?? undefined) as string | undefined,
  }));
}

export async function intentById(db: Reader, id: string): Promise<StoredIntent | undefined> {
  return (await db.read('select * from ark_intent where id = $1', [id])).map(toIntent)[0];
}

export async function intentByTxid(db: Reader, txid: string): Promise<StoredIntent | undefined> {
  return (await db.read('select * from ark_intent where txid = $1', [txid])).map(toIntent)[0];
}

export async function allIntents(db: Reader): Promise<StoredIntent[]> {
  return (await db.read('select * from ark_intent order by created_at, id')).map(toIntent);
}

export async function countQueued(db: Reader): Promise<number> {
  const [row] = await db.read('select count(*) as n from ark_intent where batch_id is null');
  return Number(row?.n ?? 0);
}

/** Oldest queued intents first, without taking them. */
export async function queuedIntents(db: Reader, limit: number): Promise<StoredIntent[]> {
  const rows = await db.read('select * from ark_intent where batch_id is null order by created_at, id limit $1', [
    limit,
  ]);
  return rows.map(toIntent);
}

/** Takes queued intents into a batch; returns the ids that were still there to take. */
export async function takeIntents(tx: DbTx, ids: readonly string[], batchId: string): Promise<string[]> {
  const taken: string[] = [];
  for (const id of ids) {
    const rows = await tx.run('update ark_intent set batch_id = $2 where id = $1 and batch_id is null returning id', [
      id,
      batchId,
    ]);
    if (rows.length > 0) taken.push(id);
  }
  return taken;
}

/**
 * Puts intents back into the queue. With a counter, they count one more there and are forgotten once it reaches `most`.
 * Returns the ids of the forgotten.
 */
export async function requeueIntents(
  tx: DbTx,
  ids: readonly string[],
  counter?: { readonly name: 'attempts' | 'missed'; readonly most: number },
): Promise<string[]> {
  const forgotten: string[] = [];
  for (const id of ids) {
    const [row] = await tx.run('update ark_intent set batch_id = null where id = $1 returning id', [id]);
    if (!row || !counter) continue;
    const { name, most } = counter;
    await tx.run(`update ark_intent set ${name} = ${name} + 1 where id = $1`, [id]);
    const gone = await tx.run(`delete from ark_intent where id = $1 and ${name} >= $2 returning id`, [id, most]);
    if (gone.length > 0) forgotten.push(id);
  }
  return forgotten;
}

export async function deleteIntents(tx: DbTx, ids: readonly string[]): Promise<void> {
  for (const id of ids) await tx.run('delete from ark_intent where id = $1', [id]);
}

/** Forgets the intents that are in a batch. */
export async function deleteIntentsOf(tx: DbTx, batchId: string): Promise<void> {
  await tx.run('delete from ark_intent where batch_id = $1', [batchId]);
}

/** After a restart no batch is running: what was in one is free again. */
export async function deleteRunningIntents(tx: DbTx): Promise<void> {
  await tx.run('delete from ark_intent where batch_id is not null');
}

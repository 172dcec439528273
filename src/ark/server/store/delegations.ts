/** What owners have handed to the delegator. A coin stands in one waiting delegation at most. */
import type { OutpointKey } from '../../../base/bytes.ts';
import type { DbTx, Row } from '../../../store/db.ts';
import type { DelegationRequest } from '../../protocol/delegation.ts';
import type { Reader } from './vtxos.ts';

export type DelegationState = 'waiting' | 'done' | 'failed';

export interface StoredDelegation extends DelegationRequest {
  readonly id: string;
  readonly state: DelegationState;
  /** Unix seconds. */
  readonly validAt: number;
  readonly createdAt: number;
  /** When it is to be tried (again). */
  readonly dueAt: number;
  readonly attempts: number;
  /** Under which it was queued at the server last. */
  readonly intentId: string | undefined;
  /** The commitment's txid once done, else why it came to nothing. */
  readonly outcome: string | undefined;
}

const toDelegation = (row: Row): StoredDelegation => ({
  id: row.id as string,
  message: row.message as string,
  proof: row.proof as string,
  forfeits: JSON.parse(row.forfeits as string) as string[],
  state: row.state as DelegationState,
  validAt: Number(row.valid_at),
  createdAt: Number(row.created_at),
  dueAt: Number(row.due_at),
  attempts: Number(row.attempts),
  intentId: (row.intent_id ?? undefined) as string | undefined,
  outcome: (row.outcome ?? undefined) as string | undefined,
});

export async function insertDelegation(
  tx: DbTx,
  delegation: Pick<StoredDelegation, 'id' | 'validAt' | 'createdAt' | 'dueAt'> & DelegationRequest,
  coins: readonly OutpointKey[],
): Promise<void> {
  const { id, message, proof, forfeits, validAt, createdAt, dueAt } = delegation;
  await tx.run(
    `insert into ark_delegation (id, message, proof, forfeits, valid_at, state, created_at, due_at)
     values ($1, $2, $3, $4, $5, 'waiting', $6, $7)`,
    [id, message, proof, JSON.stringify(forfeits), validAt, createdAt, dueAt],
  );
  for (const outpoint of coins) {
    await tx.run('insert into ark_delegation_input (outpoint, delegation_id) values ($1, $2)', [outpoint, id]);
  }
}

/** The waiting delegations that hold one of `coins`. */
export async function delegationsHolding(db: Reader, coins: readonly OutpointKey[]): Promise<string[]> {
  const slots = coins.map((_, i) => `$${i + 1}`).join(', ');
  const rows = await db.read(
    `select distinct delegation_id from ark_delegation_input where outpoint in (${slots})`,
    coins,
  );
  return rows.map((row) => row.delegation_id as string);
}

/** Waiting delegations due at `now`, the longest waiting first. */
export async function dueDelegations(db: Reader, now: number, limit: number): Promise<StoredDelegation[]> {
  const rows = await db.read(
    `select * from ark_delegation where state = 'waiting' and due_at <= $1 order by due_at, id limit $2`,
    [now, limit],
  );
  return rows.map(toDelegation);
}

/** When the next one is due; `undefined` when none waits. */
export async function nextDelegationDue(db: Reader): Promise<number | undefined> {
  const [row] = await db.read("select min(due_at) as at from ark_delegation where state = 'waiting'");
  return row?.at === null || row?.at === undefined ? undefined : Number(row.at);
}

export async function countWaitingDelegations(db: Reader): Promise<number> {
  const [row] = await db.read("select count(*) as n from ark_delegation where state = 'waiting'");
  return Number(row!.n);
}

export async function delegationById(db: Reader, id: string): Promise<StoredDelegation | undefined> {
  return (await db.read('select * from ark_delegation where id = $1', [id])).map(toDelegation)[0];
}

/** Remembers under which id the delegation is queued at the server. */
export async function noteDelegationIntent(tx: DbTx, id: string, intentId: string): Promise<void> {
  await tx.run('update ark_delegation set intent_id = $2 where id = $1', [id, intentId]);
}

/** Tries a waiting delegation again at `dueAt`, having failed once more. */
export async function postponeDelegation(tx: DbTx, id: string, dueAt: number): Promise<void> {
  await tx.run("update ark_delegation set due_at = $2, attempts = attempts + 1 where id = $1 and state = 'waiting'", [
    id,
    dueAt,
  ]);
}

/** Forgets a delegation that another one replaces; its coins are free. */
export async function deleteDelegation(tx: DbTx, id: string): Promise<void> {
  await tx.run('delete from ark_delegation where id = $1', [id]);
}

/**
 * Ends a waiting delegation, whose coins are free and whose signatures nobody needs any more; false when it was not
 * waiting.
 */
export async function endDelegation(
  tx: DbTx,
  id: string,
  state: Exclude<DelegationState, 'waiting'>,
  outcome: string,
): Promise<boolean> {
  const rows = await tx.run(
    `update ark_delegation set state = $2, outcome = $3, message = '', proof = '', forfeits = '[]'
     where id = $1 and state = 'waiting' returning id`,
    [id, state, outcome],
  );
  if (rows.length === 0) return false;
  await tx.run('delete from ark_delegation_input where delegation_id = $1', [id]);
  return true;
}

/** Signer keys past and present. None is ever deleted: what was locked to it may need its signature years later. */
import type { Bytes } from '../../../base/bytes.ts';
import type { DbTx, Row } from '../../../store/db.ts';
import type { Reader } from './vtxos.ts';

/**
 * `current`: in new scripts. `deprecated`: told to clients, signs until its cutoff. `retired`: not told any more, signs
 * only what the server enforces.
 */
export type SignerState = 'current' | 'deprecated' | 'retired';

export interface StoredSigner {
  /** Compressed, hex. */
  readonly publicKey: string;
  /** Which key derived from the seed it is; `undefined` for one that was brought along, sealed. */
  readonly generation: number | undefined;
  readonly sealedSecret: Bytes | undefined;
  readonly state: SignerState;
  /** Unix seconds; 0 is none. */
  readonly cutoff: number;
  /** Unix seconds. */
  readonly createdAt: number;
}

const toSigner = (row: Row): StoredSigner => ({
  publicKey: row.public_key as string,
  generation: row.generation === null ? undefined : Number(row.generation),
  sealedSecret: (row.sealed_secret ?? undefined) as Bytes | undefined,
  state: row.state as SignerState,
  cutoff: Number(row.cutoff),
  createdAt: Number(row.created_at),
});

/** All of them, the oldest first. */
export async function signers(db: Reader): Promise<StoredSigner[]> {
  return (await db.read('select * from ark_signer order by created_at, public_key')).map(toSigner);
}

export async function insertSigner(tx: DbTx, signer: StoredSigner): Promise<void> {
  const { publicKey, generation = null, sealedSecret = null, state, cutoff, createdAt } = signer;
  await tx.run(
    `insert into ark_signer (public_key, generation, sealed_secret, state, cutoff, created_at)
     values ($1, $2, $3, $4, $5, $6)`,
    [publicKey, generation, sealedSecret, state, cutoff, createdAt],
  );
}

export async function changeSigner(tx: DbTx, publicKey: string, state: SignerState, cutoff: number): Promise<void> {
  await tx.run('update ark_signer set state = $2, cutoff = $3 where public_key = $1', [publicKey, state, cutoff]);
}

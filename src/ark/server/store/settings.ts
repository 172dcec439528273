/** Settings an operator changed at run time; they win over the configuration the process was started with. */
import type { DbTx } from '../../../store/db.ts';
import type { Reader } from './vtxos.ts';

export async function readSetting(db: Reader, name: string): Promise<string | undefined> {
  const [row] = await db.read('select value from ark_setting where name = $1', [name]);
  return row?.value as string | undefined;
}

export async function writeSetting(tx: DbTx, name: string, value: string): Promise<void> {
  await tx.run(
    'insert into ark_setting (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value',
    [name, value],
  );
}

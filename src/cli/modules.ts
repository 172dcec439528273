/** Every module that keeps tables, with the history of its schema. */
import { ARK_MIGRATIONS } from '../ark/server/store/schema.ts';
import { CHAIN_MIGRATIONS } from '../chain/bitcoind/schema.ts';
import type { Db, Migration } from '../store/db.ts';
import { migrate } from '../store/migrate.ts';

const MODULES: Readonly<Record<string, readonly Migration[]>> = { chain: CHAIN_MIGRATIONS, ark: ARK_MIGRATIONS };

/** Brings the whole database forward. Throws as {@link migrate} does. */
export async function migrateAll(db: Db): Promise<void> {
  for (const [module, migrations] of Object.entries(MODULES)) await migrate(db, module, migrations);
}
